//! Tasks: counted, timed, and held back by a kill.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll};
use std::thread;

use heartline_engine::MonoNanos;

use crate::counters::TaskProgressSlot;
use crate::kill::WaiterId;
use crate::report::{Report, TaskOutcome};
use crate::shared::SharedState;

/// A task in flight. It is counted, with its latency, when it is dropped: as failed if its thread
/// panics, as succeeded otherwise. [`Task::ok`] and [`Task::fail`] end it explicitly.
///
/// It may be held across an `await` and dropped on another thread. A future that is cancelled drops
/// its task, which then counts as succeeded: call [`Task::fail`] where that is wrong.
#[must_use = "a task lasts as long as its guard"]
pub struct Task<'a> {
    shared: &'a SharedState,
    slot: TaskProgressSlot<'a>,
    begun: MonoNanos,
    report: Report,
}

/// Error: the agent is killed, or has used up its budget, and no task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent is killed, or has used up its budget: it has to be resumed before it starts another task"
)]
pub struct AgentKilled;

impl<'a> Task<'a> {
    /// Begins a task, unless the agent is killed.
    #[inline]
    pub(crate) fn begin(shared: &'a SharedState) -> Result<Self, AgentKilled> {
        if shared.gate.is_closed() || shared.stop_if_spent() {
            return Err(AgentKilled);
        }
        let begun = shared.clock.now();
        let slot = shared.counters.begin_task(begun);
        // Checked again: a kill from here on counts this task as in flight. Without the fence both
        // threads could read before the write of the other is visible: a task would run in an agent
        // that has reported none in flight.
        fence(Ordering::SeqCst);
        if shared.gate.is_closed() {
            shared.counters.cancel_task(slot);
            shared.wake_sender();
            return Err(AgentKilled);
        }
        Ok(Self { shared, slot, begun, report: Report::ok() })
    }

    /// Begins a task, once the agent is not killed.
    #[inline]
    pub(crate) fn begin_blocking(shared: &'a SharedState) -> Self {
        loop {
            if let Ok(task) = Self::begin(shared) {
                return task;
            }
            shared.gate.wait();
        }
    }

    /// Sets the current step of the agent. This counts as progress of this task alone.
    pub fn step(&self, name: &str) {
        self.shared.activity.set_step(name);
        self.shared.counters.record_task_step(self.slot, self.shared.clock.now());
    }

    /// Adds to the cost, in US dollars. A negative, infinite or NaN cost is ignored and counted as
    /// a lost observation.
    pub fn cost_usd(&mut self, usd: f64) {
        self.report = self.report.cost_usd(usd);
    }

    /// Adds to the cost, in billionths of a US dollar.
    pub fn cost_nano_usd(&mut self, nano: u64) {
        self.report = self.report.cost_nano_usd(nano);
    }

    /// Adds to the tokens that models have read and written.
    pub fn tokens(&mut self, read: u64, written: u64) {
        self.report = self.report.tokens(read, written);
    }

    /// Ends the task as succeeded.
    #[inline]
    pub fn ok(self) {
        ManuallyDrop::new(self).end(TaskOutcome::Ok);
    }

    /// Ends the task as failed.
    #[inline]
    pub fn fail(self) {
        ManuallyDrop::new(self).end(TaskOutcome::Failed);
    }

    /// Counts the task; `Drop` has nothing else to do.
    #[inline]
    fn end(&self, outcome: TaskOutcome) {
        let now = self.shared.clock.now();
        let report = self.report.with_outcome(outcome).latency_us(now.micros_since(self.begun));
        self.shared.counters.end_task(self.slot, now, report);
        self.shared.stop_if_spent();
        if self.shared.gate.is_closed() {
            // The collector waits for the report that no task is in flight any more.
            self.shared.wake_sender();
        }
    }
}

impl Drop for Task<'_> {
    #[inline]
    fn drop(&mut self) {
        self.end(if thread::panicking() { TaskOutcome::Failed } else { TaskOutcome::Ok });
    }
}

/// Future that begins a task once the agent is not killed.
#[must_use = "a future does nothing unless it is awaited"]
pub struct TaskFuture<'a> {
    shared: &'a SharedState,
    waiter: WaiterId,
}

impl<'a> TaskFuture<'a> {
    pub(crate) fn new(shared: &'a SharedState) -> Self {
        Self { shared, waiter: WaiterId::default() }
    }
}

impl<'a> Future for TaskFuture<'a> {
    type Output = Task<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Task<'a>> {
        let this = &mut *self;
        loop {
            if let Ok(task) = Task::begin(this.shared) {
                return Poll::Ready(task);
            }
            if this.shared.gate.poll_open(&mut this.waiter, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for TaskFuture<'_> {
    fn drop(&mut self) {
        self.shared.gate.remove_waiter(&mut self.waiter);
    }
}

/// Guard of a wait for something outside of the agent; dropping it ends the wait.
#[must_use = "the wait lasts as long as its guard"]
pub struct WaitGuard<'a> {
    shared: &'a SharedState,
    id: u64,
}

impl<'a> WaitGuard<'a> {
    pub(crate) fn begin(shared: &'a SharedState, reason: &str) -> Self {
        shared.counters.record_step(shared.clock.now());
        Self { shared, id: shared.activity.begin_wait(reason) }
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.shared.activity.end_wait(self.id);
        self.shared.counters.record_step(self.shared.clock.now());
    }
}
