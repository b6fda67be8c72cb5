//! Signals from outside.

use tokio::signal::unix::{self, SignalKind};

use super::TerminalError;

/// What somebody else wants of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Terminate,
    HangUp,
    Interrupt,
    /// It was stopped, and goes on: the terminal may be in any state.
    Continue,
}

/// Receives them.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    go_on: unix::Signal,
}

impl Signals {
    /// # Errors
    /// A handler can't be installed.
    pub(crate) fn listen() -> Result<Self, TerminalError> {
        let on = |kind| unix::signal(kind).map_err(TerminalError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
            interrupt: on(SignalKind::interrupt())?,
            go_on: on(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// The next one; may be cancelled.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            // A closed terminal sends HUP and CONT together: the end comes first.
            biased;
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hang_up.recv() => Signal::HangUp,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.go_on.recv() => Signal::Continue,
        }
    }
}
