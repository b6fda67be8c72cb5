//! Start, resize, stop, a lost collector, and ways to end.

use rustix::process::Signal;

use crate::harness::{AppTerminal, EmptyCollector, becomes_true};

const CTRL_Z: &[u8] = b"\x1a";

#[test]
fn the_app_starts_resizes_stops_continues_and_quits() {
    let dir = tempfile::tempdir().unwrap();
    let _collector = EmptyCollector::start(dir.path());
    let mut terminal = AppTerminal::open(dir.path());
    terminal.wait_for("LIVE");
    assert!(!terminal.is_restored());
    assert!(!terminal.text().contains("0 agents"), "there is no room for the word");
    terminal.resize(120, 36);
    terminal.wait_for("0 agents");

    terminal.press(CTRL_Z);
    assert!(becomes_true(|| terminal.is_stopped()));
    assert!(becomes_true(|| terminal.is_restored()), "the terminal is not restored");
    terminal.signal(Signal::CONT);
    terminal.wait_for("LIVE");
    assert!(!terminal.is_restored());
    terminal.press(b"?");
    terminal.wait_for("Keys on the Fleet screen");
    terminal.press(b"q");
    terminal.wait_for("No agent has ever sent a beat");
    terminal.press(b"q");
    assert_eq!(terminal.wait_for_exit(), 0);
}

#[test]
fn a_lost_collector_is_shown_and_reconnected_to() {
    let dir = tempfile::tempdir().unwrap();
    let collector = EmptyCollector::start(dir.path());
    let mut terminal = AppTerminal::open(dir.path());
    terminal.wait_for("LIVE");
    drop(collector);
    terminal.wait_for("LOST");
    terminal.wait_for("no collector answers on");
    let _again = EmptyCollector::start(dir.path());
    terminal.wait_for("LIVE");
    terminal.press(b"\x03");
    assert_eq!(terminal.wait_for_exit(), 0);
}

#[test]
fn signals_restore_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP] {
        let dir = tempfile::tempdir().unwrap();
        let terminal = AppTerminal::open(dir.path());
        terminal.wait_for("CONNECTING");
        terminal.signal(signal);
        terminal.wait_for_exit();
    }
}

/// What ends the app.
#[derive(Clone, Copy, Debug)]
enum ProgramEnd {
    Signal(Signal),
    Key(&'static [u8]),
}

#[test]
fn the_app_ends_and_gives_the_terminal_back_although_nothing_reads_it() {
    let signals = [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT].map(ProgramEnd::Signal);
    let keys = [&b"\x03"[..], b"q"].map(ProgramEnd::Key);
    for end in signals.into_iter().chain(keys) {
        let dir = tempfile::tempdir().unwrap();
        let mut terminal = AppTerminal::open_unread(dir.path(), (120, 36));
        terminal.wait_until_raw();
        terminal.fill();
        // A frame is under way that there is no room for.
        terminal.resize(200, 60);
        terminal.press(b"j");
        match end {
            ProgramEnd::Signal(signal) => terminal.signal(signal),
            ProgramEnd::Key(key) => terminal.press(key),
        }
        assert_eq!(terminal.ended(), Some(0), "{end:?} does not end it");
        assert!(terminal.has_line_mode(), "after {end:?}");
        // Whoever reads again sees the main screen.
        terminal.read();
        assert!(becomes_true(|| terminal.is_restored()), "after {end:?}");
    }
}

#[test]
fn the_app_starts_and_ends_at_any_size_that_a_terminal_claims() {
    for claimed in [(0, 0), (1, 1), (1, 60_000), (60_000, 1), (65_535, 65_535), (29, 3)] {
        let dir = tempfile::tempdir().unwrap();
        let mut terminal = AppTerminal::open_with(dir.path(), claimed);
        terminal.wait_until_raw();
        terminal.press(b"j\t");
        terminal.resize(80, 24);
        terminal.wait_for("CONNECTING");
        terminal.press(b"\x03");
        assert_eq!(terminal.wait_for_exit(), 0, "{claimed:?}");
    }
}
