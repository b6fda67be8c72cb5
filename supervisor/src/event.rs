//! What the loop waits for.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// Signals that are handed on to the program.
const FORWARDED: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEvent {
    /// A signal for the program.
    Signal(i32),
    /// A child has ended or was stopped.
    Child,
    /// This process was continued.
    Continued,
    /// The agent was killed.
    Killed,
    /// The agent was resumed.
    Resumed,
    /// The program has written something.
    Output,
}

/// Returns whether a signal asks the program to end.
pub(crate) fn asks_to_end(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT | SIGHUP | SIGQUIT)
}

/// Returns whether a signal that asks the program to end means nothing else, however long that takes.
pub(crate) fn is_stop_for_good(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT)
}

/// Creates the queue of events, with those of signals.
///
/// # Errors
/// When no handler can be installed, or no thread started.
pub(crate) fn event_queue() -> io::Result<(Sender<RunEvent>, Receiver<RunEvent>)> {
    let (sender, receiver) = mpsc::channel();
    let mut signals = Signals::new(FORWARDED.iter().chain(&[SIGCHLD, SIGCONT]))?;
    let events = sender.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGCHLD => RunEvent::Child,
                SIGCONT => RunEvent::Continued,
                signal => RunEvent::Signal(signal),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    })?;
    Ok((sender, receiver))
}
