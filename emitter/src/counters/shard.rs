//! The counters that one thread writes.

use std::sync::atomic::{AtomicU64, Ordering};

use heartline_protocol::bucket::BUCKETS;

use crate::engine::Moment;
use crate::report::Report;

/// How many tasks in flight a shard can date.
pub(super) const DATED: usize = 256;

/// Sums that only grow. In a thread's own shard only that thread adds, with a load and a store; the
/// sender reads them at any time and takes differences, so nothing is locked, reset, lost or counted
/// twice. Aligned so that two threads never write to one cache line (or pair of lines).
#[repr(align(128))]
pub(super) struct Shard {
    sums: [AtomicU64; SUMS],
    /// When a task last began or ended, or a step was taken; 0: never.
    progress: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    /// When tasks in flight began; 0: the place is free. The shard's writers take places, whoever
    /// ends a task frees its place.
    begun_at: [AtomicU64; DATED],
}

/// What is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Sum {
    Ok,
    Failed,
    CostNanoUsd,
    TokensIn,
    TokensOut,
    Begun,
    Ended,
    Lost,
}

pub(super) const SUMS: usize = Sum::Lost as usize + 1;

/// Who else may be writing to the shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// Nobody.
    One,
    /// Threads that found no shard of their own.
    Many,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self {
            sums: [const { AtomicU64::new(0) }; SUMS],
            progress: AtomicU64::new(0),
            latency: [const { AtomicU64::new(0) }; BUCKETS],
            begun_at: [const { AtomicU64::new(0) }; DATED],
        }
    }

    #[inline]
    pub(super) fn add(&self, sum: Sum, count: u64, writers: Writers) {
        add(&self.sums[sum as usize], count, writers);
    }

    /// Counts one piece of work.
    #[inline]
    pub(super) fn record(&self, report: Report, writers: Writers) {
        self.add(report.outcome(), 1, writers);
        // Beyond the last bucket: there is no latency.
        if let Some(bucket) = self.latency.get(report.bucket()) {
            add(bucket, 1, writers);
        }
        if report.is_plain() {
            return;
        }
        for (sum, count) in report.sums() {
            if count > 0 {
                self.add(sum, count, writers);
            }
        }
    }

    pub(super) fn sum(&self, sum: Sum) -> u64 {
        self.sums[sum as usize].load(Ordering::Acquire)
    }

    /// Adds this shard's latencies to `into`.
    pub(super) fn add_latencies_to(&self, into: &mut [u64; BUCKETS]) {
        for (total, count) in into.iter_mut().zip(&self.latency) {
            *total = total.wrapping_add(count.load(Ordering::Relaxed));
        }
    }

    #[inline]
    pub(super) fn progressed(&self, now: Moment) {
        self.progress.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Finds a place for the start of a task, which whoever ends it sets to zero again; `None` when
    /// all are taken.
    #[inline]
    pub(super) fn date(&self, now: Moment, writers: Writers) -> Option<&AtomicU64> {
        let free = |place: &&AtomicU64| match writers {
            Writers::One if place.load(Ordering::Relaxed) == 0 => {
                place.store(now.as_nanos(), Ordering::Relaxed);
                true
            }
            Writers::One => false,
            Writers::Many => place
                .compare_exchange(0, now.as_nanos(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok(),
        };
        self.begun_at.iter().find(free)
    }

    /// When the oldest dated task began.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.begun_at
            .iter()
            .map(|place| place.load(Ordering::Relaxed))
            .filter(|&begun| begun != 0)
            .min()
    }
}

/// Release, so that who reads an end also reads its beginning; it costs nothing on x86.
#[inline]
fn add(counter: &AtomicU64, count: u64, writers: Writers) {
    match writers {
        Writers::One => {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(count);
            counter.store(sum, Ordering::Release);
        }
        Writers::Many => {
            counter.fetch_add(count, Ordering::Release);
        }
    }
}
