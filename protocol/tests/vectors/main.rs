//! Known answers in `vectors/*.json`: the committed files are what is generated here, and the crate
//! agrees with the files on disk.
//!
//! After a change of the protocol, rewrite them with
//! `cargo test -p heartline-protocol --test vectors -- --ignored`, and review the difference.

mod buckets;
mod challenge;
mod fields;
mod fixture;
mod keys;
mod messages;
mod refused;
mod refused_bodies;
mod text;
mod window;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One file: its name, its generator, and a check of its contents that returns the number of cases.
struct VectorFile {
    name: &'static str,
    generate: fn() -> Value,
    check: fn(&Value) -> usize,
}

const VECTOR_FILES: [VectorFile; 7] = [
    VectorFile { name: "keys", generate: keys::generate, check: keys::check },
    VectorFile { name: "messages", generate: messages::generate, check: messages::check },
    VectorFile { name: "buckets", generate: buckets::generate, check: buckets::check },
    VectorFile { name: "challenge", generate: challenge::generate, check: challenge::check },
    VectorFile { name: "refused", generate: refused::generate, check: refused::check },
    VectorFile { name: "window", generate: window::generate, check: window::check },
    VectorFile { name: "text", generate: text::generate, check: text::check },
];

fn package_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl VectorFile {
    fn path(&self) -> PathBuf {
        package_dir().join("vectors").join(self.name).with_extension("json")
    }

    fn generated(&self) -> String {
        let mut value = (self.generate)();
        value.sort_all_objects();
        let mut text = serde_json::to_string_pretty(&value).unwrap();
        text.push('\n');
        text
    }

    fn on_disk(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

#[test]
#[ignore = "writes the files under vectors/"]
fn write_the_vector_files() {
    for file in VECTOR_FILES {
        std::fs::write(file.path(), file.generated()).unwrap();
    }
}

#[test]
fn the_committed_files_are_what_is_generated() {
    for file in VECTOR_FILES {
        assert!(file.on_disk() == file.generated(), "vectors/{}.json is out of date", file.name);
    }
}

#[test]
fn the_crate_agrees_with_the_files_on_disk() {
    for file in VECTOR_FILES {
        let cases = (file.check)(&serde_json::from_str(&file.on_disk()).unwrap());
        assert!(cases >= 10, "vectors/{}.json has only {cases} cases", file.name);
    }
}

#[test]
fn the_worked_example_of_the_specification_is_among_the_messages() {
    let specification = std::fs::read_to_string(package_dir().join("SPEC.md")).unwrap();
    let squeezed: String = specification.split_whitespace().collect();
    let messages = messages::generate();
    for name in ["worked example: first beat", "worked example: its ack"] {
        let message = fixture::named(&messages["messages"], name);
        let datagram = fixture::str(&message["datagram"]);
        assert!(squeezed.contains(datagram), "SPEC.md does not show {name}: {datagram}");
    }
}
