//! The queue of a writer thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_queue::SegQueue;
use heartline_fleet::MonoTime;

use crate::clock;

/// Batches for a writer thread, first in, first out. A push takes no lock: the driver, which pushes,
/// has a higher priority than the writer, and must never wait for it to be scheduled.
///
/// The queue has no bound of its own. For `history.db` the core bounds the work rows in flight and
/// [`super::Store::record`] sheds details; for `control.db` [`super::Store::persist`] bounds the rows.
#[derive(Debug)]
pub(super) struct WriteQueue<T> {
    /// Each batch with its number of rows.
    batches: SegQueue<(T, usize)>,
    rows: AtomicUsize,
    flush_now: AtomicBool,
    is_closed: AtomicBool,
    /// Set when the writer takes nothing more.
    is_drained: AtomicBool,
    writer: OnceLock<Thread>,
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
        Self {
            batches: SegQueue::new(),
            rows: AtomicUsize::new(0),
            flush_now: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_drained: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }

    /// Appends a batch; drops it when the queue is closed.
    pub(super) fn push(&self, batch: T, rows: usize, flush: FlushMode) {
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        self.rows.fetch_add(rows, Ordering::SeqCst);
        self.batches.push((batch, rows));
        if flush == FlushMode::Immediate {
            self.flush_now.store(true, Ordering::SeqCst);
        }
        if self.is_drained.load(Ordering::SeqCst) {
            // It was closed meanwhile, and nobody takes this.
            self.clear();
        }
        self.wake_writer();
    }

    /// Returns the number of queued rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.load(Ordering::SeqCst)
    }

    /// Refuses further batches, and wakes the writer to write those that are queued.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.wake_writer();
    }

    /// Drops the batches that a writer that panicked has left, with the senders in them.
    pub(super) fn clear(&self) {
        while self.batches.pop().is_some() {}
    }

    /// Collects the next group commit. For the writer's thread alone.
    pub(super) fn drain(&self, group: &GroupCommit) -> DrainedBatches<T> {
        self.wait(group.idle_timeout, || !self.batches.is_empty());
        self.wait(group.delay, || {
            self.batches.is_empty()
                || self.flush_now.load(Ordering::SeqCst)
                || self.rows() >= group.max_rows
        });
        // A batch that comes from here on is taken now, or flushed with the next group.
        let was_flush = self.flush_now.swap(false, Ordering::SeqCst);
        let (mut batches, mut drained_rows) = (Vec::new(), 0);
        while drained_rows < group.max_rows {
            let Some((batch, rows)) = self.batches.pop() else { break };
            drained_rows += rows;
            batches.push(batch);
        }
        self.rows.fetch_sub(drained_rows, Ordering::SeqCst);
        let is_closed = self.is_closed.load(Ordering::SeqCst);
        if is_closed && self.batches.is_empty() {
            self.is_drained.store(true, Ordering::SeqCst);
        }
        // One that was pushed in between finds the mark, or is found here.
        let is_empty = self.batches.is_empty();
        if was_flush && !is_empty {
            self.flush_now.store(true, Ordering::SeqCst);
        }
        DrainedBatches { batches, is_last: is_closed && is_empty }
    }

    /// Waits until the queue is closed, at most `timeout`; returns whether it is. For the writer's
    /// thread alone.
    pub(super) fn wait_closed(&self, timeout: Duration) -> bool {
        self.wait(timeout, || false);
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Waits until `is_ready`, until the queue is closed, or until the timeout.
    fn wait(&self, timeout: Duration, is_ready: impl Fn() -> bool) {
        self.writer.get_or_init(thread::current);
        // Either a producer sees who waits, or this sees what it pushed.
        fence(Ordering::SeqCst);
        let deadline: MonoTime = clock::now() + timeout;
        loop {
            let left = deadline.since(clock::now());
            if is_ready() || self.is_closed.load(Ordering::SeqCst) || left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn wake_writer(&self) {
        fence(Ordering::SeqCst);
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
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

    #[test]
    fn many_producers_wake_the_writer_and_nothing_is_left() {
        const BATCHES: usize = 20_000;
        let queue = WriteQueue::new();
        let group = GroupCommit { idle_timeout: LONG, delay: Duration::ZERO, max_rows: 100 };
        let drained = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut count = 0;
                loop {
                    let drained = queue.drain(&group);
                    count += drained.batches.len();
                    if drained.is_last {
                        return count;
                    }
                }
            });
            let producers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..BATCHES {
                            queue.push((), 1, FlushMode::Immediate);
                        }
                    })
                })
                .collect();
            for producer in producers {
                producer.join().unwrap();
            }
            queue.close();
            writer.join().unwrap()
        });
        assert_eq!((drained, queue.rows()), (4 * BATCHES, 0));
    }
}
