//! `text.json`: scrubbing of free text.

use heartline_protocol::wire::UntrustedText;
use heartline_vocabulary::text::scrub;
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
        ("variation selectors are dropped", "\u{2764}\u{fe0f}a\u{fe00}\u{180b}\u{e0100}\u{e01ef}"),
        ("joiners are dropped", "\u{1f469}\u{200d}\u{1f4bb} \u{645}\u{200c}\u{62e}\u{34f}"),
        ("nothing is left", "\u{200d}\u{fe0f}"),
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
        "about": "SPEC.md section 8. `dropped` and `replaced` have the first and the last character of each range.",
        "dropped": ranges(|scrubbed, _| scrubbed.is_none()),
        "replaced": ranges(|scrubbed, c| scrubbed.is_some_and(|scrubbed| scrubbed != c)),
        "cases": cases,
    })
}

/// The characters that scrubbing turns into what is asked for, as ranges of code points in hexadecimal.
fn ranges(is_wanted: fn(Option<char>, char) -> bool) -> Value {
    let mut ranges: Vec<[u32; 2]> = Vec::new();
    let scrubbed = |c: char| scrub(c.encode_utf8(&mut [0; 4])).next();
    for c in ('\0'..=char::MAX).filter(|&c| is_wanted(scrubbed(c), c)).map(u32::from) {
        match ranges.last_mut() {
            Some(range) if range[1] + 1 == c => range[1] = c,
            _ => ranges.push([c, c]),
        }
    }
    ranges.into_iter().map(|range| range.map(|c| format!("{c:04x}"))).map(|r| json!(r)).collect()
}

pub(crate) fn check(file: &Value) -> usize {
    let scrubbed = |text: &str| UntrustedText::new(text).scrubbed();
    for (list_name, expected) in [("dropped", ""), ("replaced", "\u{fffd}")] {
        for range in list(&file[list_name]) {
            let at = |end: usize| u32::from_str_radix(str(&range[end]), 16).unwrap();
            for c in (at(0)..=at(1)).filter_map(char::from_u32) {
                assert_eq!(scrubbed(&c.to_string()), expected, "{c:?}");
            }
        }
    }
    let cases = list(&file["cases"]);
    for case in cases {
        assert_eq!(case["scrubbed"], scrubbed(str(&case["raw"])));
    }
    cases.len()
}
