//! What the agent holds.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::hooks::Change;
use crate::report::Report;
use crate::shared::{Leave, Shared};
use crate::status::Status;
use crate::task::{Admission, Killed, Task, Waiting};

/// Longest time that a goodbye may take, its own patience and a hanging name look-up included.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// An agent's emitter. Cheap to clone; the last clone that is dropped says goodbye to the collector,
/// which takes a round trip, and at most a second and a half if nobody answers. (A process that ends
/// without dropping it, or a thread that panics with it, is missed instead, as it should be.)
///
/// No method fails, panics, or waits for the network. [`Heartline::task`] waits while the agent is
/// killed, which is what it is for.
#[derive(Clone)]
pub struct Heartline {
    shared: Arc<Shared>,
    _lease: Arc<Lease>,
}

/// Ends the sender when the last handle is gone.
struct Lease(Arc<Shared>);

impl Heartline {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { _lease: Arc::new(Lease(Arc::clone(&shared))), shared }
    }

    /// Begins a task. While the agent is killed this blocks, until it is resumed.
    #[inline]
    pub fn task(&self) -> Task<'_> {
        Task::begin_when_open(&self.shared)
    }

    /// Begins a task, or says that the agent is killed.
    ///
    /// # Errors
    /// [`Killed`], until an operator resumes the agent.
    #[inline]
    pub fn try_task(&self) -> Result<Task<'_>, Killed> {
        Task::begin(&self.shared)
    }

    /// Begins a task. While the agent is killed the future is pending; it blocks no thread and
    /// works on any runtime.
    #[inline]
    pub fn task_async(&self) -> Admission<'_> {
        Admission::new(&self.shared)
    }

    /// Counts work that was not a [`Task`]. Takes some nanoseconds.
    #[inline]
    pub fn report(&self, report: Report) {
        self.shared.counters.report(report);
    }

    /// Names the current step. That is progress: an agent that takes no step, and begins and ends
    /// no task, for long enough is shown as stalled.
    pub fn step(&self, name: &str) {
        self.shared.board.step(name);
        self.shared.counters.progressed(self.shared.clock.now());
    }

    /// Says that the agent waits for something outside of itself, such as a person's approval,
    /// until the guard is dropped. Meanwhile nobody takes it for stalled.
    pub fn waiting(&self, what: &str) -> Waiting<'_> {
        Waiting::begin(&self.shared, what)
    }

    /// Says that the agent is ready for work, and at no particular step.
    pub fn running(&self) {
        self.shared.board.running();
        self.shared.counters.progressed(self.shared.clock.now());
    }

    /// Says how long the agent's backlog is.
    pub fn queue(&self, depth: u32) {
        self.shared.board.queue(depth);
    }

    /// Whether the agent is killed.
    #[must_use]
    #[inline]
    pub fn killed(&self) -> bool {
        self.shared.gate.is_closed()
    }

    /// Calls `hook` when the agent is killed, or at once if it is killed already. See
    /// [`Builder::on_kill`](crate::Builder::on_kill).
    pub fn on_kill(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared.hooks.add(Change::Killed, hook);
    }

    /// Calls `hook` when the agent is resumed.
    pub fn on_resume(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared.hooks.add(Change::Resumed, hook);
    }

    /// How the emitter is doing, and what is wrong with it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Says goodbye now: what is left to count goes out, and the collector knows that the end is
    /// meant. Waits for its answer, at most a second and a half. Afterwards nothing is sent, and
    /// a kill stays as it is.
    pub fn stop(&self) {
        self.shared.stop(Leave::Goodbye, PATIENCE);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // An agent that ends in a panic does not end as it should.
        let (how, patience) = match thread::panicking() {
            true => (Leave::Silently, Duration::ZERO),
            false => (Leave::Goodbye, PATIENCE),
        };
        self.0.stop(how, patience);
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
    use crate::bell;

    fn after(end: impl FnOnce(Heartline) + Send + 'static) -> Leave {
        let (bell, _ear) = bell::pair().unwrap();
        let shared = Arc::new(Shared::new(Some(bell)));
        // There is no sender to wait for.
        shared.sender_has_left();
        let hb = Heartline::new(Arc::clone(&shared));
        let _ = thread::spawn(move || end(hb)).join();
        shared.leave()
    }

    #[test]
    fn only_the_last_handle_says_goodbye_and_not_in_a_panic() {
        assert_eq!(after(drop), Leave::Goodbye);
        assert_eq!(after(|hb| std::mem::forget(hb.clone())), Leave::Stay);
        assert_eq!(after(|_hb| panic!("the agent's own fault")), Leave::Silently);
    }
}
