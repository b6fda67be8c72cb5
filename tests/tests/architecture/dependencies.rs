//! Allowed dependencies of packages.

use std::collections::BTreeSet;
use std::process::Command;

use crate::files::{assert_none, files, root};

/// The packages of this workspace that a package may use.
pub(crate) const INTERNAL_DEPENDENCIES: &[(&str, &[&str])] = &[
    ("vocabulary", &[]),
    ("protocol", &["heartline-vocabulary"]),
    ("fleet", &["heartline-vocabulary", "heartline-protocol"]),
    ("engine", &["heartline-vocabulary", "heartline-protocol"]),
    ("emitter", &["heartline-vocabulary", "heartline-engine", "heartline-protocol"]),
    ("supervisor", &["heartline"]),
    ("operator", &["heartline-vocabulary"]),
    (
        "config",
        &["heartline-vocabulary", "heartline-protocol", "heartline-fleet", "heartline-operator"],
    ),
    (
        "collector",
        &[
            "heartline-vocabulary",
            "heartline-protocol",
            "heartline-fleet",
            "heartline-operator",
            "heartline-config",
            "heartline-sinks",
        ],
    ),
    (
        "demo",
        &[
            "heartline-vocabulary",
            "heartline",
            "heartline-operator",
            "heartline-config",
            "heartline-collector",
        ],
    ),
    ("incident", &["heartline-vocabulary", "heartline-operator", "heartline-collector"]),
    ("sinks", &["heartline-vocabulary", "heartline-operator", "heartline-config"]),
    ("tui", &["heartline-vocabulary", "heartline-operator"]),
    (
        "cli",
        &[
            "heartline-vocabulary",
            "heartline-protocol",
            "heartline-fleet",
            "heartline-engine",
            "heartline-operator",
            "heartline-config",
            "heartline",
            "heartline-supervisor",
            "heartline-tui",
            "heartline-demo",
            "heartline-incident",
        ],
    ),
    ("xtask", &[]),
];

/// The crates that a pure package may use: none with I/O, clocks, threads or randomness.
const EXTERNAL_DEPENDENCIES_OF_PURE: &[(&str, &[&str])] = &[
    ("vocabulary", &["serde"]),
    ("protocol", &["base64", "ring", "rmp", "thiserror"]),
    ("fleet", &["ahash", "hashbrown"]),
    ("engine", &["fastrand", "thiserror"]),
];

fn dependencies(package: &str) -> BTreeSet<String> {
    let path = root().join(package).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let mut all = BTreeSet::new();
    for table in ["dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(table) {
            all.extend(table.as_table().unwrap().keys().cloned());
        }
    }
    assert!(
        !manifest.contains_key("target"),
        "{package}: platform-specific dependencies are not supported here"
    );
    all
}

fn is_ours(name: &str) -> bool {
    name.starts_with("heartline")
}

#[test]
fn packages_use_only_allowed_packages_of_the_workspace() {
    for (package, allowed) in INTERNAL_DEPENDENCIES {
        let ours: BTreeSet<_> =
            dependencies(package).into_iter().filter(|it| is_ours(it)).collect();
        let faults: Vec<_> =
            ours.into_iter().filter(|it| !allowed.contains(&it.as_str())).collect();
        assert_none(&format!("{package}/ may use {allowed:?} of the workspace"), &faults);
    }
}

#[test]
fn pure_packages_use_only_pure_crates() {
    for (package, allowed) in EXTERNAL_DEPENDENCIES_OF_PURE {
        let others = dependencies(package).into_iter().filter(|it| !is_ours(it));
        let faults: Vec<_> = others.filter(|it| !allowed.contains(&it.as_str())).collect();
        assert_none(&format!("{package}/ may use {allowed:?} of crates.io"), &faults);
    }
}

#[test]
fn every_package_but_tests_has_a_rule() {
    let everything = ["tests"];
    let manifest: toml::Table =
        std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap().iter();
    let members: BTreeSet<&str> = members.map(|it| it.as_str().unwrap()).collect();
    let ruled = INTERNAL_DEPENDENCIES.iter().map(|(package, _)| *package).chain(everything);
    assert_eq!(members, ruled.collect());
}

#[test]
fn heartline_without_its_features_links_no_collector() {
    let linked = |options: &[&str]| {
        let mut tree = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        tree.args(["tree", "--locked", "--package", "heartline-cli", "--edges", "normal"]);
        let output = tree.args(["--prefix", "none", "--format", "{lib}"]).args(options).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).unwrap();
        ["heartline_collector", "rusqlite", "libsqlite3_sys"]
            .map(|it| names.lines().any(|line| line == it))
    };
    assert_eq!(linked(&["--no-default-features"]), [false; 3]);
    assert_eq!(linked(&[]), [true; 3], "with its demo and incident files");
}

#[test]
fn dependencies_are_inherited_from_the_workspace() {
    let manifests = files(&["Cargo.toml"]);
    let packages = manifests.iter().filter(|it| {
        it.path.contains('/') && !it.path.starts_with("fuzz/") && it.path.matches('/').count() == 1
    });
    let mut faults = Vec::new();
    for manifest in packages {
        let table: toml::Table = manifest.text.parse().unwrap();
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = table.get(kind) else { continue };
            for (name, entry) in entries.as_table().unwrap() {
                let inherits = entry.get("workspace").and_then(toml::Value::as_bool);
                if inherits != Some(true) {
                    faults.push(format!("{}: {name}", manifest.path));
                }
            }
        }
    }
    assert_none("dependencies are inherited from the workspace", &faults);
}

/// Names of `std` that a pure package may not use: I/O, clocks and threads; then sources of
/// randomness, and collections with a random order.
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixDatagram",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "std::io",
    "tokio",
    "async",
    "println",
    "eprintln",
    "/dev/",
    "HashMap",
    "HashSet",
    "RandomState",
    "DefaultHasher",
    "SystemRandom",
    "fastrand",
    "getrandom",
    "rand",
    "thread_rng",
    // Imports in groups would hide the names above.
    "std::{",
];

/// Exceptions: generators whose seed is an argument.
const SEEDED: &[&str] = &[
    "ahash::RandomState::with_seeds(",
    "ahash::RandomState,",
    "fastrand::Rng::with_seed(",
    "fastrand::Rng,",
];

/// Returns the impure names in a line of code.
fn impure_names(line: &str) -> Vec<&'static str> {
    let line = SEEDED.iter().fold(line.to_owned(), |line, seeded| line.replace(seeded, ""));
    let continues = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_named = |name: &str| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) =
                (line[..at].chars().last(), line[at + name.len()..].chars().next());
            // Only a name of letters can be part of a longer one.
            !name.ends_with(char::is_alphanumeric) || !continues(before) && !continues(after)
        })
    };
    IMPURE.iter().copied().filter(|name| is_named(name)).collect()
}

#[test]
fn pure_packages_have_no_io_clock_threads_or_randomness() {
    let mut faults = Vec::new();
    for file in files(&[".rs"]) {
        let (package, path) = file.path.split_once('/').unwrap_or_default();
        let is_pure = EXTERNAL_DEPENDENCIES_OF_PURE.iter().any(|(pure, _)| *pure == package);
        for (at, line) in file.code().filter(|_| is_pure && path.starts_with("src/")) {
            let found = impure_names(line).into_iter();
            faults.extend(found.map(|name| format!("{}:{at}: {name}", file.path)));
        }
    }
    assert_none("pure packages have no I/O, clock, threads or randomness", &faults);
}

#[test]
fn impure_names_are_found_in_code() {
    for (line, expected) in [
        ("use std::collections::HashSet;", vec!["HashSet"]),
        ("use std::{fs, io};", vec!["std::{"]),
        ("let mut rng = fastrand::Rng::new();", vec!["fastrand"]),
        ("let hasher = ahash::RandomState::new();", vec!["RandomState"]),
        ("RepositoryFile::open(\"/dev/urandom\")", vec!["/dev/"]),
        ("let now = Instant::now();", vec!["Instant"]),
        ("    jitter: fastrand::Rng,", vec![]),
        ("let jitter = fastrand::Rng::with_seed(seed);", vec![]),
        ("let operand = std::iter::once(1);", vec![]),
    ] {
        assert_eq!(impure_names(line), expected, "{line}");
    }
}
