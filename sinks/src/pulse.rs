//! What a worker and whoever judges agents see of each other, without a lock.
//!
//! A worker counts its turns, so that one that hangs is found out. Whoever judges agents says again and again that it
//! does: only then a worker tells others that the collector lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The pulse of one worker. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct WorkerPulse(Arc<PulseCells>);

#[derive(Debug, Default)]
struct PulseCells {
    turns: AtomicU64,
    permissions: AtomicU64,
    is_stopping: AtomicBool,
    /// Longest time that one turn may take.
    turn_ms: AtomicU64,
}

impl WorkerPulse {
    pub(crate) fn new(longest_turn: Duration) -> Self {
        let pulse = Self::default();
        let ms = u64::try_from(longest_turn.as_millis()).unwrap_or(u64::MAX);
        pulse.0.turn_ms.store(ms, Ordering::Relaxed);
        pulse
    }

    /// Returns how many turns the worker has begun.
    pub fn turns(&self) -> u64 {
        self.0.turns.load(Ordering::Relaxed)
    }

    /// Returns how long a turn may take: the time-out of one request.
    pub fn longest_turn(&self) -> Duration {
        Duration::from_millis(self.0.turn_ms.load(Ordering::Relaxed))
    }

    /// Returns whether the worker was told to end, so that no more turns are to be expected.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Relaxed)
    }

    /// Says that agents are judged. To be called for as long as they are.
    pub fn permit(&self) {
        self.0.permissions.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a turn.
    pub(crate) fn turn(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Returns how often it was said that agents are judged.
    pub(crate) fn permissions(&self) -> u64 {
        self.0.permissions.load(Ordering::Relaxed)
    }
}
