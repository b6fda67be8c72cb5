//! The agent's handle of its emitter.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::kill::HookEvent;
use crate::report::Report;
use crate::shared::{STOP_TIMEOUT, SharedState, StopRequest};
use crate::status::EmitterStatus;
use crate::task::{AgentKilled, Task, TaskFuture, WaitGuard};

/// Handle of an agent's emitter. Cheap to clone; dropping the last clone sends a goodbye to the
/// collector, which takes a round trip, or a second without an answer. A thread that panics with it
/// sends no goodbye and is found missing, and so is a process that ends without dropping it, unless
/// by a signal that says goodbye (see [the end of a process](crate#the-end-of-a-process)).
///
/// No method fails, panics, or waits for the network. [`Heartline::task`] waits while the agent is
/// killed.
#[derive(Clone)]
pub struct Heartline {
    shared: Arc<SharedState>,
    _stop: Arc<StopOnDrop>,
}

/// Stops the sender when the last handle is dropped.
struct StopOnDrop(Arc<SharedState>);

impl Heartline {
    pub(crate) fn new(shared: Arc<SharedState>) -> Self {
        Self { _stop: Arc::new(StopOnDrop(Arc::clone(&shared))), shared }
    }

    /// Begins a task. Blocks while the agent is killed.
    #[inline]
    pub fn task(&self) -> Task<'_> {
        Task::begin_blocking(&self.shared)
    }

    /// Begins a task, unless the agent is killed.
    ///
    /// # Errors
    /// [`AgentKilled`], until an operator resumes the agent.
    #[inline]
    pub fn try_task(&self) -> Result<Task<'_>, AgentKilled> {
        Task::begin(&self.shared)
    }

    /// Begins a task. While the agent is killed the future is pending; it blocks no thread and
    /// works on any runtime.
    #[inline]
    pub fn task_async(&self) -> TaskFuture<'_> {
        TaskFuture::new(&self.shared)
    }

    /// Counts work that was not a [`Task`]. Takes some nanoseconds.
    #[inline]
    pub fn report(&self, report: Report) {
        self.shared.counters.report(report);
    }

    /// Sets the current step. This counts as progress: an agent that takes no step, and begins and
    /// ends no task, for long enough is shown as stalled.
    ///
    /// An agent is shown as stalled, too, when one of its tasks has taken no step for so long, beside
    /// others that go on. A step is one of the tasks that began on this thread, or of all where none
    /// did; [`Task::step`] is for programs whose tasks move between threads.
    pub fn step(&self, name: &str) {
        self.shared.activity.set_step(name);
        self.shared.counters.record_step(self.shared.clock.now());
    }

    /// Reports that the agent waits for something outside of itself, such as a person's approval,
    /// until the guard is dropped. A waiting agent is not shown as stalled.
    pub fn waiting(&self, reason: &str) -> WaitGuard<'_> {
        WaitGuard::begin(&self.shared, reason)
    }

    /// Reports that the agent is ready for work, and clears the step.
    pub fn running(&self) {
        self.shared.activity.clear_step();
        self.shared.counters.record_step(self.shared.clock.now());
    }

    /// Reports the length of the agent's backlog. One that does not shrink while no task begins or ends
    /// is shown as stalled, counted from when it began.
    pub fn queue(&self, depth: u32) {
        if self.shared.activity.set_queue(depth) {
            self.shared.counters.record_step(self.shared.clock.now());
        }
    }

    /// Returns whether the agent is killed, or has used up a budget: no task starts.
    #[inline]
    pub fn killed(&self) -> bool {
        self.shared.stop_if_spent() || self.shared.gate.is_closed()
    }

    /// Calls `hook` when the agent is killed, or at once if it is killed already. See
    /// [`Builder::on_kill`](crate::Builder::on_kill).
    pub fn on_kill(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared.hooks.add(HookEvent::Killed, hook);
    }

    /// Calls `hook` when the agent is resumed.
    pub fn on_resume(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared.hooks.add(HookEvent::Resumed, hook);
    }

    /// Returns the status of the emitter, with its problems.
    pub fn status(&self) -> EmitterStatus {
        self.shared.status()
    }

    /// Stops the emitter: sends a goodbye with the work not sent yet, and waits for its answer, at
    /// most a second and a half. Afterwards nothing is sent, and a kill stays in force. To be called
    /// before `std::process::exit`, and where the handle is in a `static`: those drop nothing.
    pub fn stop(&self) {
        self.shared.stop(StopRequest::WithGoodbye, STOP_TIMEOUT);
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let (request, timeout) = match thread::panicking() {
            true => (StopRequest::Silent, Duration::ZERO),
            false => (StopRequest::WithGoodbye, STOP_TIMEOUT),
        };
        self.0.stop(request, timeout);
    }
}

impl fmt::Debug for Heartline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heartline({})", self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kill::KillHooks;
    use crate::sender::SenderWaker;

    fn request_after(end: impl FnOnce(Heartline) + Send + 'static) -> StopRequest {
        let waker = SenderWaker::new().unwrap();
        let shared =
            Arc::new(SharedState::new("mail", Some(Arc::new(waker)), KillHooks::default()));
        // There is no sender to wait for.
        shared.mark_stopped();
        let hb = Heartline::new(Arc::clone(&shared));
        let _ = thread::spawn(move || end(hb)).join();
        shared.stop_request()
    }

    #[test]
    fn a_backlog_makes_progress_when_it_begins_and_not_while_it_stands() {
        let shared = Arc::new(SharedState::new("mail", None, KillHooks::default()));
        let hb = Heartline::new(Arc::clone(&shared));
        hb.queue(0);
        assert_eq!(shared.counters.last_progress(), None);
        hb.queue(5);
        let begun = shared.counters.last_progress();
        assert!(begun.is_some());
        hb.queue(6);
        assert_eq!(shared.counters.last_progress(), begun);
    }

    #[test]
    fn dropping_the_last_handle_sends_a_goodbye_unless_panicking() {
        assert_eq!(request_after(drop), StopRequest::WithGoodbye);
        assert_eq!(request_after(|hb| std::mem::forget(hb.clone())), StopRequest::None);
        assert_eq!(request_after(|_hb| panic!("the agent's own fault")), StopRequest::Silent);
    }
}
