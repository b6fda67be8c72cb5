//! The terminal: taken over and given back, read, written to, and how it answers signals.

mod bell;
mod clipboard;
mod input;
mod output;
mod screen;
mod signals;
mod tty;

use std::io::{self, IsTerminal as _};

use rustix::process::{self, Signal};

use crate::keys::KeyChord;
use crate::state::MouseMode;

pub(crate) use bell::{BellSettings, Passthrough};
pub use bell::{NotifySequence, ParseNotifyError};
pub(crate) use clipboard::{Clipboard, CopyOutcome, osc_52};
pub(crate) use input::TerminalInput;
pub use input::{InputEvent, InputParser};
pub(crate) use output::TerminalOutput;
pub(crate) use screen::DiffRenderer;
pub(crate) use signals::{ProcessSignal, SignalListener};
pub(crate) use tty::{TerminalGuard, restore};

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

/// The terminal of this process, taken over until the guard is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub input: TerminalInput,
    pub output: TerminalOutput,
    pub guard: TerminalGuard,
}

impl Terminal {
    /// Takes the terminal over: raw mode, alternate screen, hidden cursor. ESC and one of `alt_keys`
    /// is that key with alt.
    ///
    /// # Errors
    /// There is no terminal, or it can't be set up.
    pub(crate) fn acquire(alt_keys: Vec<KeyChord>) -> Result<Self, TerminalError> {
        let (stdin, stdout) = (io::stdin(), io::stdout());
        if !stdin.is_terminal() || !stdout.is_terminal() {
            return Err(TerminalError::NoTerminal);
        }
        let set_up = TerminalError::SetUp;
        let input = tty::open_again(&stdin).map_err(set_up)?;
        let input = TerminalInput::new(input, alt_keys).map_err(set_up)?;
        let output = tty::open_again(&stdout).map_err(set_up)?;
        let output = TerminalOutput::new(output).map_err(set_up)?;
        let guard = TerminalGuard::acquire().map_err(set_up)?;
        let mut terminal = Self { input, output, guard };
        terminal.output.write(&tty::enter_sequences())?;
        Ok(terminal)
    }

    /// Takes the terminal over again after [`restore`], or after a stop, during which a shell may
    /// have changed it.
    pub(crate) fn reacquire(&mut self, mouse: MouseMode) -> Result<(), TerminalError> {
        self.guard.set_raw().map_err(TerminalError::Gone)?;
        self.output.discard();
        self.output.write(&tty::enter_sequences())?;
        self.set_mouse_mode(mouse)
    }

    /// Captures the mouse (clicks and wheel, in SGR form), or leaves it to the terminal.
    pub(crate) fn set_mouse_mode(&mut self, mode: MouseMode) -> Result<(), TerminalError> {
        self.output.write(match mode {
            MouseMode::Captured => tty::MOUSE_ON,
            MouseMode::Terminal => tty::MOUSE_OFF,
        })
    }
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
