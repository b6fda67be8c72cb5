//! Compares `KEYS.md` with the registry.

use std::fmt::Write as _;

use super::REGISTRY;

#[test]
fn keys_md_lists_the_registry() {
    let committed = include_str!("../../KEYS.md");
    assert_eq!(committed, commands_markdown(), "KEYS.md is out of date: write it anew");
}

/// Returns every command with its keys as a Markdown document.
fn commands_markdown() -> String {
    let mut page = String::from(
        "# Keys\n\nMade from the registry of commands; do not edit by hand. Every name below can be \
         given other keys in the `[keys]` section of the config file.\n\n\
         | Command | Keys | Where | Does | Same as |\n|---|---|---|---|---|\n",
    );
    for spec in REGISTRY {
        let keys: Vec<String> = spec.keys.iter().map(|key| format!("`{key}`")).collect();
        let places: Vec<&str> = spec.contexts.iter().map(|context| context.title()).collect();
        let place = if places.len() == 6 { "everywhere".to_owned() } else { places.join(", ") };
        let same = spec.subcommand.map_or_else(String::new, |text| format!("`{text}`"));
        writeln!(
            page,
            "| `{}` | {} | {place} | {} | {same} |",
            spec.name,
            keys.join(" "),
            spec.help
        )
        .expect("writing to a string does not fail");
    }
    page
}
