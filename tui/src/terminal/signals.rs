//! The signals that end this program, go on after a stop, or tell of another size.

use tokio::signal::unix::{self, SignalKind};

use super::TerminalError;

/// A signal that this program handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessSignal {
    /// TERM, HUP, INT or QUIT.
    Exit,
    /// The process was stopped, and goes on: the terminal may be in any mode.
    Continue,
    /// The terminal has another size.
    Resize,
}

/// Receives the signals of [`ProcessSignal`].
#[derive(Debug)]
pub(crate) struct SignalListener {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    go_on: unix::Signal,
    resize: unix::Signal,
}

impl SignalListener {
    /// # Errors
    /// A handler can't be installed.
    pub(crate) fn install() -> Result<Self, TerminalError> {
        let on = |kind| unix::signal(kind).map_err(TerminalError::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
            interrupt: on(SignalKind::interrupt())?,
            quit: on(SignalKind::quit())?,
            resize: on(SignalKind::window_change())?,
            go_on: on(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> ProcessSignal {
        tokio::select! {
            // A closed terminal sends HUP and CONT together: the end comes first.
            biased;
            _ = self.terminate.recv() => ProcessSignal::Exit,
            _ = self.hang_up.recv() => ProcessSignal::Exit,
            _ = self.interrupt.recv() => ProcessSignal::Exit,
            _ = self.quit.recv() => ProcessSignal::Exit,
            _ = self.go_on.recv() => ProcessSignal::Continue,
            _ = self.resize.recv() => ProcessSignal::Resize,
        }
    }
}
