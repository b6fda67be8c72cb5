//! Emitters in other languages than Rust: pure inside, nothing needed at run time, and a conformance
//! agent for each.

use crate::files::{RepositoryFile, assert_none, files, root};

/// Folders without I/O, clocks, threads and randomness, and what their sources may not use.
const PURE_FOLDERS: &[(&str, &[&str])] = &[
    ("python/src/heartline/protocol/", IMPURE_IN_PYTHON),
    ("python/src/heartline/engine/", IMPURE_IN_PYTHON),
    ("node/src/protocol/", IMPURE_IN_NODE),
    ("node/src/engine/", IMPURE_IN_NODE),
];

/// Modules.
const IMPURE_IN_PYTHON: &[&str] = &[
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "_thread",
    "time",
];

/// Modules, functions and objects.
const IMPURE_IN_NODE: &[&str] = &[
    "node:child_process",
    "node:cluster",
    "node:dgram",
    "node:dns",
    "node:fs",
    "node:net",
    "node:os",
    "node:perf_hooks",
    "node:timers",
    "node:worker_threads",
    "Date.now",
    "Math.random",
    "hrtime",
    "performance.now",
    "process.env",
    "randomBytes",
    "setInterval",
    "setTimeout",
];

/// An emitter in another language.
struct EmitterPackage {
    manifest: &'static str,
    /// Tells from the manifest that nothing is needed at run time.
    needs_nothing: fn(&str) -> bool,
    conformance_agent: &'static str,
}

const PACKAGES: [EmitterPackage; 2] = [
    EmitterPackage {
        manifest: "python/pyproject.toml",
        needs_nothing: needs_no_python_package,
        conformance_agent: "python/conformance/agent.py",
    },
    EmitterPackage {
        manifest: "node/package.json",
        needs_nothing: needs_no_node_package,
        conformance_agent: "node/conformance/agent.mjs",
    },
];

fn needs_no_python_package(manifest: &str) -> bool {
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["project"]["dependencies"].as_array().unwrap().is_empty()
}

fn needs_no_node_package(manifest: &str) -> bool {
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    manifest.get("dependencies").is_none()
}

/// Returns what a line of Python imports that it may not, or the names that a line of TypeScript may
/// not have.
fn impure_names<'a>(file: &RepositoryFile, line: &str, banned: &[&'a str]) -> Vec<&'a str> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let is_named = |name: &str| match words[..] {
        ["import" | "from", module, ..] if file.path.ends_with(".py") => {
            module.trim_end_matches(',').split('.').next() == Some(name)
        }
        _ => !file.path.ends_with(".py") && line.contains(name),
    };
    banned.iter().copied().filter(|name| is_named(name)).collect()
}

#[test]
fn pure_folders_have_no_io_clock_threads_or_randomness() {
    let sources = files(&[".py", ".ts"]);
    let mut faults = Vec::new();
    for (folder, banned) in PURE_FOLDERS {
        let inside: Vec<_> = sources.iter().filter(|it| it.path.starts_with(folder)).collect();
        assert!(!inside.is_empty(), "{folder} has no sources");
        for file in inside {
            for (at, line) in file.text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
                let found = impure_names(file, line, banned).into_iter();
                faults.extend(found.map(|name| format!("{}:{at}: {name}", file.path)));
            }
        }
    }
    assert_none("pure folders have no I/O, clock, threads or randomness", &faults);
}

#[test]
fn impure_names_are_found_in_imports_and_calls() {
    let file = |path: &str| RepositoryFile { path: path.to_owned(), text: String::new() };
    let (python, node) = (file("a.py"), file("a.ts"));
    for (line, expected) in [
        ("from time import monotonic", vec!["time"]),
        ("import os.path", vec!["os"]),
        ("    time = 3  # import of goods", vec![]),
        ("from .timing import MS", vec![]),
    ] {
        assert_eq!(impure_names(&python, line, IMPURE_IN_PYTHON), expected, "{line}");
    }
    for (line, expected) in [
        ("import { readFileSync } from 'node:fs';", vec!["node:fs"]),
        ("const at = Date.now();", vec!["Date.now"]),
        ("import { createHmac } from 'node:crypto';", vec![]),
    ] {
        assert_eq!(impure_names(&node, line, IMPURE_IN_NODE), expected, "{line}");
    }
}

#[test]
fn packages_need_nothing_at_run_time_and_have_a_conformance_agent() {
    for EmitterPackage { manifest, needs_nothing, conformance_agent: agent } in PACKAGES {
        let text = std::fs::read_to_string(root().join(manifest));
        let text = text.unwrap_or_else(|error| panic!("{manifest}: {error}"));
        assert!(needs_nothing(&text), "{manifest}: no dependencies at run time");
        assert!(root().join(agent).is_file(), "{agent} is missing");
    }
}
