//! The terminal is given back, however the program ends.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{self, Signal};

use super::ansi;

/// Whether the terminal is ours; whoever clears it gives it back.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// What can go wrong with a terminal.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Input or output is a file or a pipe.
    #[error(
        "the terminal app needs a terminal; in a pipe use `heartline status` or `heartline watch --plain`"
    )]
    NoTerminal,
    /// It could not be set up, or its size read.
    #[error("the terminal can't be set up: {0}")]
    SetUp(#[source] io::Error),
    /// It is gone: the window was closed.
    #[error("the terminal is gone: {0}")]
    Gone(#[source] io::Error),
    /// Signals can't be received.
    #[error("signals can't be received: {0}")]
    Signals(#[source] io::Error),
}

/// Owns the terminal; gives it back when dropped.
#[derive(Debug)]
pub(crate) struct Guard(());

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, hidden cursor.
    ///
    /// # Errors
    /// There is none, or it can't be set up.
    pub(crate) fn take() -> Result<Self, TerminalError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TerminalError::NoTerminal);
        }
        HOOK.call_once(give_back_on_panic);
        let guard = Self(());
        match guard.take_again() {
            Err(TerminalError::Gone(error)) => Err(TerminalError::SetUp(error)),
            Err(other) => Err(other),
            Ok(()) => Ok(guard),
        }
    }

    /// Takes it after it was given back, or after a stop, during which a shell may have changed it.
    pub(crate) fn take_again(&self) -> Result<(), TerminalError> {
        TAKEN.store(true, Ordering::SeqCst);
        crossterm::terminal::disable_raw_mode().map_err(TerminalError::Gone)?;
        crossterm::terminal::enable_raw_mode().map_err(TerminalError::Gone)?;
        self.write(ansi::ENTER)
    }

    /// Gives it back, until [`Guard::take_again`].
    pub(crate) fn give_back(&self) {
        give_back();
    }

    /// Writes all bytes at once.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), TerminalError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(TerminalError::Gone)
    }

    /// Columns and lines.
    pub(crate) fn size(&self) -> Result<(u16, u16), TerminalError> {
        crossterm::terminal::size().map_err(TerminalError::Gone)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Where the terminal is gone there is nobody left to tell.
        let mut out = io::stdout().lock();
        let _ = out.write_all(ansi::LEAVE).and_then(|()| out.flush());
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

fn give_back_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        before(panic);
    }));
}

/// Stops this program, as ctrl-z does where the terminal is not raw: with its whole process group,
/// so that the shell notices. A session's leader has no shell to go back to and would not be
/// stopped by the gentle signal; it is stopped all the same, until somebody continues it.
pub(crate) fn stop_self() -> Result<(), TerminalError> {
    let alone = process::getsid(None).is_ok_and(|session| session == process::getpid());
    let stopped = if alone {
        process::kill_process(process::getpid(), Signal::STOP)
    } else {
        process::kill_current_process_group(Signal::TSTP)
    };
    stopped.map_err(|errno| TerminalError::SetUp(errno.into()))
}
