//! The terminal app in a pseudo-terminal: start, resize, stop, a lost collector, and ways to end.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, NativePtySystem, PtyPair, PtySize, PtySystem as _};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;
use vt100::Parser;

const PROGRAM: &str = env!("CARGO_BIN_EXE_heartline");
const CTRL_Z: &[u8] = b"\x1a";

/// Waits up to 20 s for a condition; returns whether it held.
fn becomes_true(condition: impl Fn() -> bool) -> bool {
    (0..2_000).any(|_| {
        let is_true = condition();
        if !is_true {
            thread::sleep(Duration::from_millis(10));
        }
        is_true
    })
}

/// A collector without agents, killed on drop.
struct EmptyCollector(Child);

impl EmptyCollector {
    fn start(dir: &Path) -> Self {
        fs::write(dir.join("heartline.toml"), "listen = [\"127.0.0.1:0\"]\n").unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("demo-collector").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready "), "{line}");
        Self(child)
    }
}

impl Drop for EmptyCollector {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The app in a pseudo-terminal.
struct AppTerminal {
    pty: PtyPair,
    app: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<Parser>>,
}

impl AppTerminal {
    fn open(dir: &Path) -> Self {
        let pty = NativePtySystem::default().openpty(size(80, 24)).unwrap();
        let mut command = CommandBuilder::new(PROGRAM);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", dir);
        command.arg("--data-dir");
        command.arg(dir);
        let app = pty.slave.spawn_command(command).unwrap();
        let shown = Arc::new(Mutex::new(Parser::new(cells(24), cells(80), 0)));
        let mut output = pty.master.try_clone_reader().unwrap();
        let screen = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..n]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { pty, app, keys, shown }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.shown.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        self.pty.master.resize(size(columns, rows)).unwrap();
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().screen().contents()
    }

    fn wait_for(&self, text: &str) {
        let is_there = becomes_true(|| self.text().contains(text));
        assert!(is_there, "never {text:?} in\n{}", self.text());
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        let pid = self.app.process_id().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero()));
        stat.unwrap().rsplit(") ").next().unwrap().starts_with('T')
    }

    /// Returns whether the terminal is as before: main screen, cursor, line mode and echo.
    fn is_restored(&self) -> bool {
        let modes = local_modes(&*self.pty.master);
        let shown = self.shown.lock().unwrap();
        let screen = shown.screen();
        let is_plain =
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste();
        is_plain && modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits until the app has ended and restored the terminal; returns its exit code.
    fn wait_for_exit(mut self) -> u32 {
        let code = self.app.wait().unwrap().exit_code();
        assert!(becomes_true(|| self.is_restored()), "the terminal is not restored");
        code
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

fn local_modes(terminal: &dyn MasterPty) -> LocalModes {
    LocalModes::from_bits_retain(terminal.get_termios().unwrap().local_flags.bits())
}

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
