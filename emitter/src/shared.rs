//! State that the agent's threads and the sender's thread share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::activity::AgentActivity;
use crate::clock::MonotonicClock;
use crate::counters::{CounterId, Counters};
use crate::kill::{HookEvent, KillCause, KillGate, KillHooks};
use crate::log;
use crate::problem::EmitterProblem;
use crate::sender::SenderWaker;
use crate::spending::SpendingLimits;
use crate::status::{EmitterStatus, SenderStatus};
use crate::supervisor::SupervisedProcess;

/// Longest wait for the sender to stop, its goodbye included.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(1_500);

pub(crate) struct SharedState {
    /// Name of the agent, as the log has it.
    agent: String,
    pub(crate) counters: Counters,
    pub(crate) gate: KillGate,
    pub(crate) spending_limits: SpendingLimits,
    pub(crate) activity: AgentActivity,
    pub(crate) clock: MonotonicClock,
    pub(crate) hooks: KillHooks,
    /// The process that the agent is, if it is a supervised one.
    pub(crate) process: Option<Arc<SupervisedProcess>>,
    sender_status: Mutex<SenderStatus>,
    /// `None` if there is no sender.
    waker: Option<Arc<SenderWaker>>,
    pid: u32,
    stop_request: AtomicU8,
    sender_state: Mutex<SenderState>,
    stopped: Condvar,
    /// Work that the sender has seen: in a forked process, what it reports comes on top.
    counted: AtomicU64,
    has_logged_fork: AtomicBool,
}

/// State of the sender's thread, for those who wait for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SenderState {
    Running,
    /// It did not stop in time: nobody waits for it again.
    Abandoned,
    Stopped,
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
    pub(crate) fn new(agent: &str, waker: Option<Arc<SenderWaker>>, hooks: KillHooks) -> Self {
        Self {
            agent: agent.to_owned(),
            counters: Counters::new(),
            gate: KillGate::default(),
            spending_limits: SpendingLimits::default(),
            activity: AgentActivity::default(),
            clock: MonotonicClock::start(),
            hooks,
            process: None,
            sender_status: Mutex::default(),
            waker,
            pid: std::process::id(),
            stop_request: AtomicU8::new(StopRequest::None as u8),
            sender_state: Mutex::new(SenderState::Running),
            stopped: Condvar::new(),
            counted: AtomicU64::new(0),
            has_logged_fork: AtomicBool::new(false),
        }
    }

    /// Makes it the state of a supervised process.
    pub(crate) fn with_process(self, process: Option<Arc<SupervisedProcess>>) -> Self {
        Self { process, ..self }
    }

    /// Returns whether there is a sender, or was one.
    pub(crate) fn has_sender(&self) -> bool {
        self.waker.is_some()
    }

    pub(crate) fn wake_sender(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    pub(crate) fn sender_status(&self) -> MutexGuard<'_, SenderStatus> {
        self.sender_status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the agent: closes the gate for new tasks, then calls the hooks.
    pub(crate) fn kill(&self, cause: KillCause) {
        self.gate.close(cause);
        self.hooks.fire(HookEvent::Killed);
    }

    /// Lets the agent go on, unless there is another cause to stop.
    pub(crate) fn resume(&self, cause: KillCause) {
        if self.gate.open(cause) {
            self.hooks.fire(HookEvent::Resumed);
        }
    }

    /// Returns whether a budget is used up. Then the gate is closed: the sender opens it again, and is
    /// woken, so that it looks at the limits once more and reports what was spent.
    #[inline]
    pub(crate) fn stop_if_spent(&self) -> bool {
        self.spending_limits.any() && self.stop_if_limit_is_reached()
    }

    #[cold]
    fn stop_if_limit_is_reached(&self) -> bool {
        let is_reached = self.spending_limits.is_reached(&self.counters);
        if is_reached && self.gate.cause().is_none() {
            self.kill(KillCause::Budget);
            self.wake_sender();
        }
        is_reached
    }

    pub(crate) fn stop_request(&self) -> StopRequest {
        match self.stop_request.load(Ordering::Acquire) {
            0 => StopRequest::None,
            1 => StopRequest::WithGoodbye,
            _ => StopRequest::Silent,
        }
    }

    /// Asks the sender to stop.
    pub(crate) fn request_stop(&self, request: StopRequest) {
        self.stop_request.fetch_max(request as u8, Ordering::AcqRel);
        self.wake_sender();
    }

    /// Asks the sender to stop, and waits for that no longer than `timeout`.
    pub(crate) fn stop(&self, request: StopRequest, timeout: Duration) {
        if self.is_forked() {
            return self.log_fork();
        }
        if self.waker.is_none() {
            return;
        }
        self.request_stop(request);
        let state = self.sender_state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = |state: &mut SenderState| *state == SenderState::Running;
        let waited = self.stopped.wait_timeout_while(state, timeout, is_running);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            *state = SenderState::Abandoned;
        }
    }

    /// Records that there is no sender any more.
    pub(crate) fn mark_stopped(&self) {
        self.sender_status().links.clear();
        *self.sender_state.lock().unwrap_or_else(PoisonError::into_inner) = SenderState::Stopped;
        self.stopped.notify_all();
    }

    pub(crate) fn status(&self) -> EmitterStatus {
        let sender = self.sender_status().clone();
        let mut problems = sender.problems();
        if self.is_forked() {
            self.log_fork();
            problems.push(EmitterProblem::Forked);
        }
        EmitterStatus {
            killed: self.gate.is_closed(),
            kill_cause: self.gate.cause(),
            collectors: sender.collectors(self.clock.now()),
            in_flight: self.counters.in_flight(),
            lost_observations: self.counters.total(CounterId::Lost),
            problems,
        }
    }

    /// Returns the finished tasks and reports so far.
    pub(crate) fn work_done(&self) -> u64 {
        self.counters.total(CounterId::Ok).wrapping_add(self.counters.total(CounterId::Failed))
    }

    /// Records how much of the work the sender has seen.
    pub(crate) fn record_counted(&self, work_done: u64) {
        self.counted.store(work_done, Ordering::Relaxed);
    }

    /// Logs, once, that a forked process has reported work through its parent's handle.
    fn log_fork(&self) {
        let is_uncounted = self.work_done() != self.counted.load(Ordering::Relaxed);
        if is_uncounted && !self.has_logged_fork.swap(true, Ordering::Relaxed) {
            log::warn(&self.agent, &EmitterProblem::Forked);
        }
    }

    /// Returns whether this process is a fork of the one with the sender's thread.
    fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::report::Report;

    fn shared_with_sender() -> SharedState {
        let waker = Arc::new(SenderWaker::new().unwrap());
        SharedState::new("mail", Some(waker), KillHooks::default())
    }

    #[test]
    fn a_sender_that_does_not_stop_is_waited_for_once() {
        let shared = shared_with_sender();
        shared.stop(StopRequest::WithGoodbye, Duration::from_millis(1));
        shared.stop(StopRequest::WithGoodbye, Duration::from_secs(3_600));
    }

    #[test]
    fn work_of_a_forked_process_is_logged_once() {
        let (messages, forked) =
            (Arc::new(AtomicU32::new(0)), SharedState { pid: 0, ..shared_with_sender() });
        let counter = CountingSubscriber(Arc::clone(&messages));
        tracing::subscriber::with_default(counter, || {
            forked.stop(StopRequest::WithGoodbye, Duration::ZERO);
            assert_eq!(messages.load(Ordering::SeqCst), 0, "there is none yet");
            forked.counters.report(Report::ok());
            assert_eq!(forked.status().problems, [EmitterProblem::Forked]);
            forked.stop(StopRequest::WithGoodbye, Duration::ZERO);
        });
        assert_eq!(messages.load(Ordering::SeqCst), 1);
    }

    struct CountingSubscriber(Arc<AtomicU32>);

    impl Subscriber for CountingSubscriber {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}
