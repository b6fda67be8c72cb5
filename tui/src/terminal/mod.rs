//! The terminal: set up and restored, written to in whole frames, and watched for hang-ups.

mod screen;
mod signals;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use rustix::process::{self, Signal};

use crate::state::MouseMode;

pub(crate) use screen::DiffRenderer;
pub(crate) use signals::{HangupWatcher, ProcessSignal, SignalListener};

/// Alternate screen, no cursor, bracketed paste.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Undoes [`ENTER`] and every other mode that this program sets.
const LEAVE: &[u8] = b"\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[m\x1b[?25h\x1b[?1049l";

/// Set while the terminal is in raw mode; whoever clears it restores the terminal.
static IS_RAW: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();

/// An error of setting up, reading or writing the terminal.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Input or output is a file or a pipe.
    #[error(
        "the terminal app needs a terminal; in a pipe use `heartline status` or `heartline watch --plain`"
    )]
    NoTerminal,
    #[error("the terminal can't be set up: {0}")]
    SetUp(#[source] io::Error),
    /// The terminal's window was closed.
    #[error("the terminal is gone: {0}")]
    Gone(#[source] io::Error),
    #[error("signals can't be received: {0}")]
    Signals(#[source] io::Error),
}

/// Holds the terminal in raw mode, and restores it when dropped or when the program panics.
#[derive(Debug)]
pub(crate) struct TerminalGuard(());

impl TerminalGuard {
    /// Sets the terminal up: raw mode, alternate screen, hidden cursor.
    ///
    /// # Errors
    /// There is no terminal, or it can't be set up.
    pub(crate) fn acquire() -> Result<Self, TerminalError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TerminalError::NoTerminal);
        }
        PANIC_HOOK.call_once(restore_on_panic);
        let guard = Self(());
        match guard.reacquire() {
            Err(TerminalError::Gone(error)) => Err(TerminalError::SetUp(error)),
            Err(other) => Err(other),
            Ok(()) => Ok(guard),
        }
    }

    /// Sets the terminal up again after [`restore`], or after a stop, during which a shell may have
    /// changed it.
    pub(crate) fn reacquire(&self) -> Result<(), TerminalError> {
        IS_RAW.store(true, Ordering::SeqCst);
        crossterm::terminal::disable_raw_mode().map_err(TerminalError::Gone)?;
        crossterm::terminal::enable_raw_mode().map_err(TerminalError::Gone)?;
        self.write(ENTER)
    }

    /// Writes all bytes at once.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), TerminalError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(TerminalError::Gone)
    }

    /// Captures the mouse (clicks and wheel, in SGR form), or leaves it to the terminal.
    pub(crate) fn set_mouse_mode(&self, mode: MouseMode) -> Result<(), TerminalError> {
        self.write(match mode {
            MouseMode::Captured => b"\x1b[?1000h\x1b[?1006h",
            MouseMode::Terminal => b"\x1b[?1006l\x1b[?1000l",
        })
    }

    /// Puts text on the clipboard of the terminal's user, also over ssh (OSC 52).
    pub(crate) fn copy_to_clipboard(&self, text: &str) -> Result<(), TerminalError> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        self.write(format!("\x1b]52;c;{encoded}\x07").as_bytes())
    }

    /// Returns columns and lines.
    pub(crate) fn size(&self) -> Result<(u16, u16), TerminalError> {
        crossterm::terminal::size().map_err(TerminalError::Gone)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, until [`TerminalGuard::reacquire`].
pub(crate) fn restore() {
    if IS_RAW.swap(false, Ordering::SeqCst) {
        // An error means that the terminal is gone: there is nothing left to restore.
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(LEAVE).and_then(|()| stdout.flush());
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

fn restore_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        previous(panic);
    }));
}

/// Stops this program as ctrl-z does where the terminal is not raw: with its whole process group,
/// so that the shell notices. A session leader has no shell to return to and ignores SIGTSTP, so it
/// gets SIGSTOP.
pub(crate) fn stop_process() -> Result<(), TerminalError> {
    let is_session_leader = process::getsid(None).is_ok_and(|id| id == process::getpid());
    let stopped = if is_session_leader {
        process::kill_process(process::getpid(), Signal::STOP)
    } else {
        process::kill_current_process_group(Signal::TSTP)
    };
    stopped.map_err(|errno| TerminalError::SetUp(errno.into()))
}
