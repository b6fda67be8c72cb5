//! `window.json`: which sequence numbers of a session are new.

use heartline_protocol::ReplayWindow;
use serde_json::{Value, json};

use crate::fixture::{list, number, to_u64};

pub(crate) fn generate() -> Value {
    let max = u64::MAX;
    let cases: [(&str, &[u64]); 11] = [
        ("in order", &[1, 2, 3, 4, 5]),
        ("zero is never new", &[0, 1, 0]),
        ("a repeated one is not new", &[1, 1, 2, 2, 1]),
        ("out of order", &[5, 3, 4, 1, 2, 3, 5]),
        ("the oldest that can be told apart is 127 behind", &[128, 1, 1]),
        ("128 behind is too old", &[129, 1, 2, 2]),
        ("a jump by the whole window forgets what was before", &[10, 138, 10, 11, 11]),
        ("a jump by one less keeps it", &[10, 137, 10, 11, 138, 11]),
        ("a jump by far", &[1, 1_000_000, 999_873, 999_872, 1]),
        ("the first need not be 1", &[77, 76, 77, 78]),
        ("the ends of the range", &[max, max, 1, max - 127, max - 128]),
    ];
    let run = |(name, sequences): (&str, &[u64])| {
        let mut window = ReplayWindow::default();
        let steps = sequences
            .iter()
            .map(|&sequence| json!({"sequence": number(sequence), "new": window.accept(sequence)}));
        json!({"name": name, "steps": steps.collect::<Vec<_>>()})
    };
    json!({
        "about": "SPEC.md section 5. Each case begins with an empty window; numbers above 2^53 are \
                  decimal text.",
        "cases": cases.map(run),
    })
}

pub(crate) fn check(file: &Value) -> usize {
    let cases = list(&file["cases"]);
    for case in cases {
        let mut window = ReplayWindow::default();
        for step in list(&case["steps"]) {
            assert_eq!(step["new"], window.accept(to_u64(&step["sequence"])), "{case}");
        }
    }
    cases.len()
}
