//! Counters that one thread writes.

use std::sync::atomic::{AtomicU64, Ordering};

use heartline_engine::MonoNanos;
use heartline_protocol::bucket::BUCKETS;

use crate::report::Report;

/// Number of tasks in flight whose progress a shard can hold.
pub(super) const TASK_SLOTS: usize = 256;

/// Counters that only grow. In a thread's own shard only that thread adds, with a load and a store;
/// the sender reads them at any time and takes differences, so nothing is locked, reset, lost or
/// counted twice. Aligned so that two threads never write to one cache line (or pair of lines).
#[repr(align(128))]
pub(super) struct CounterShard {
    counts: [AtomicU64; COUNTERS],
    /// Time when a task last began or ended, or a step was taken; 0: never.
    last_progress: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    /// When each task in flight began, or took its last step; 0: the slot is free. The shard's writers
    /// take slots, and the end of the task, on any thread, frees its slot.
    task_progress_at: [AtomicU64; TASK_SLOTS],
}

/// Names a counter of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum CounterId {
    Ok,
    Failed,
    CostNanoUsd,
    TokensIn,
    TokensOut,
    Begun,
    Ended,
    Lost,
}

pub(super) const COUNTERS: usize = CounterId::Lost as usize + 1;

/// Access of a thread to a shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ShardAccess {
    Exclusive,
    /// By all threads without a shard of their own.
    Shared,
}

impl CounterShard {
    pub(super) fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; COUNTERS],
            last_progress: AtomicU64::new(0),
            latency: [const { AtomicU64::new(0) }; BUCKETS],
            task_progress_at: [const { AtomicU64::new(0) }; TASK_SLOTS],
        }
    }

    #[inline]
    pub(super) fn add(&self, counter: CounterId, count: u64, access: ShardAccess) {
        add(&self.counts[counter as usize], count, access);
    }

    /// Counts one piece of work.
    #[inline]
    pub(super) fn record(&self, report: Report, access: ShardAccess) {
        self.add(report.outcome(), 1, access);
        // A report without latency has a bucket beyond the last one.
        if let Some(bucket) = self.latency.get(report.bucket()) {
            add(bucket, 1, access);
        }
        if report.has_no_sums() {
            return;
        }
        for (counter, count) in report.sums() {
            if count > 0 {
                self.add(counter, count, access);
            }
        }
    }

    pub(super) fn load(&self, counter: CounterId) -> u64 {
        self.counts[counter as usize].load(Ordering::Acquire)
    }

    pub(super) fn add_latencies_to(&self, into: &mut [u64; BUCKETS]) {
        for (total, count) in into.iter_mut().zip(&self.latency) {
            *total = total.wrapping_add(count.load(Ordering::Relaxed));
        }
    }

    #[inline]
    pub(super) fn record_progress(&self, now: MonoNanos) {
        self.last_progress.store(now.get(), Ordering::Relaxed);
    }

    pub(super) fn last_progress(&self) -> u64 {
        self.last_progress.load(Ordering::Relaxed)
    }

    /// Takes a slot for a task that begins, to be set to zero at its end; `None` when all are taken.
    #[inline]
    pub(super) fn take_task_slot(&self, now: MonoNanos, access: ShardAccess) -> Option<&AtomicU64> {
        let free = |slot: &&AtomicU64| match access {
            ShardAccess::Exclusive if slot.load(Ordering::Relaxed) == 0 => {
                slot.store(now.get(), Ordering::Relaxed);
                true
            }
            ShardAccess::Exclusive => false,
            ShardAccess::Shared => {
                slot.compare_exchange(0, now.get(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
            }
        };
        self.task_progress_at.iter().find(free)
    }

    /// Records a step of every task with a slot; returns whether there is any.
    pub(super) fn record_step(&self, now: MonoNanos) -> bool {
        let mut has_tasks = false;
        for slot in &self.task_progress_at {
            let before = slot.load(Ordering::Relaxed);
            if before != 0 {
                has_tasks = true;
                // A task that ends meanwhile frees its slot, which must stay free.
                let _ =
                    slot.compare_exchange(before, now.get(), Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        has_tasks
    }

    /// Returns when the task with a slot that has been quiet for longest began or took its last step.
    pub(super) fn quietest_task(&self) -> Option<u64> {
        self.task_progress_at
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .filter(|&begun| begun != 0)
            .min()
    }
}

/// Adds with release order, so that a reader of an end also reads its beginning; it costs nothing
/// on x86.
#[inline]
fn add(counter: &AtomicU64, count: u64, access: ShardAccess) {
    match access {
        ShardAccess::Exclusive => {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(count);
            counter.store(sum, Ordering::Release);
        }
        ShardAccess::Shared => {
            counter.fetch_add(count, Ordering::Release);
        }
    }
}
