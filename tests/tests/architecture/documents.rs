//! What documents and comments name must exist: paths, commands and flags, variables, settings,
//! invariants, dependencies and numbers.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command, CommandFactory as _};

use crate::dependencies::INTERNAL_DEPENDENCIES;
use crate::files::{RepositoryFile, assert_none, files, paths, root};

#[path = "../../../xtask/src/args.rs"]
#[allow(dead_code)]
mod xtask_args;

/// Endings of files that texts name.
const ENDINGS: &[&str] = &[".rs", ".md", ".toml", ".py", ".json", ".ts", ".mjs"];

/// Paths that look like those of this repository, but are others.
const FOREIGN_PATHS: &[&str] = &["heartline.toml", "h.toml", "target/"];

/// Commands that do not exist, and texts that look like commands.
const NOT_COMMANDS: &[&str] = &["heartline run", "heartline 1 generation", "heartline 2 control"];

/// The config file that has every setting.
const TEMPLATE: &str = "config/src/template.toml";

/// Flags that clap adds when it parses.
const BUILT_IN: &[&str] = &["--help", "--version"];

/// Numbers in documents, with the constants or default settings that they repeat.
const NUMBERS: &[(&str, &str, &[&str])] = &[
    ("ARCHITECTURE.md", "At least {} are kept of an agent", &["session::SUPERSEDED_MIN"]),
    ("ARCHITECTURE.md", "where {} are not enough", &["session::SUPERSEDED_MAX"]),
    ("ARCHITECTURE.md", "goes without it after {} ms", &["ack::ACK_DELAY_MAX_MS"]),
    ("ARCHITECTURE.md", "falls {} deltas behind", &["publisher::BACKLOG"]),
    ("ARCHITECTURE.md", "all {} datagrams of a `recvmmsg`", &["batch::BATCH_SIZE"]),
    (
        "README.md",
        "noticed after {} missed beats, unreachable after {},",
        &["[health] late_factor", "[health] unreachable_factor"],
    ),
    ("CONTRIBUTING.md", "stays within {} bytes", &["limits::EVERYDAY_BEAT_MAX"]),
    (
        "protocol/SPEC.md",
        "no live beat for {} intervals makes an agent *degraded (late)*, for {} intervals",
        &["[health] late_factor", "[health] unreachable_factor"],
    ),
    ("protocol/SPEC.md", "at most {} bytes. With `n`", &["limits::DATAGRAM_MAX"]),
    ("protocol/SPEC.md", "is 1 to {} bytes", &["limits::AGENT_MAX"]),
    ("protocol/SPEC.md", "`step` | text, at most {} bytes", &["limits::STEP_MAX"]),
    ("protocol/SPEC.md", "`host` | text, at most {} bytes", &["limits::TEXT_MAX"]),
    ("protocol/SPEC.md", "map of at most {}, key", &["limits::LABELS_MAX"]),
    ("protocol/SPEC.md", "key text of at most {} bytes", &["limits::LABEL_KEY_MAX"]),
    ("protocol/SPEC.md", "array of at most {} agent ids", &["limits::DEPENDS_MAX"]),
    ("protocol/SPEC.md", "of {} sessions that are not live yet", &["unproven::SESSIONS_MAX"]),
    ("protocol/SPEC.md", "Where more than {} superseded ones", &["session::SUPERSEDED_MAX"]),
    ("protocol/SPEC.md", "sends at most {} beats a second", &["schedule::EARLY_PER_S"]),
    ("protocol/SPEC.md", "no ack has come in this session | {} s", &["transmit::RETRY_UNANSWERED"]),
    ("protocol/SPEC.md", "of the collector | {} ms", &["transmit::RETRY_UNCONFIRMED"]),
    ("protocol/SPEC.md", "or of a later one | {} ms", &["transmit::RETRY_CHANGE"]),
    ("protocol/SPEC.md", "if none comes within {} ms", &["transmit::RETRY_UNCONFIRMED"]),
];

/// A text in backticks, or a command in a code block.
struct CodeSpan {
    at: String,
    text: String,
}

fn code_spans(endings: &[&str]) -> Vec<CodeSpan> {
    files(endings)
        .iter()
        .filter(|it| !it.path.ends_with("documents.rs"))
        .flat_map(code_spans_of)
        .collect()
}

fn code_spans_of(file: &RepositoryFile) -> Vec<CodeSpan> {
    let mut spans = Vec::new();
    let mut is_in_block = false;
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.trim_start_matches(['/', '!', ' ']).starts_with("```") {
            is_in_block = !is_in_block;
            continue;
        }
        let texts: Vec<&str> = match line.strip_prefix("$ ") {
            Some(command) if is_in_block => vec![command.split(" #").next().unwrap_or_default()],
            _ if is_in_block && file.path.ends_with(".md") => Vec::new(),
            _ => line.split('`').skip(1).step_by(2).collect(),
        };
        let at = format!("{}:{number}", file.path);
        spans.extend(texts.into_iter().map(|it| CodeSpan { at: at.clone(), text: it.to_owned() }));
    }
    spans
}

#[test]
fn paths_in_texts_exist() {
    let all = paths();
    let roots: BTreeSet<&str> =
        all.iter().filter_map(|it| it.split_once('/')).map(|it| it.0).collect();
    let is_path = |text: &str| {
        let is_text = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-/*".contains(&it));
        let starts_in_root = text.split_once('/').is_some_and(|(first, _)| roots.contains(first));
        let is_named = ENDINGS.iter().any(|it| text.ends_with(it)) || text.ends_with('/');
        is_text && !text.starts_with(['/', '.', '*']) && (is_named || starts_in_root)
    };
    // A text may omit leading folders, and may be a pattern.
    let exists = |text: &str| {
        let text = text.split('*').next().unwrap_or_default().trim_end_matches('/');
        let inner = format!("/{text}");
        all.iter().map(|it| it.trim_end_matches('/')).any(|it| it == text || it.ends_with(&inner))
    };
    let named = code_spans(&[".md", ".rs"]).into_iter().filter(|it| is_path(&it.text));
    let faults = named.filter(|it| !FOREIGN_PATHS.contains(&&*it.text) && !exists(&it.text));
    let faults: Vec<_> = faults.map(|it| format!("{}: {}", it.at, it.text)).collect();
    assert_none("every path that a text names exists", &faults);
}

#[test]
fn links_lead_to_files() {
    let all = paths();
    let mut faults = Vec::new();
    for file in files(&[".md"]) {
        let targets = file.text.split("](").skip(1).filter_map(|it| it.split(')').next());
        for target in targets.filter(|it| !it.starts_with("http") && !it.starts_with('#')) {
            let path = linked_path(&file.path, target);
            if !all.iter().any(|it| it.trim_end_matches('/') == path) {
                faults.push(format!("{}: {target}", file.path));
            }
        }
    }
    assert_none("every link leads to a file, from the folder of its document", &faults);
}

/// Returns the path that a link in a document leads to.
fn linked_path(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('#').next().unwrap_or_default().split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn links_are_relative_to_their_document() {
    assert_eq!(linked_path("README.md", "docs/files.md"), "docs/files.md");
    assert_eq!(linked_path("docs/a.md", "../protocol/vectors/"), "protocol/vectors");
    assert_eq!(linked_path("docs/a.md", "frameworks/b.md#run"), "docs/frameworks/b.md");
}

#[test]
fn commands_and_flags_in_texts_exist() {
    let mut faults = Vec::new();
    for CodeSpan { at, text } in code_spans(&[".md", ".rs"]) {
        let is_exempt = NOT_COMMANDS.iter().any(|it| text.starts_with(it));
        let unknown = if is_exempt { None } else { unknown_word(&text) };
        faults.extend(unknown.map(|word| format!("{at}: `{text}`: {word}")));
    }
    assert_none("every command and flag that a text names exists", &faults);
}

/// Programs with the arguments that they take; a longer name stands after a shorter one.
fn programs() -> [(&'static str, Command); 6] {
    [
        ("heartline", heartline_cli::command()),
        ("heartlined", heartline_collector::args::Args::command()),
        ("cargo xtask", xtask_args::XtaskArgs::command()),
        ("cargo xtask conformance", heartline_tests::conformance::ConformanceArgs::command()),
        ("cargo xtask bench", heartline_tests::bench::BenchArgs::command()),
        ("cargo xtask bench emitters", xtask_args::EmittersBenchArgs::command()),
    ]
}

/// Returns what is wrong in a text that is a command of ours, or a part of one.
fn unknown_word(text: &str) -> Option<String> {
    let programs = programs();
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let Some(run) = text.strip_prefix("cargo run ") {
        let (_, named) = run.split_once("--bin ").or_else(|| run.split_once("--example "))?;
        let (name, arguments) = named.split_once(' ').unwrap_or((named, ""));
        let arguments = arguments.trim_start_matches("-- ");
        return match programs.iter().any(|it| it.0 == name) {
            true => unknown_word(&format!("{name} {arguments}")),
            false => {
                let files = ["examples", "tests/src/bin"].map(|it| format!("{it}/{name}.rs"));
                let is_there = files.iter().any(|it| root().join(it).is_file());
                (!is_there).then(|| name.to_owned())
            }
        };
    }
    let is_of = |program: &str| {
        text.strip_prefix(program).is_some_and(|it| !it.starts_with(|it: char| it != ' '))
    };
    if let Some((program, command)) = programs.iter().rev().find(|it| is_of(it.0)) {
        return unknown_argument(command, &words[program.split(' ').count()..]);
    }
    if let Some(flag) = words.first().filter(|it| it.starts_with("--")) {
        let mut commands = programs.iter().flat_map(|it| all_of(&it.1));
        let is_known = BUILT_IN.contains(flag) || commands.any(|it| find_flag(it, flag).is_some());
        return if is_known { None } else { Some((*flag).to_owned()) };
    }
    // A subcommand without its program, with flags.
    let whole = programs
        .iter()
        .filter(|it| text.contains(" --") && it.1.find_subcommand(words[0]).is_some());
    let mut unknown: Vec<_> = whole.map(|it| unknown_word(&format!("{} {text}", it.0))).collect();
    if unknown.contains(&None) { None } else { unknown.pop().flatten() }
}

/// Returns the first subcommand or flag that the command does not have.
fn unknown_argument(root: &Command, words: &[&str]) -> Option<String> {
    let mut command = root;
    let mut is_value = false;
    for word in words.iter().take_while(|it| !["\\", "…", "&&", "|", "--"].contains(it)) {
        if std::mem::take(&mut is_value) || BUILT_IN.contains(word) {
            continue;
        } else if word.starts_with("--") {
            match find_flag(command, word).or_else(|| find_flag(root, word)) {
                Some(flag) => is_value = flag.get_action().takes_values() && !word.contains('='),
                None => return Some((*word).to_owned()),
            }
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        } else if command.has_subcommands() && command.get_positionals().next().is_none() {
            return Some((*word).to_owned());
        }
    }
    None
}

fn find_flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.trim_start_matches("--").split('=').next();
    command.get_arguments().find(|it| it.get_long() == name)
}

fn all_of(command: &Command) -> Vec<&Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(all_of)).collect()
}

#[test]
fn settings_in_texts_are_in_the_template() {
    let known = template_settings();
    let named = code_spans(&[".md", ".rs"]).into_iter().filter(|it| section_of(&it.text).is_some());
    let is_known = |text: &str| known.contains_key(&text.replace("[[", "[").replace("]]", "]"));
    let faults = named.filter(|it| !is_known(&it.text));
    let faults: Vec<_> = faults.map(|it| format!("{}: {}", it.at, it.text)).collect();
    assert_none("every setting that a text names is in the template of `config init`", &faults);
}

/// Returns each `[section]` and `[section] key` of the template with what stands behind it.
fn template_settings() -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut section = String::new();
    for line in document(TEMPLATE).lines().map(|it| it.trim_start_matches(['#', ' '])) {
        if let Some(name) = section_of(line) {
            section = format!("[{name}]");
            settings.insert(section.clone(), String::new());
        } else if let Some((key, value)) = line.split_once(" = ") {
            settings.insert(format!("{section} {key}"), value.to_owned());
        }
    }
    settings
}

fn section_of(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('[')?.trim_start_matches('[').split_once(']')?;
    let is_name = name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    (is_name && !name.is_empty()).then_some(name)
}

#[test]
fn variables_in_texts_are_read() {
    let named = |text: &str| -> BTreeSet<String> {
        let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        words.filter(|it| it.starts_with("HEARTLINE_")).map(str::to_owned).collect()
    };
    let sources = files(&[".rs", ".py", ".ts"]);
    let code = sources.iter().filter(|it| it.path.contains("/src/")).flat_map(RepositoryFile::code);
    let read: BTreeSet<String> =
        code.filter(|it| it.1.contains(['"', '\''])).flat_map(|it| named(it.1)).collect();
    let mut faults = Vec::new();
    for file in files(&[".md"]) {
        let unread = named(&file.text).into_iter().filter(|it| !read.contains(it));
        faults.extend(unread.map(|it| format!("{}: {it}", file.path)));
    }
    assert_none("every variable that a document names is read", &faults);
}

#[test]
fn invariants_in_texts_are_in_architecture_md() {
    let map = document("ARCHITECTURE.md");
    let section =
        map.split("## Invariants").nth(1).and_then(|it| it.split("\n## ").next()).unwrap();
    let last = section.lines().filter_map(|it| it.split_once(". **")?.0.parse::<u32>().ok()).max();
    let last = last.expect("the invariants are a numbered list");
    let mut faults = Vec::new();
    for file in files(&[".rs", ".md", ".py"]) {
        for (at, line) in (1..).zip(file.text.lines()) {
            let numbers = line.split("nvariant ").skip(1).map(|it| {
                it.split(|it: char| !it.is_ascii_digit()).next().unwrap_or_default().parse::<u32>()
            });
            let unknown = numbers.flatten().filter(|it| *it == 0 || *it > last);
            faults.extend(unknown.map(|it| format!("{}:{at}: {it}", file.path)));
        }
    }
    assert_none(&format!("the invariants are those of ARCHITECTURE.md, 1 to {last}"), &faults);
}

#[test]
fn architecture_md_has_the_allowed_dependencies() {
    let map = document("ARCHITECTURE.md");
    let mut faults = Vec::new();
    for (folder, allowed) in INTERNAL_DEPENDENCIES {
        let row = map.lines().find(|it| it.starts_with(&format!("| `{folder}/` |")));
        let cell =
            row.and_then(|it| it.trim_end_matches(" |").rsplit(" | ").next()).unwrap_or_default();
        let named: BTreeSet<&str> = cell.split(", ").filter(|it| *it != "–").collect();
        let folders = allowed.iter().map(|it| it.strip_prefix("heartline-").unwrap_or("emitter"));
        if named != folders.collect() {
            faults.push(format!("{folder}/: ARCHITECTURE.md has {cell:?}, the test {allowed:?}"));
        }
    }
    assert_none("ARCHITECTURE.md has the allowed dependencies", &faults);
}

#[test]
fn numbers_in_documents_are_those_of_the_code() {
    let mut values = template_settings();
    for file in files(&[".rs"]).iter().filter(|it| it.path.contains("/src/")) {
        let module = file.name().trim_end_matches(".rs");
        for (_, line) in file.code() {
            let declared = line.split_once("const ").and_then(|it| it.1.split_once(" = "));
            if let Some((name, value)) = declared {
                let name = name.split(':').next().unwrap_or_default();
                values.insert(format!("{module}::{name}"), value.replace('_', ""));
            }
        }
    }
    let mut faults = Vec::new();
    for (path, phrase, names) in NUMBERS {
        let mut text = (*phrase).to_owned();
        for name in *names {
            let number = values.get(*name).and_then(|it| first_number(it));
            match number {
                Some(number) => text = text.replacen("{}", &grouped(number), 1),
                None => faults.push(format!("{path}: {name} is no number")),
            }
        }
        let document = document(path).split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        if !document.contains(&text) {
            faults.push(format!("{path} does not say {text:?}"));
        }
    }
    assert_none("numbers in documents are those of the code", &faults);
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn first_number(text: &str) -> Option<u64> {
    text.split(|it: char| !it.is_ascii_digit()).find(|it| !it.is_empty())?.parse().ok()
}

/// Formats a number as documents do: `1,200`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    if head.is_empty() { tail.to_owned() } else { format!("{head},{tail}") }
}
