//! `text.json`: scrubbing of free text.

use heartline_protocol::wire::UntrustedText;
use heartline_vocabulary::text::is_hostile;
use serde_json::{Value, json};

use crate::fixture::{list, str};

pub(crate) fn generate() -> Value {
    let raw = [
        ("plain", "planning the trip"),
        ("empty", ""),
        ("letters of many scripts stay", "Größe 大小 размер حجم 🚂"),
        ("clears the screen", "\u{1b}[2Jgone"),
        ("sets the window's title", "\u{1b}]0;owned\u{7}"),
        ("an escape of one byte in other encodings", "\u{9b}31mred"),
        ("forges a line", "ok\n2026-01-01 agent killed"),
        ("overwrites its line", "fine\rFAIL"),
        ("tab, nul, delete", "a\tb\u{0}c\u{7f}"),
        ("right-to-left override", "invoice\u{202e}fdp.exe"),
        ("isolates and marks", "\u{2066}a\u{2069}\u{200e}\u{200f}\u{61c}"),
        ("zero width", "pass\u{200b}word\u{200d}\u{feff}"),
        ("line and paragraph separators", "a\u{2028}b\u{2029}c"),
        ("a blank that takes no room", "a\u{3164}b\u{ffa0}"),
        ("soft hyphen, grapheme joiner", "co\u{ad}op\u{34f}"),
        ("variation selector", "\u{2764}\u{fe0f}"),
        ("tags that hide text", "hi\u{e0001}\u{e0068}\u{e0069}"),
        ("spaces stay, the narrow one too", "a b\u{a0}c\u{202f}d"),
        ("the replacement itself stays", "\u{fffd}"),
        ("interlinear marks", "\u{fff9}a\u{fffa}b\u{fffb}"),
    ];
    let cases = raw.map(|(name, raw)| {
        let scrubbed = UntrustedText::new(raw).scrubbed();
        json!({"name": name, "raw": raw, "scrubbed": scrubbed})
    });
    json!({
        "about": "SPEC.md section 8. `hostile` has the first and the last character of each range.",
        "hostile": ranges(),
        "cases": cases,
    })
}

/// All hostile characters, as ranges of code points in hexadecimal.
fn ranges() -> Value {
    let mut ranges: Vec<[u32; 2]> = Vec::new();
    for c in ('\0'..=char::MAX).filter(|&c| is_hostile(c)).map(u32::from) {
        match ranges.last_mut() {
            Some(range) if range[1] + 1 == c => range[1] = c,
            _ => ranges.push([c, c]),
        }
    }
    ranges.into_iter().map(|range| range.map(|c| format!("{c:04x}"))).map(|r| json!(r)).collect()
}

pub(crate) fn check(file: &Value) -> usize {
    assert_eq!(file["hostile"], ranges());
    let cases = list(&file["cases"]);
    for case in cases {
        assert_eq!(case["scrubbed"], UntrustedText::new(str(&case["raw"])).scrubbed());
    }
    cases.len()
}
