//! What ends or stops this program from outside: signals, and a terminal that is closed.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::oneshot;

use super::TerminalError;

/// A signal that this program handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessSignal {
    /// TERM, HUP or INT.
    Exit,
    /// The process was stopped, and goes on: the terminal may be in any mode.
    Continue,
}

/// Receives the signals of [`ProcessSignal`].
#[derive(Debug)]
pub(crate) struct SignalListener {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    go_on: unix::Signal,
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
            _ = self.go_on.recv() => ProcessSignal::Continue,
        }
    }
}

/// Notices on a thread of its own that standard input was hung up, which reading keys does not.
/// Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct HangupWatcher {
    closed: oneshot::Receiver<()>,
    /// The thread sees the other end of this pipe hang up when it is dropped.
    _stop: OwnedFd,
}

impl HangupWatcher {
    /// # Errors
    /// No pipe or thread can be made.
    pub(crate) fn spawn() -> io::Result<Self> {
        let (stop_receiver, stop) = rustix::pipe::pipe()?;
        let (sender, closed) = oneshot::channel();
        thread::Builder::new().name("hangup".to_owned()).spawn(move || {
            if wait_for_hangup(&stop_receiver) {
                // The receiver is gone only when the program ends anyway.
                let _ = sender.send(());
            }
        })?;
        Ok(Self { closed, _stop: stop })
    }

    /// Waits until the terminal is closed. Cancel-safe.
    pub(crate) async fn closed(&mut self) {
        if (&mut self.closed).await.is_err() {
            // The thread could not watch, so that the end must be noticed by reading keys.
            std::future::pending::<()>().await;
        }
    }
}

/// Blocks until standard input is hung up (true), or the other end of `stop` is closed (false). No
/// events are asked for: hang-ups and errors are always reported, and keys are left to the reader.
fn wait_for_hangup(stop: &OwnedFd) -> bool {
    let stdin = io::stdin();
    let ended = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    loop {
        let mut watched =
            [PollFd::new(&stdin, PollFlags::empty()), PollFd::new(stop, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) if watched[0].revents().intersects(ended) => return true,
            Ok(_) if watched[1].revents().intersects(ended) => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
