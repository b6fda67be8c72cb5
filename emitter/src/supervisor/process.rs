//! What the supervisor tells the sender of its process.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_engine::{MonoNanos, ProcessExit};

/// The supervised process, as the sender knows it.
#[derive(Debug, Default)]
pub(crate) struct SupervisedProcess {
    state: Mutex<ProcessState>,
    exit_acknowledged: Condvar,
}

/// State of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessState {
    pub(crate) is_running: bool,
    /// CPU in thousandths of a core, and resident bytes.
    pub(crate) usage: (u32, u64),
    /// Time without output after which it counts as stalled.
    pub(crate) stall_after: Option<Duration>,
    /// When it was started, or last wrote something.
    pub(crate) progress_at: MonoNanos,
    /// Addresses at which its own emitters are answered.
    addresses: Vec<SocketAddr>,
    events: Vec<ProcessEvent>,
    is_exit_acknowledged: bool,
}

/// Event in the life of the process, for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEvent {
    Started {
        pid: u32,
    },
    /// It has ended by itself.
    Exited(ProcessExit),
    /// The supervisor has ended it.
    Stopped,
    /// There is none: the agent is killed.
    AwaitsResume,
}

impl SupervisedProcess {
    pub(crate) fn new(stall_after: Option<Duration>) -> Self {
        let state = ProcessState { stall_after, ..ProcessState::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// Returns a copy of the state, without events.
    pub(crate) fn state(&self) -> ProcessState {
        ProcessState { events: Vec::new(), addresses: Vec::new(), ..*self.lock() }
    }

    pub(crate) fn set_addresses(&self, addresses: Vec<SocketAddr>) {
        self.lock().addresses = addresses;
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.lock().addresses.clone()
    }

    pub(crate) fn set_usage(&self, usage: (u32, u64)) {
        self.lock().usage = usage;
    }

    pub(crate) fn set_progress(&self, now: MonoNanos) {
        self.lock().progress_at = now;
    }

    /// Records an event, and hands it to the sender.
    pub(crate) fn record(&self, event: ProcessEvent, now: MonoNanos) {
        let mut state = self.lock();
        state.is_running = matches!(event, ProcessEvent::Started { .. });
        if state.is_running {
            state.progress_at = now;
        } else {
            state.usage = (0, 0);
        }
        if event != ProcessEvent::AwaitsResume {
            state.is_exit_acknowledged = false;
        }
        state.events.push(event);
    }

    pub(crate) fn take_events(&self) -> Vec<ProcessEvent> {
        std::mem::take(&mut self.lock().events)
    }

    /// Records whether every collector has acknowledged the exit that was reported last.
    pub(crate) fn set_exit_acknowledged(&self, is_acknowledged: bool) {
        let mut state = self.lock();
        if state.events.is_empty() && is_acknowledged && !state.is_exit_acknowledged {
            state.is_exit_acknowledged = true;
            self.exit_acknowledged.notify_all();
        }
    }

    /// Waits until the exit that was reported last is acknowledged; returns whether it was.
    pub(crate) fn wait_exit_acknowledged(&self, timeout: Duration) -> bool {
        let pending = |state: &mut ProcessState| !state.is_exit_acknowledged;
        let waited = self.exit_acknowledged.wait_timeout_while(self.lock(), timeout, pending);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_exit_acknowledged
    }

    fn lock(&self) -> MutexGuard<'_, ProcessState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
