//! State that the agent's threads and the sender's thread share.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_engine::AppliedStates;

use crate::activity::AgentActivity;
use crate::clock::MonotonicClock;
use crate::counters::{CounterId, Counters};
use crate::kill::{HookEvent, KillGate, KillHooks};
use crate::problem::EmitterProblem;
use crate::sender::SenderWaker;
use crate::status::{EmitterStatus, SenderStatus};

pub(crate) struct SharedState {
    pub(crate) counters: Counters,
    pub(crate) gate: KillGate,
    pub(crate) activity: AgentActivity,
    pub(crate) clock: MonotonicClock,
    pub(crate) hooks: KillHooks,
    sender_status: Mutex<SenderStatus>,
    /// `None` if there is no sender.
    waker: Option<Arc<SenderWaker>>,
    pid: u32,
    stop_request: AtomicU8,
    has_stopped: Mutex<bool>,
    stopped: Condvar,
}

/// Request to the sender to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum StopRequest {
    None,
    WithGoodbye,
    /// Without a goodbye: the agent has panicked, and the collector should find it missing.
    Silent,
}

impl SharedState {
    pub(crate) fn new(waker: Option<Arc<SenderWaker>>, hooks: KillHooks) -> Self {
        Self {
            counters: Counters::new(),
            gate: KillGate::default(),
            activity: AgentActivity::default(),
            clock: MonotonicClock::start(),
            hooks,
            sender_status: Mutex::default(),
            waker,
            pid: std::process::id(),
            stop_request: AtomicU8::new(StopRequest::None as u8),
            has_stopped: Mutex::new(false),
            stopped: Condvar::new(),
        }
    }

    pub(crate) fn wake_sender(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    pub(crate) fn sender_status(&self) -> MutexGuard<'_, SenderStatus> {
        self.sender_status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies desired states: the gate for new tasks, then the hooks, if it was not so before.
    pub(crate) fn apply(&self, applied: &AppliedStates) {
        let killed = applied.is_killed();
        let was_killed = std::mem::replace(&mut self.sender_status().killed, killed);
        if killed {
            self.gate.close();
        } else {
            self.gate.open();
        }
        if killed != was_killed {
            self.hooks.fire(if killed { HookEvent::Killed } else { HookEvent::Resumed });
        }
    }

    pub(crate) fn stop_request(&self) -> StopRequest {
        match self.stop_request.load(Ordering::Acquire) {
            0 => StopRequest::None,
            1 => StopRequest::WithGoodbye,
            _ => StopRequest::Silent,
        }
    }

    /// Asks the sender to stop, and waits for that no longer than `timeout`.
    pub(crate) fn stop(&self, request: StopRequest, timeout: Duration) {
        if self.waker.is_none() || self.is_forked() {
            return;
        }
        self.stop_request.fetch_max(request as u8, Ordering::AcqRel);
        self.wake_sender();
        let guard = self.has_stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.stopped.wait_timeout_while(guard, timeout, |has_stopped| !*has_stopped);
    }

    /// Records that there is no sender any more.
    pub(crate) fn mark_stopped(&self) {
        self.sender_status().connection = None;
        *self.has_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.notify_all();
    }

    pub(crate) fn status(&self) -> EmitterStatus {
        let sender = self.sender_status().clone();
        let mut problems = sender.problems();
        if self.is_forked() {
            problems.push(EmitterProblem::Forked);
        }
        EmitterStatus {
            connection: sender.connection,
            killed: sender.killed,
            last_answer_age: sender.last_answer.map(|at| self.clock.now().since(at)),
            in_flight: self.counters.in_flight(),
            lost_observations: self.counters.total(CounterId::Lost),
            refused_datagrams: sender.refused_datagrams,
            problems,
        }
    }

    /// Returns whether this process is a fork of the one with the sender's thread.
    fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }
}
