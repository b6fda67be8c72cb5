//! Bytes of a terminal: whatever they are and however they are split, the next key after a pause
//! counts, and ctrl-c is read.
#![no_main]

use heartline_tui::{InputEvent, InputParser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|chunks: Vec<&[u8]>| {
    let mut parser = InputParser::default();
    for chunk in &chunks {
        parser.advance(chunk);
    }
    if parser.pause_ms().is_some() {
        parser.pause();
    }
    for key in [b"j", b"\x03"] {
        let read = parser.advance(key);
        assert!(matches!(read[..], [InputEvent::Key(_)]), "{key:?} is read as {read:?}");
        assert_eq!(parser.pause_ms(), None);
    }
});
