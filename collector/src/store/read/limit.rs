//! The limit of a query: its deadline, and whether its result is still wanted.

use std::sync::{Arc, Weak};
use std::time::Duration;

use heartline_fleet::MonoTime;

use super::ReadError;
use crate::clock;

/// Interrupts a query at its deadline, and as soon as its [`ResultGuard`] is dropped.
#[derive(Clone, Debug)]
pub(super) struct QueryLimit {
    timeout: Duration,
    deadline: MonoTime,
    guard: Weak<()>,
}

/// Held by the caller for as long as the result of a query is wanted.
#[derive(Debug)]
pub(super) struct ResultGuard {
    _alive: Arc<()>,
}

impl QueryLimit {
    /// Starts the time of a query.
    pub(super) fn start(timeout: Duration) -> (Self, ResultGuard) {
        let alive = Arc::new(());
        let guard = Arc::downgrade(&alive);
        (Self { timeout, deadline: clock::now() + timeout, guard }, ResultGuard { _alive: alive })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn is_past_deadline(&self) -> bool {
        clock::now() >= self.deadline
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.is_cancelled() || self.is_past_deadline()
    }

    fn is_cancelled(&self) -> bool {
        self.guard.strong_count() == 0
    }

    /// Returns the error of a query that this limit has interrupted.
    pub(super) fn error(&self, what: &'static str) -> ReadError {
        if self.is_cancelled() {
            ReadError::Cancelled { what }
        } else {
            ReadError::TimedOut { what, timeout: self.timeout }
        }
    }
}
