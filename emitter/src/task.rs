//! Tasks: what is counted and timed, and what a kill holds back.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll};
use std::thread;

use crate::counters::Ticket;
use crate::engine::Moment;
use crate::gate::Place;
use crate::report::{Outcome, Report};
use crate::shared::Shared;

/// A task in flight. It is counted, with its time, when it is dropped: as failed if its thread
/// panics, as succeeded otherwise. [`Task::ok`] and [`Task::fail`] end it with a word of their own.
///
/// It may be held across an `await` and dropped on another thread. A future that is cancelled drops
/// its task, which then counts as succeeded: say [`Task::fail`] where that is not so.
#[must_use = "a task lasts as long as its guard"]
pub struct Task<'a> {
    shared: &'a Shared,
    ticket: Ticket<'a>,
    begun: Moment,
    report: Report,
}

/// The agent is killed: no task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this agent is killed: an operator has to resume it before it starts another task")]
pub struct Killed;

impl<'a> Task<'a> {
    /// Begins a task, unless the agent is killed.
    #[inline]
    pub(crate) fn begin(shared: &'a Shared) -> Result<Self, Killed> {
        if shared.gate.is_closed() {
            return Err(Killed);
        }
        let begun = shared.clock.now();
        let ticket = shared.counters.begin(begun);
        // Looked at again: whoever closes the gate from here on finds this task in flight. Without
        // the fence each of the two could look before what it wrote is seen by the other: a task
        // would run in an agent that says it is quiet.
        fence(Ordering::SeqCst);
        if shared.gate.is_closed() {
            shared.counters.take_back(ticket);
            shared.ring();
            return Err(Killed);
        }
        Ok(Self { shared, ticket, begun, report: Report::ok() })
    }

    /// Begins a task, after waiting until the agent is not killed.
    #[inline]
    pub(crate) fn begin_when_open(shared: &'a Shared) -> Self {
        loop {
            if let Ok(task) = Self::begin(shared) {
                return task;
            }
            shared.gate.wait();
        }
    }

    /// Adds to what it cost, in US dollars. A cost that cannot be (negative, infinite, NaN) is left
    /// out and counted among the agent's lost observations.
    pub fn cost_usd(&mut self, usd: f64) {
        self.report = self.report.cost_usd(usd);
    }

    /// Adds to what it cost, in billionths of a US dollar.
    pub fn cost_nano_usd(&mut self, nano: u64) {
        self.report = self.report.cost_nano_usd(nano);
    }

    /// Adds to the tokens that models have read and written for it.
    pub fn tokens(&mut self, read: u64, written: u64) {
        self.report = self.report.tokens(read, written);
    }

    /// Ends it as succeeded.
    #[inline]
    pub fn ok(self) {
        ManuallyDrop::new(self).end(Outcome::Ok);
    }

    /// Ends it as failed.
    #[inline]
    pub fn fail(self) {
        ManuallyDrop::new(self).end(Outcome::Failed);
    }

    /// Counts it; nothing else is left to do at its end.
    #[inline]
    fn end(&self, outcome: Outcome) {
        let now = self.shared.clock.now();
        let report = self.report.with_outcome(outcome).latency_us(now.micros_since(self.begun));
        self.shared.counters.end(self.ticket, now, report);
        if self.shared.gate.is_closed() {
            // The last one to end makes the agent quiet, which the operator waits for.
            self.shared.ring();
        }
    }
}

impl Drop for Task<'_> {
    #[inline]
    fn drop(&mut self) {
        self.end(if thread::panicking() { Outcome::Failed } else { Outcome::Ok });
    }
}

/// Waits, without blocking a thread, until the agent is not killed, and begins a task then.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Admission<'a> {
    shared: &'a Shared,
    place: Place,
}

impl<'a> Admission<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared, place: Place::default() }
    }
}

impl<'a> Future for Admission<'a> {
    type Output = Task<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Task<'a>> {
        let this = &mut *self;
        loop {
            if let Ok(task) = Task::begin(this.shared) {
                return Poll::Ready(task);
            }
            if this.shared.gate.poll_open(&mut this.place, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.shared.gate.forget(&mut self.place);
    }
}

/// The agent waits for something outside of itself, until this is dropped.
#[must_use = "the wait lasts as long as its guard"]
pub struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl<'a> Waiting<'a> {
    pub(crate) fn begin(shared: &'a Shared, what: &str) -> Self {
        shared.counters.progressed(shared.clock.now());
        Self { shared, id: shared.board.wait(what) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.board.end_wait(self.id);
        self.shared.counters.progressed(self.shared.clock.now());
    }
}
