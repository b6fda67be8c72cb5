//! What keys send, and that no bytes take the keyboard away or are typed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{InputEvent, InputParser};
use crate::keys::KeyChord;
use crate::update::MouseInput;

/// Returns the events of chunks with a pause after each, keys as they are written in the config.
fn events(chunks: &[&[u8]]) -> Vec<String> {
    let mut parser = InputParser::default();
    let mut all = Vec::new();
    for chunk in chunks {
        all.extend(parser.advance(chunk));
        all.extend(pause(&mut parser));
    }
    all.iter().map(text_of).collect()
}

/// Lets as much time pass as the parser waits for.
fn pause(parser: &mut InputParser) -> Vec<InputEvent> {
    if parser.pause_ms().is_some() { parser.pause() } else { Vec::new() }
}

fn text_of(event: &InputEvent) -> String {
    match event {
        InputEvent::Key(key) => key.to_string(),
        InputEvent::Paste(text) => format!("paste {text:?}"),
        other => format!("{other:?}"),
    }
}

fn is_typed(event: &InputEvent) -> bool {
    matches!(event, InputEvent::Key(key) if key.typed_char().is_some())
}

#[test]
fn keys_are_recognized_as_every_terminal_sends_them() {
    for (bytes, key) in [
        (&b"j"[..], "j"),
        ("é".as_bytes(), "é"),
        (b"\r", "Enter"),
        (b"\x7f", "Backspace"),
        (b"\x08", "ctrl-h"),
        (b"\0", "ctrl-Space"),
        (b"\x1c", "ctrl-\\"),
        (b"\x03", "ctrl-c"),
        (b"\x1b", "Esc"),
        (b"\x1b[A", "Up"),
        (b"\x1bOA", "Up"),
        (b"\x1b[1;5C", "ctrl-Right"),
        (b"\x1b[1;3D", "alt-Left"),
        (b"\x1b[Z", "shift-Tab"),
        (b"\x1b[H", "Home"),
        (b"\x1b[1~", "Home"),
        (b"\x1b[8~", "End"),
        (b"\x1b[3~", "Del"),
        (b"\x1b[6~", "PgDn"),
        (b"\x1bOP", "F1"),
        (b"\x1b[11~", "F1"),
        (b"\x1b[[A", "F1"),
        (b"\x1b[24~", "F12"),
        (b"\x1b[1;2R", "F3"),
        (b"\x1bOj", "*"),
        (b"\x1b[107;5u", "ctrl-k"),
        (b"\x1b[107:75;2:1u", "K"),
        (b"\x1b[27;5;99~", "ctrl-c"),
        (b"\x9bB", "Down"),
        ("\u{9b}B".as_bytes(), "Down"),
    ] {
        assert_eq!(events(&[bytes]), [key], "{bytes:?}");
    }
}

#[test]
fn escape_and_a_key_at_once_are_two_keys() {
    assert_eq!(events(&[b"\x1bj"]), ["Esc", "j"]);
    assert_eq!(events(&[b"\x1b/"]), ["Esc", "/"]);
    assert_eq!(events(&["\u{1b}ä".as_bytes()]), ["Esc", "ä"]);
    assert_eq!(events(&[b"\x1b\x1b"]), ["Esc", "Esc"]);
    assert_eq!(events(&[b"\x1b\x1b[A"]), ["Esc", "Up"]);
    assert_eq!(events(&[b"\x1b\x03"]), ["Esc", "ctrl-c"]);
    for introducer in ["[", "O", "]", "P", "X", "^", "_"] {
        assert_eq!(events(&[format!("\x1b{introducer}").as_bytes()]), ["Esc", introducer]);
    }
}

#[test]
fn escape_and_a_key_bound_with_alt_are_that_key() {
    let alt_x: KeyChord = "alt-x".parse().unwrap();
    let mut parser = InputParser::new(vec![alt_x]);
    let read: Vec<_> = parser.advance(b"\x1bx\x1by").iter().map(text_of).collect();
    assert_eq!(read, ["alt-x", "Esc", "y"]);
}

#[test]
fn answers_of_the_terminal_are_no_keys() {
    for answer in [
        "\x1b[?2026;2$y",
        "\x1b[?997;1n",
        "\x1b[?62;22;52c",
        "\x1b[>0;276;0c",
        "\x1b[24;80R",
        "\x1b[?1u",
        "\x1b[I",
        "\x1b[O",
        "\x1b[8;24;80t",
        "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
        "\x1b]11;rgb:1e1e/1e1e/2e2e\x07",
        "\x1b]l日本 title\x1b\\",
        "\x1bP>|xterm(388)\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1b_Gi=31;OK\x1b\\",
        "\x1b^x\x1b\\",
        "\x1bXx\x1b\\",
        "\u{9b}?2026;2$y",
        "\u{9d}11;rgb:1e1e/1e1e/2e2e\x1b\\",
    ] {
        let then_j = format!("{answer}j");
        assert_eq!(events(&[then_j.as_bytes()]), ["j"], "{answer:?}");
    }
    assert_eq!(events(&[b"\x1b[0n"]), ["DeviceReady"]);
    assert_eq!(events(&[b"\x9b?2026;2$yj"]), ["j"], "a C1 control that is not UTF-8");
}

#[test]
fn what_is_unfinished_after_a_pause_is_dropped_and_the_next_key_counts() {
    for begun in [
        "\x1b[?2026;2",
        "\x1b[<0;1",
        "\x1b]11;rgb:1e1e",
        "\x1bP1$r",
        "\x1b_G",
        "\x1b[[",
        "\x1b[M!",
        "\x1bO2",
    ] {
        assert_eq!(events(&[begun.as_bytes(), b"j"]), ["j"], "{begun:?}");
    }
    assert_eq!(events(&[&"é".as_bytes()[..1], b"j"]), ["j"]);
}

#[test]
fn the_late_rest_of_a_string_is_not_typed() {
    assert_eq!(events(&[b"\x1b]11;rgb:", b"1e1e/1e1e/2e2e\x1b\\", b"j"]), ["j"]);
    assert_eq!(events(&[b"\x1b]11;rgb:1e1e\x1b", b"\\", b"j"]), ["j"]);
}

#[test]
fn a_paste_without_its_end_is_pasted_and_the_next_key_counts() {
    assert_eq!(events(&[b"\x1b[200~K\rq\x1b[201~j"]), ["paste \"K\\rq\"", "j"]);
    assert_eq!(events(&[b"\x1b[200~abc", b"?", b"q"]), ["paste \"abc\"", "?", "q"]);
    assert_eq!(events(&[b"\x1b[200~abc", b"\x1b[A", b"q"]), ["paste \"abc\"", "Up", "q"]);
    // Its rest comes late.
    let late = [&b"\x1b[200~abc"[..], b"def", b"g\x1b[201~", b"j"];
    assert_eq!(events(&late), ["paste \"abc\"", "paste \"def\"", "paste \"g\"", "j"]);
    assert_eq!(events(&[b"\x1b[200~\x1b[201~"]), [""; 0]);
}

#[test]
fn ctrl_c_ends_an_unfinished_paste_and_in_a_finished_one_is_text() {
    assert_eq!(events(&[b"\x1b[200~abc\x03"]), ["paste \"abc\\u{3}\"", "ctrl-c"]);
    assert_eq!(events(&[b"\x1b[200~abc", b"\x03"]), ["paste \"abc\"", "ctrl-c"]);
    assert_eq!(events(&[b"\x1b[200~a\x03b\x1b[201~"]), ["paste \"a\\u{3}b\""]);
}

#[test]
fn a_paste_and_parameters_without_end_take_no_memory() {
    let mut parser = InputParser::default();
    parser.advance(b"\x1b[200~");
    parser.advance(&vec![b'x'; 1 << 20]);
    assert!(
        matches!(&parser.pause()[..], [InputEvent::Paste(text)] if text.len() < 5_000),
        "a long paste was kept"
    );
    let mut parser = InputParser::default();
    parser.advance(b"\x1b[");
    parser.advance(&vec![b'1'; 1 << 20]);
    assert!(format!("{parser:?}").len() < 1_000);
    assert_eq!(parser.advance(b"~"), []);
}

#[test]
fn the_mouse_is_read_in_both_its_forms() {
    let click = InputEvent::Mouse(MouseInput::Click { column: 3, row: 7 });
    let sgr = InputParser::default().advance(b"\x1b[<0;4;8M\x1b[<0;4;8m");
    assert_eq!(sgr.as_slice(), std::slice::from_ref(&click));
    assert_eq!(InputParser::default().advance(b"\x1b[M $("), [click]);
    let wheel = InputEvent::Mouse(MouseInput::ScrollDown);
    assert_eq!(InputParser::default().advance(b"\x1b[<65;4;8M"), [wheel]);
}

/// What `vte` prints, which is what would be typed.
#[derive(Default)]
struct Printed(String);

impl vte::Perform for Printed {
    fn print(&mut self, c: char) {
        self.0.push(c);
    }
}

/// A whole sequence of ECMA-48, of any meaning.
fn sequence() -> impl Strategy<Value = Vec<u8>> {
    let control = (vec(0x30..=0x3f_u8, 0..20), vec(0x20..=0x2f_u8, 0..3), 0x40..=0x7e_u8).prop_map(
        |(parameters, between, last)| [b"\x1b[", &*parameters, &between, &[last]].concat(),
    );
    let introducers = prop_oneof![Just(b']'), Just(b'P'), Just(b'X'), Just(b'^'), Just(b'_')];
    let string = (introducers, vec(0x20..=0x7e_u8, 1..60))
        .prop_map(|(introducer, text)| [&[0x1b, introducer], &*text, b"\x1b\\"].concat());
    prop_oneof![control, string]
}

/// Bytes near the grammar: pieces of sequences, controls and text, whole or cut.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => sequence(),
        2 => (sequence(), any::<prop::sample::Index>())
            .prop_map(|(bytes, at)| bytes[..at.index(bytes.len())].to_vec()),
        1 => Just(b"\x1b[200~".to_vec()),
        1 => Just(b"\x1b[201~".to_vec()),
        2 => vec(any::<u8>(), 1..8),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
    ];
    vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn whole_sequences_end_where_vte_ends_them(bytes in sequence()) {
        // These have more behind them than the grammar says, or are keys that type.
        let is_special = |begin: &[u8]| bytes.starts_with(begin);
        prop_assume!(!is_special(b"\x1b[[") && !is_special(b"\x1b[M") && !is_special(b"\x1b[200~"));
        let types = bytes.starts_with(b"\x1b[27") || bytes.ends_with(b"u");
        let mut printed = Printed::default();
        vte::Parser::new().advance(&mut printed, &[&*bytes, b"j"].concat());
        prop_assert_eq!(printed.0, "j");
        let read = InputParser::default().advance(&[&*bytes, b"j"].concat());
        let typed: Vec<_> = read.iter().filter(|it| is_typed(it)).map(text_of).collect();
        prop_assert_eq!(typed.last().map(String::as_str), Some("j"));
        prop_assert!(typed.len() == 1 || types, "{:?} of {:?}", typed, bytes);
    }

    #[test]
    fn no_stream_takes_the_keyboard_away(bytes in stream(), at in any::<prop::sample::Index>()) {
        // However it is split, a key that is pressed after a pause counts.
        let (first, rest) = bytes.split_at(at.index(bytes.len() + 1));
        let mut parser = InputParser::default();
        parser.advance(first);
        parser.advance(rest);
        pause(&mut parser);
        let read: Vec<_> = parser.advance(b"j").iter().map(text_of).collect();
        prop_assert_eq!(read, ["j"]);
        prop_assert_eq!(parser.pause_ms(), None);
    }

    #[test]
    fn ctrl_c_is_read_behind_every_stream(bytes in stream()) {
        // At once, or in a paste after a pause.
        let mut parser = InputParser::default();
        let mut read = parser.advance(&[&*bytes, b"\x03"].concat());
        read.extend(pause(&mut parser));
        prop_assert_eq!(read.last().map(text_of), Some("ctrl-c".to_owned()));
    }

    #[test]
    fn a_pause_is_wanted_whenever_something_is_unfinished(bytes in stream()) {
        let mut parser = InputParser::default();
        parser.advance(&bytes);
        let waits = parser.pause_ms();
        prop_assert!(waits.is_none_or(|ms| (1..=200).contains(&ms)));
        if waits.is_none() {
            prop_assert_eq!(parser.pause(), []);
        }
    }
}
