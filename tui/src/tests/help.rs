//! The help says everything at every size.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::commands::REGISTRY;
use crate::options::TuiConfig;

/// Keys that take more room than any of the defaults.
const LONG_KEYS: &str = "[keys]\nkill = [\"ctrl-alt-F12\", \"ctrl-alt-PgDn\", \"Z Z\"]\n";

/// Returns the lines inside the box of the help.
fn help_lines(app: &AppHarness) -> Vec<String> {
    let screen = app.screen();
    let below_title = screen.lines().skip_while(|line| !line.contains("─ Keys on")).skip(1);
    let inside = below_title.map_while(|line| line.strip_prefix('│')?.strip_suffix('│'));
    inside.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn no_text_of_the_help_is_cut_off_at_any_width() {
    let long_keys: TuiConfig = toml::from_str(LONG_KEYS).unwrap();
    for columns in 30..140 {
        for config in [&TuiConfig::default(), &long_keys] {
            for screen in ["1", "2", "3", "5"] {
                let mut app = AppHarness::with((columns, 200), config);
                app.keys(screen);
                app.keys("?");
                let shown = app.screen();
                let from = shown.find("─ Keys on").expect("it has its title");
                let to = shown[from..].find('└').expect("it has a lower border") + from;
                assert!(!shown[from..to].contains('…'), "{columns}:\n{shown}");
                if columns >= 112 {
                    continue;
                }
                let said =
                    help_lines(&app).join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
                let context = app.state.screen_context();
                let offered = REGISTRY.iter().filter(|spec| {
                    spec.contexts.contains(&context) && app.state.offers(spec.command)
                });
                for spec in offered {
                    let keys = app.state.keymap.keys(spec.command).map(ToString::to_string);
                    let keys = keys.collect::<Vec<_>>().join(" ");
                    let wanted = format!("{keys} {}", spec.help);
                    assert!(said.contains(&wanted), "{columns} lacks {wanted:?}:\n{shown}");
                }
                assert!(said.contains("✖ unreachable") && said.contains("□ stopped"), "{shown}");
            }
        }
    }
}

#[test]
fn all_of_the_help_can_be_scrolled_to() {
    for (columns, rows) in [(30, 4), (30, 6), (30, 10), (40, 12), (50, 9), (59, 14), (60, 15)] {
        let mut tall = AppHarness::connected((columns, 200));
        tall.keys("?");
        let mut app = AppHarness::connected((columns, rows));
        app.keys("?");
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            seen.extend(help_lines(&app));
            app.keys("j");
        }
        for line in help_lines(&tall).iter().filter(|line| !line.is_empty()) {
            assert!(seen.contains(line), "{line:?} is never seen at {columns}x{rows}");
        }
    }
}

#[test]
fn help_of_few_columns() {
    for (name, size) in [("help_30x24", (30, 24)), ("help_50x24", (50, 24))] {
        let mut app = AppHarness::connected(size);
        app.keys("?");
        assert_snapshot!(name, app.screen());
    }
}
