//! The form of source files.

use crate::files::{RepositoryFile, assert_none, files};

/// Longest source file, in lines.
const LINES_MAX: usize = 500;

/// The same in Python and TypeScript.
const SCRIPT_LINES_MAX: usize = 400;

/// Endings of what people write in this repository.
const WRITTEN: &[&str] = &[".rs", ".py", ".ts", ".mjs", ".md", ".toml", ".json"];

fn sources() -> Vec<RepositoryFile> {
    files(&[".rs"])
}

/// Returns the sources without tests, which stand last in a file or in a module of their own.
fn shipped() -> Vec<RepositoryFile> {
    let sources = sources();
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    let is_test = |it: &RepositoryFile| {
        it.path.contains("/tests/") || tests.iter().any(|module| it.path.starts_with(module))
    };
    let mut shipped: Vec<RepositoryFile> = sources.into_iter().filter(|it| !is_test(it)).collect();
    for file in &mut shipped {
        let tests = file.text.match_indices("\n#[cfg(test)]\n");
        let is_body =
            |&at: &usize| file.text[at..].lines().nth(2).is_some_and(|it| it.ends_with('{'));
        if let Some(at) = tests.map(|(at, _)| at).find(is_body) {
            file.text.truncate(at);
        }
    }
    shipped
}

/// Returns the prefixes of the paths of modules that a file declares for tests alone.
fn test_modules(file: &RepositoryFile) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or_default();
    let folder = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => file.path.trim_end_matches(".rs").to_owned(),
    };
    let lines: Vec<&str> = file.text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].split_once("mod ")?.1.strip_suffix(';'));
    names.flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]).collect()
}

fn matching(files: &[RepositoryFile], is_fault: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let faults = file.code().filter(|(_, line)| is_fault(line));
        found.extend(faults.map(|(at, line)| format!("{}:{at}: {}", file.path, line.trim())));
    }
    found
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    let too_long = sources().into_iter().filter(|it| it.text.lines().count() > LINES_MAX);
    let faults: Vec<_> = too_long.map(|it| it.path).collect();
    assert_none("no source file is longer than 500 lines", &faults);
}

#[test]
fn no_script_is_longer_than_400_lines() {
    let scripts = files(&[".py", ".ts", ".mjs"]).into_iter();
    let too_long = scripts.filter(|it| it.text.lines().count() > SCRIPT_LINES_MAX);
    let faults: Vec<_> = too_long.map(|it| it.path).collect();
    assert_none("no source file in Python or TypeScript is longer than 400 lines", &faults);
}

#[test]
fn every_source_file_starts_with_its_documentation() {
    let silent = shipped().into_iter().filter(|it| !it.text.starts_with("//!"));
    let faults: Vec<_> = silent.map(|it| it.path).collect();
    assert_none("every source file starts with its documentation", &faults);
}

/// A lint forbids it in the workspace; this covers `fuzz/`, too.
#[test]
fn no_source_has_unsafe_code() {
    let is_unsafe = |line: &str| {
        line.split(|it: char| !it.is_alphanumeric() && it != '_')
            .any(|it| it == concat!("uns", "afe"))
    };
    assert_none("every source is safe Rust", &matching(&sources(), is_unsafe));
}

#[test]
fn no_unfinished_code_is_left() {
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut faults = Vec::new();
    for file in files(WRITTEN).into_iter().filter(|it| !it.path.ends_with(".json")) {
        for (at, line) in file.text.lines().enumerate() {
            let found = words.iter().filter(|word| line.contains(**word));
            faults.extend(found.map(|word| format!("{}:{}: {word}", file.path, at + 1)));
        }
    }
    let macros = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];
    let unfinished = |line: &str| macros.iter().any(|it| line.contains(it));
    faults.extend(matching(&sources(), unfinished));
    assert_none("no unfinished code is left", &faults);
}

#[test]
fn clocks_are_read_in_clock_rs_alone() {
    let reads = [
        concat!("SystemTime::", "now"),
        concat!("Timestamp::", "now"),
        concat!("Zoned::", "now"),
        concat!("clock_", "gettime("),
    ];
    let others: Vec<RepositoryFile> =
        shipped().into_iter().filter(|it| it.name() != "clock.rs").collect();
    let mut faults = matching(&others, |line| reads.iter().any(|it| line.contains(it)));
    // Deadlines of async code are in tokio's clock.
    let (waiting, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|it| it.text.contains("tokio::time"));
    faults.extend(matching(&others, |line| line.contains(concat!("Instant::", "now"))));
    faults.extend(matching(&waiting, |line| line.contains(concat!("std::time::", "Instant"))));
    assert_none("clocks are read in a package's clock.rs alone", &faults);
    let clocks = shipped();
    let clocks = clocks.iter().filter(|it| it.name() == "clock.rs");
    let mut packages: Vec<_> = clocks.filter_map(|it| it.path.split_once("/src/")).collect();
    packages.sort_unstable();
    let twice: Vec<_> = packages
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| format!("{}: {} and {}", pair[0].0, pair[0].1, pair[1].1))
        .collect();
    assert_none("a package has one clock.rs", &twice);
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut shipped = shipped();
    shipped.retain(|it| !it.path.starts_with("fuzz/") && !it.path.starts_with("tests/"));
    let faults = matching(&shipped, |line| line.contains(concat!(".unwrap", "()")));
    assert_none("nothing is unwrapped outside tests", &faults);
}

#[test]
fn no_path_of_one_machine_is_in_the_repository() {
    let (work, target) = (concat!("/wo", "rk/"), concat!("/tmp/", "target"));
    let mut faults = Vec::new();
    for file in files(WRITTEN) {
        for (at, line) in file.text.lines().enumerate() {
            if line.contains(work) || line.contains(target) {
                faults.push(format!("{}:{}", file.path, at + 1));
            }
        }
    }
    assert_none("no path of one machine is in the repository", &faults);
}
