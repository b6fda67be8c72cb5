//! No bytes from the terminal take the keyboard away, and none are typed that nobody typed.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;

use crate::harness::AppTerminal;

/// Streams, each sent to an app of its own.
const STREAMS: u64 = 10_000;
/// Apps that run at once; most of them wait.
const APPS: usize = 16;

const CTRL_C: &[u8] = b"\x03";

/// Answers and reports, whole or without their end, as terminals send them to the program before.
const REPORTS: [&str; 12] = [
    "\x1b[?2026;2$y",
    "\x1b[?997;1n",
    "\x1b[?2026;2",
    "\x1b[>0;276;0c",
    "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
    "\x1b]11;rgb:1e1e/1e1e/2e2e\x07",
    "\x1b]11;rgb:1e1e",
    "\x1bP>|xterm(388)\x1b\\",
    "\x1bP1$r0m",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b_Gi=31",
    "\x1b[M !",
];

#[test]
fn a_report_of_the_terminal_takes_no_key_and_types_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = AppTerminal::open(dir.path());
    terminal.wait_for("CONNECTING");
    for report in REPORTS {
        terminal.press(report.as_bytes());
        terminal.press_until(b"?", "Keys on the Fleet screen");
        terminal.press(b"\x1b");
        terminal.wait_for("no filter");
        terminal.wait_for("Connecting to the collector");
    }
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait_for_exit(), 0);
}

#[test]
fn ctrl_c_ends_the_app_after_every_stream() {
    let dir = tempfile::tempdir().unwrap();
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..APPS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > STREAMS {
                        break;
                    }
                    assert_ended_by_ctrl_c(dir.path(), seed);
                }
            });
        }
    });
}

#[track_caller]
fn assert_ended_by_ctrl_c(dir: &Path, seed: u64) {
    let stream = stream(&mut Rng::with_seed(seed));
    let mut terminal = AppTerminal::open_unread(dir, (80, 24));
    terminal.wait_until_raw();
    terminal.press(&stream);
    terminal.press(CTRL_C);
    let ended = terminal.ended();
    assert_eq!(ended, Some(0), "seed {seed}: {}", stream.escape_ascii());
}

/// Returns bytes near the grammar of terminals: sequences and strings of any kind, whole or cut,
/// pastes, text, and bytes without any meaning.
fn stream(rng: &mut Rng) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..rng.usize(1..6) {
        let mut piece = match rng.u8(0..8) {
            0 | 1 => control_sequence(rng),
            2 | 3 => string(rng),
            4 => REPORTS[rng.usize(..REPORTS.len())].as_bytes().to_vec(),
            5 => [b"\x1b[200~", &*bytes(rng, 0x20..0x7f, 40)].concat(),
            6 => rng.char('\u{a0}'..'\u{1f9ff}').to_string().into_bytes(),
            _ => bytes(rng, 0..0xff, 12),
        };
        if rng.u8(0..3) == 0 {
            piece.truncate(rng.usize(..=piece.len()));
        }
        stream.extend(piece);
    }
    // These stop or end the app as they should: ctrl-c, ctrl-z and q.
    stream.retain(|byte| ![0x03, 0x1a, b'q'].contains(byte));
    stream
}

fn control_sequence(rng: &mut Rng) -> Vec<u8> {
    let last = rng.u8(0x40..0x7f);
    [b"\x1b[", &*bytes(rng, 0x30..0x40, 10), &bytes(rng, 0x20..0x30, 2), &[last]].concat()
}

fn string(rng: &mut Rng) -> Vec<u8> {
    let introducer = *rng.choice(b"]PX^_").expect("it is not empty");
    let end: &[u8] = if rng.bool() { b"\x1b\\" } else { b"\x07" };
    [&[0x1b, introducer], &*bytes(rng, 0x20..0x7f, 40), end].concat()
}

fn bytes(rng: &mut Rng, of: std::ops::Range<u8>, most: usize) -> Vec<u8> {
    (0..rng.usize(..=most)).map(|_| rng.u8(of.clone())).collect()
}
