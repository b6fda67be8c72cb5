//! What the engine asks its agent for: how it is, and what it did.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_protocol::Phase;
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::{self, PackedHistogram};

use super::moment::Moment;

/// Longest packed histogram of one segment, in bytes: a beat always has room for it beside its
/// longest step, its largest numbers and the longest agent id (`SPEC.md`, section 9).
pub(super) const LATENCY_MAX: usize = 800;

/// Where the engine gets what it sends. Asked once for each message, never in between.
pub trait Workload {
    /// How the agent is at this moment.
    fn vitals(&mut self, now: Moment) -> Vitals;

    /// Moves work that has not been taken yet into `work`, which comes empty; says whether there
    /// was any. What does not fit stays for the next time. What was taken is the engine's: it is
    /// never asked for again and must not be given again.
    fn take(&mut self, work: &mut Work) -> bool;
}

/// How an agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// What it is doing.
    pub phase: Phase,
    /// Tasks begun and not ended.
    pub in_flight: u32,
    /// Age of the oldest of them.
    pub oldest_in_flight: Option<Duration>,
    /// Time since anything was last begun, ended or stepped; `None`: never.
    pub progress_age: Option<Duration>,
    /// Length of its backlog.
    pub queue: Option<u32>,
    /// Name of its current step; cut to 64 bytes.
    pub step: Option<String>,
    /// Observations that could not be counted.
    pub lost_observations: u64,
}

/// The sums of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Tasks that succeeded.
    pub ok: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Cost, in nano-dollars.
    pub cost_nano_usd: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    latency: Vec<u8>,
    observations: u64,
    next_bucket: u16,
    last_bucket: u16,
}

impl Work {
    /// Adds `count` latencies of one bucket (see [`bucket::index`]). Buckets must come in
    /// ascending order. Says whether it was taken: no when the segment is full, when the order is
    /// broken, when the count is zero, or when the counts would add up to more than [`COUNT_MAX`].
    pub fn push_latency(&mut self, bucket: u16, count: u64) -> bool {
        let in_order = bucket >= self.next_bucket && usize::from(bucket) < bucket::BUCKETS;
        if !in_order || count == 0 || count > COUNT_MAX - self.observations {
            return false;
        }
        let step = bucket - self.last_bucket;
        if self.latency.len() + bucket::packed_len(step, count) > LATENCY_MAX {
            return false;
        }
        bucket::pack(&mut self.latency, step, count);
        self.observations += count;
        self.last_bucket = bucket;
        self.next_bucket = bucket + 1;
        true
    }

    /// The latencies: buckets, ascending, and how many are in each.
    #[must_use]
    pub fn latencies(&self) -> Vec<(u16, u64)> {
        self.packed().pairs().collect()
    }

    pub(super) fn packed(&self) -> PackedHistogram<'_> {
        PackedHistogram::new(&self.latency).expect("push_latency keeps the packing valid")
    }

    /// Empties it, and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.latency.clear();
        *self = Self { latency: std::mem::take(&mut self.latency), ..Self::default() };
    }
}

/// Work counted in plain fields: the [`Workload`] of a simulation, or of a program that counts on
/// one thread.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How the agent is; ages as they shall be sent.
    pub vitals: Vitals,
    /// Sums not taken yet. (Its latencies stay empty: they are in `latency`.)
    pub open: Work,
    /// Latencies not taken yet: how many in each bucket.
    pub latency: BTreeMap<u16, u64>,
}

impl Workload for Tally {
    fn vitals(&mut self, _now: Moment) -> Vitals {
        self.vitals.clone()
    }

    fn take(&mut self, work: &mut Work) -> bool {
        let sums = [
            (&mut self.open.ok, &mut work.ok),
            (&mut self.open.failed, &mut work.failed),
            (&mut self.open.cost_nano_usd, &mut work.cost_nano_usd),
            (&mut self.open.tokens_in, &mut work.tokens_in),
            (&mut self.open.tokens_out, &mut work.tokens_out),
        ];
        let mut any = false;
        for (open, taken) in sums {
            *taken = (*open).min(COUNT_MAX);
            *open -= *taken;
            any |= *taken > 0;
        }
        while let Some((&bucket, &count)) = self.latency.first_key_value() {
            if !work.push_latency(bucket, count) {
                break;
            }
            self.latency.pop_first();
            any = true;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_that_does_not_fit_is_split_without_loss() {
        let full: BTreeMap<u16, u64> = (0..bucket::BUCKETS as u16)
            .map(|bucket| (bucket, u64::from(bucket) * 100 + 1))
            .collect();
        let mut tally = Tally { latency: full.clone(), ..Tally::default() };
        let (mut work, mut sum, mut parts) = (Work::default(), BTreeMap::new(), 0);
        while tally.take(&mut work) {
            assert!(work.packed().as_bytes().len() <= LATENCY_MAX);
            for (bucket, count) in work.latencies() {
                *sum.entry(bucket).or_insert(0) += count;
            }
            work.clear();
            parts += 1;
        }
        assert!(parts > 1);
        assert_eq!(sum, full);
    }

    #[test]
    fn latencies_out_of_order_or_range_are_not_taken() {
        let mut work = Work::default();
        assert!(work.push_latency(0, 1) && work.push_latency(7, 1));
        assert!(!work.push_latency(7, 1) && !work.push_latency(3, 1));
        assert!(!work.push_latency(8, 0) && !work.push_latency(bucket::BUCKETS as u16, 1));
        assert!(work.latencies() == [(0, 1), (7, 1)]);
    }
}
