//! The terminal app in a pseudo-terminal.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, NativePtySystem, PtyPair, PtySize, PtySystem as _};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;
use vt100::Parser;

const PROGRAM: &str = env!("CARGO_BIN_EXE_heartline");

/// Waits up to 20 s for a condition; returns whether it held.
pub fn becomes_true(condition: impl Fn() -> bool) -> bool {
    becomes_true_within(2_000, condition)
}

/// Waits that many times 10 ms.
fn becomes_true_within(polls: u32, condition: impl Fn() -> bool) -> bool {
    (0..polls).any(|_| {
        let is_true = condition();
        if !is_true {
            thread::sleep(Duration::from_millis(10));
        }
        is_true
    })
}

/// A collector without agents, killed on drop.
pub struct EmptyCollector(Child);

impl EmptyCollector {
    pub fn start(dir: &Path) -> Self {
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
pub struct AppTerminal {
    pty: PtyPair,
    app: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<Parser>>,
}

impl AppTerminal {
    /// Opens the app in a terminal of 80×24.
    pub fn open(dir: &Path) -> Self {
        Self::open_with(dir, (80, 24))
    }

    /// Opens the app in a terminal of a size.
    pub fn open_with(dir: &Path, (columns, rows): (u16, u16)) -> Self {
        let terminal = Self::open_unread(dir, (columns, rows));
        terminal.read();
        terminal
    }

    /// Opens the app in a terminal that reads nothing until [`Self::read`].
    pub fn open_unread(dir: &Path, (columns, rows): (u16, u16)) -> Self {
        let mut command = command(dir);
        command.arg("--data-dir");
        command.arg(dir);
        Self::start(command, (columns, rows))
    }

    /// Opens the demo with its fewest agents and further variables of the environment.
    pub fn open_demo(dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = command(dir);
        command.env("TMPDIR", dir);
        variables.iter().for_each(|(name, value)| command.env(name, value));
        command.args(["demo", "--agents", "8"]);
        let terminal = Self::start(command, (80, 24));
        terminal.read();
        terminal
    }

    fn start(command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pty = NativePtySystem::default().openpty(size(columns, rows)).unwrap();
        let app = pty.slave.spawn_command(command).unwrap();
        let (columns, rows) = (cells(columns.clamp(1, 500)), cells(rows.clamp(1, 200)));
        let shown = Arc::new(Mutex::new(Parser::new(rows, columns, 0)));
        let keys = pty.master.take_writer().unwrap();
        Self { pty, app, keys, shown }
    }

    /// Begins to read what the app writes.
    pub fn read(&self) {
        let mut output = self.pty.master.try_clone_reader().unwrap();
        let screen = Arc::clone(&self.shown);
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..n]);
            }
        });
    }

    /// Waits until the app has taken the terminal over.
    pub fn wait_until_raw(&self) {
        let is_raw = || !local_modes(&*self.pty.master).contains(LocalModes::ICANON);
        assert!(becomes_true(is_raw), "the terminal was not taken over");
    }

    /// Leaves no room for what the app writes.
    pub fn fill(&self) {
        let terminal = self.pty.master.tty_name().unwrap();
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        let terminal = open(terminal, flags, Mode::empty()).unwrap();
        while rustix::io::write(&terminal, &[b'x'; 256]).is_ok() {}
        while rustix::io::write(&terminal, b"x").is_ok() {}
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    /// Presses a key again until a text is shown: the first one may belong to what was unfinished
    /// before it.
    pub fn press_until(&mut self, key: &[u8], text: &str) {
        let is_shown = (0..20).any(|_| {
            self.press(key);
            becomes_true_within(100, || self.text().contains(text))
        });
        assert!(is_shown, "{key:?} does not show {text:?} in\n{}", self.text());
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.shown.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        self.pty.master.resize(size(columns, rows)).unwrap();
    }

    pub fn text(&self) -> String {
        self.shown.lock().unwrap().screen().contents()
    }

    pub fn wait_for(&self, text: &str) {
        let is_there = becomes_true(|| self.text().contains(text));
        assert!(is_there, "never {text:?} in\n{}", self.text());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        let pid = self.app.process_id().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    pub fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero()));
        stat.unwrap().rsplit(") ").next().unwrap().starts_with('T')
    }

    /// Returns whether the terminal is as before: main screen, cursor, line mode and echo.
    pub fn is_restored(&self) -> bool {
        let modes = local_modes(&*self.pty.master);
        let shown = self.shown.lock().unwrap();
        let screen = shown.screen();
        let is_plain =
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste();
        is_plain && modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Returns whether line mode and echo are back.
    pub fn has_line_mode(&self) -> bool {
        let modes = local_modes(&*self.pty.master);
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits until the app has ended; returns its exit code, and `None` when it does not end.
    pub fn ended(&mut self) -> Option<u32> {
        let app = RefCell::new(&mut self.app);
        let has_ended = || app.borrow_mut().try_wait().unwrap().is_some();
        if !becomes_true(has_ended) {
            self.app.kill().unwrap();
            return None;
        }
        Some(self.app.wait().unwrap().exit_code())
    }

    /// Waits until the app has ended and restored the terminal; returns its exit code.
    pub fn wait_for_exit(mut self) -> u32 {
        let code = self.ended().expect("the app ends");
        assert!(becomes_true(|| self.is_restored()), "the terminal is not restored");
        code
    }
}

fn command(home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(PROGRAM);
    command.env_clear();
    command.env("TERM", "xterm-256color");
    command.env("HOME", home);
    command
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
