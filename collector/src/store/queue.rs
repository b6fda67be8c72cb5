//! The queue of a writer thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_fleet::MonoTime;

use crate::clock;

/// Batches for a writer thread, first in, first out. A push takes a lock for an instant and never
/// waits for the disk.
///
/// The queue has no bound of its own. For `history.db` the core bounds the work rows in flight and
/// [`super::Store::record`] sheds details; rows for `control.db` are neither bounded nor shed.
#[derive(Debug)]
pub(super) struct WriteQueue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState<T> {
    /// Each batch with its number of rows.
    batches: VecDeque<(T, usize)>,
    rows: usize,
    flush_now: bool,
    is_closed: bool,
}

/// When a batch is flushed to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlushMode {
    /// In the next group commit.
    Grouped,
    /// Without delay, with every batch before it.
    Immediate,
}

/// Limits of a group commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupCommit {
    /// Longest wait for the first batch.
    pub(super) idle_timeout: Duration,
    /// Longest wait for more batches after the first.
    pub(super) delay: Duration,
    /// Number of rows from which on nothing is waited for.
    pub(super) max_rows: usize,
}

/// The batches of one group commit, oldest first; none after the idle timeout.
#[derive(Debug)]
pub(super) struct DrainedBatches<T> {
    pub(super) batches: Vec<T>,
    /// Set when the queue is closed and this emptied it.
    pub(super) is_last: bool,
}

impl<T> WriteQueue<T> {
    pub(super) fn new() -> Self {
        let state =
            QueueState { batches: VecDeque::new(), rows: 0, flush_now: false, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Appends a batch; drops it when the queue is closed.
    pub(super) fn push(&self, batch: T, rows: usize, flush: FlushMode) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.batches.push_back((batch, rows));
        state.rows += rows;
        state.flush_now |= flush == FlushMode::Immediate;
        self.changed.notify_one();
    }

    /// Returns the number of queued rows.
    pub(super) fn rows(&self) -> usize {
        self.lock().rows
    }

    /// Refuses further batches, and wakes the writer to write those that are queued.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Drops the batches that a writer that panicked has left, with the senders in them.
    pub(super) fn clear(&self) {
        self.lock().batches.clear();
    }

    /// Collects the next group commit.
    pub(super) fn drain(&self, group: &GroupCommit) -> DrainedBatches<T> {
        let state = self.wait(self.lock(), group.idle_timeout, |state| !state.batches.is_empty());
        let is_ready = |state: &QueueState<T>| {
            state.batches.is_empty() || state.flush_now || state.rows >= group.max_rows
        };
        let mut state = self.wait(state, group.delay, is_ready);
        let (mut batches, mut drained_rows) = (Vec::new(), 0);
        while drained_rows < group.max_rows {
            let Some((batch, rows)) = state.batches.pop_front() else { break };
            drained_rows += rows;
            state.rows -= rows;
            batches.push(batch);
        }
        let is_empty = state.batches.is_empty();
        state.flush_now &= !is_empty;
        DrainedBatches { batches, is_last: state.is_closed && is_empty }
    }

    /// Waits until the queue is closed, at most `timeout`; returns whether it is.
    pub(super) fn wait_closed(&self, timeout: Duration) -> bool {
        self.wait(self.lock(), timeout, |_| false).is_closed
    }

    /// Waits until `is_ready`, until the queue is closed, or until the timeout.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, QueueState<T>>,
        timeout: Duration,
        is_ready: impl Fn(&QueueState<T>) -> bool,
    ) -> MutexGuard<'a, QueueState<T>> {
        let deadline: MonoTime = clock::now() + timeout;
        loop {
            let left = deadline.since(clock::now());
            if is_ready(&state) || state.is_closed || left.is_zero() {
                return state;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A poisoned lock is used all the same: every change under it is one step.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn drains_in_order_and_about_max_rows_at_once() {
        let queue = WriteQueue::new();
        for batch in 0..5 {
            queue.push(batch, 10, FlushMode::Grouped);
        }
        let group = GroupCommit { idle_timeout: LONG, delay: LONG, max_rows: 25 };
        let drained = queue.drain(&group);
        assert_eq!((drained.batches, drained.is_last), (vec![0, 1, 2], false));
        queue.close();
        let drained = queue.drain(&group);
        assert_eq!((drained.batches, drained.is_last), (vec![3, 4], true));
    }

    #[test]
    fn an_immediate_flush_takes_all_batches_before_it_along() {
        let queue = WriteQueue::new();
        queue.push('a', 1, FlushMode::Grouped);
        queue.push('b', 1, FlushMode::Immediate);
        let group = GroupCommit { idle_timeout: LONG, delay: LONG, max_rows: 1_000 };
        assert_eq!(queue.drain(&group).batches, ['a', 'b'], "without waiting for 600 s");
    }

    #[test]
    fn an_empty_queue_drains_nothing_after_the_idle_timeout() {
        let queue = WriteQueue::<u8>::new();
        let group = GroupCommit { idle_timeout: Duration::ZERO, delay: LONG, max_rows: 1 };
        assert!(queue.drain(&group).batches.is_empty());
    }

    #[test]
    fn a_closed_queue_drops_what_is_pushed() {
        let queue = WriteQueue::new();
        queue.close();
        queue.push((), 1, FlushMode::Immediate);
        let group = GroupCommit { idle_timeout: LONG, delay: LONG, max_rows: 1 };
        assert!(queue.drain(&group).batches.is_empty());
    }
}
