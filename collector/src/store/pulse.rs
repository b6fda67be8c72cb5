//! What the writers show of themselves without being asked: their commits and turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The pulse of both writers.
#[derive(Debug, Default)]
pub struct WriterPulse {
    history_commits: AtomicU64,
    last_commit_us: AtomicU64,
    longest_commit_us: AtomicU64,
    control_turns: AtomicU64,
}

impl WriterPulse {
    /// Returns the number of commits to `history.db` since the start. There is one every four seconds at least.
    pub fn history_commits(&self) -> u64 {
        self.history_commits.load(Ordering::Relaxed)
    }

    /// Returns how long the last of them took, and the longest, in microseconds.
    pub fn commit_us(&self) -> (u64, u64) {
        (
            self.last_commit_us.load(Ordering::Relaxed),
            self.longest_commit_us.load(Ordering::Relaxed),
        )
    }

    /// Returns how often the writer of `control.db` has looked at what there is to do: at least once a second, also
    /// where that is nothing.
    pub fn control_turns(&self) -> u64 {
        self.control_turns.load(Ordering::Relaxed)
    }

    pub(super) fn history_committed(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last_commit_us.store(us, Ordering::Relaxed);
        self.longest_commit_us.fetch_max(us, Ordering::Relaxed);
        self.history_commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn control_turned(&self) {
        self.control_turns.fetch_add(1, Ordering::Relaxed);
    }
}
