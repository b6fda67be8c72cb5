//! The known answers in `vectors/*.json`: that the committed files are what is generated here, and
//! that the crate agrees with them as they stand on disk.
//!
//! After a change of the protocol, write them anew with
//! `cargo test -p heartline-protocol --test vectors -- --ignored`, and look at what changed.

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

/// One file: its name, what it should hold, and a check of what it holds, which says how many
/// cases it has checked.
struct File {
    name: &'static str,
    generate: fn() -> Value,
    check: fn(&Value) -> usize,
}

const FILES: [File; 7] = [
    File { name: "keys", generate: keys::generate, check: keys::check },
    File { name: "messages", generate: messages::generate, check: messages::check },
    File { name: "buckets", generate: buckets::generate, check: buckets::check },
    File { name: "challenge", generate: challenge::generate, check: challenge::check },
    File { name: "refused", generate: refused::generate, check: refused::check },
    File { name: "window", generate: window::generate, check: window::check },
    File { name: "text", generate: text::generate, check: text::check },
];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl File {
    fn path(&self) -> PathBuf {
        here().join("vectors").join(self.name).with_extension("json")
    }

    fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(&(self.generate)()).unwrap();
        text.push('\n');
        text
    }

    fn on_disk(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

#[test]
#[ignore = "writes the files under vectors/"]
fn write_the_files() {
    for file in FILES {
        std::fs::write(file.path(), file.text()).unwrap();
    }
}

#[test]
fn the_committed_files_are_what_is_generated() {
    for file in FILES {
        assert!(file.on_disk() == file.text(), "vectors/{}.json is out of date", file.name);
    }
}

#[test]
fn the_crate_agrees_with_the_files_on_disk() {
    for file in FILES {
        let cases = (file.check)(&serde_json::from_str(&file.on_disk()).unwrap());
        assert!(cases >= 10, "vectors/{}.json has only {cases} cases", file.name);
    }
}

#[test]
fn the_worked_example_of_the_specification_is_among_the_messages() {
    let specification = std::fs::read_to_string(here().join("SPEC.md")).unwrap();
    let squeezed: String = specification.split_whitespace().collect();
    let messages = messages::generate();
    for name in ["worked example: first beat", "worked example: its ack"] {
        let message = fixture::named(&messages["messages"], name);
        let datagram = fixture::str(&message["datagram"]);
        assert!(squeezed.contains(datagram), "SPEC.md does not show {name}: {datagram}");
    }
}
