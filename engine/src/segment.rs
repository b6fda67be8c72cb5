//! Segments of work: numbered, sent until durable, counted once.

use heartline_protocol::SegmentView;
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_vocabulary::WorkTotals;

use crate::metrics::MetricsSource;

/// Longest packed histogram of one segment, in bytes: a beat always has room for it beside its
/// longest step, its largest numbers and the longest agent id (`SPEC.md`, section 9).
const LATENCY_MAX: usize = 800;

/// Sums of one segment, built up before it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentBuilder {
    pub ok: u64,
    pub failed: u64,
    pub cost_nano_usd: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    latency: Vec<u8>,
    observations: u64,
    last_bucket: u16,
}

impl SegmentBuilder {
    /// Adds `count` latencies of one bucket (see [`bucket::index`]); returns false, and adds none,
    /// if the segment is full, the buckets do not ascend, the count is zero, or the counts would
    /// add up to more than [`COUNT_MAX`].
    pub fn push_latency(&mut self, bucket: u16, count: u64) -> bool {
        let ascends = bucket > self.last_bucket || self.observations == 0;
        let exists = usize::from(bucket) < bucket::BUCKETS;
        if !ascends || !exists || count == 0 || count > COUNT_MAX - self.observations {
            return false;
        }
        let step = bucket - self.last_bucket;
        if self.latency.len() + bucket::packed_len(step, count) > LATENCY_MAX {
            return false;
        }
        bucket::pack(&mut self.latency, step, count);
        self.observations += count;
        self.last_bucket = bucket;
        true
    }

    /// Returns the latencies as `(bucket, count)` pairs, buckets ascending.
    pub fn latencies(&self) -> Vec<(u16, u64)> {
        self.histogram().pairs().collect()
    }

    pub(crate) fn sums(&self) -> WorkTotals {
        WorkTotals {
            ok: self.ok,
            failed: self.failed,
            cost_nano_usd: self.cost_nano_usd,
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
        }
    }

    pub(crate) fn histogram(&self) -> PackedHistogram<'_> {
        PackedHistogram::new(&self.latency).expect("push_latency keeps the packing valid")
    }
}

/// The one segment that may be in flight: its numbers stay as they are until the collector has it
/// on disk, so an ack that is lost, late or duplicated changes no sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingSegment {
    last_number: u64,
    pending: Option<SegmentBuilder>,
    /// All work that was taken so far, the pending segment's included. It goes on in new sessions.
    taken: WorkTotals,
    /// Sequence of the first message that carried the pending one, if one has.
    first_sequence: Option<u64>,
}

impl PendingSegment {
    /// Takes open work under the next number if no segment is pending; returns whether one is now.
    pub(crate) fn fill(&mut self, metrics: &mut dyn MetricsSource) -> bool {
        if self.pending.is_none() {
            let mut segment = SegmentBuilder::default();
            if metrics.take(&mut segment) {
                self.last_number += 1;
                self.first_sequence = None;
                self.taken = self.taken.saturating_add(&segment.sums());
                self.pending = Some(segment);
            }
        }
        self.pending.is_some()
    }

    /// Records that the message of `sequence` carries the pending segment.
    pub(crate) fn record_carried(&mut self, sequence: u64) {
        self.first_sequence.get_or_insert(sequence);
    }

    /// Drops the pending segment if the collector has all up to `durable` on disk.
    pub(crate) fn acknowledge(&mut self, durable: u64) {
        if durable >= self.last_number {
            self.pending = None;
        }
    }

    /// Returns all work that was taken so far.
    pub(crate) fn taken(&self) -> &WorkTotals {
        &self.taken
    }

    /// Returns all work that was taken up to the end of a segment; `None` where more is durable.
    pub(crate) fn taken_up_to(&self, number: u64) -> Option<WorkTotals> {
        match &self.pending {
            Some(pending) if number.checked_add(1) == Some(self.last_number) => {
                Some(self.taken.saturating_sub(&pending.sums()))
            }
            _ => (number >= self.last_number).then_some(self.taken),
        }
    }

    /// Begins the numbers of a new session, after another process was found to have this one too. The
    /// pending segment goes along, unless a live message has brought it: the highest of those that were
    /// acknowledged is `live_sequence`.
    pub(crate) fn begin_session(&mut self, live_sequence: u64) {
        if self.first_sequence.is_some_and(|first| first <= live_sequence) {
            self.pending = None;
        }
        self.last_number = u64::from(self.pending.is_some());
        self.first_sequence = None;
    }

    /// Returns the number of the pending segment.
    pub(crate) fn number(&self) -> Option<u64> {
        self.pending.as_ref().map(|_| self.last_number)
    }

    /// Returns the pending segment as a message carries it.
    pub(crate) fn view(&self) -> Option<SegmentView<'_>> {
        self.pending.as_ref().map(|segment| SegmentView {
            number: self.last_number,
            ok: segment.ok,
            failed: segment.failed,
            cost_nano_usd: segment.cost_nano_usd,
            tokens_in: segment.tokens_in,
            tokens_out: segment.tokens_out,
            latency: segment.histogram(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metrics::InMemoryMetrics;

    #[test]
    fn a_histogram_that_does_not_fit_is_split_without_loss() {
        let full: BTreeMap<u16, u64> = (0..bucket::BUCKETS as u16)
            .map(|bucket| (bucket, u64::from(bucket) * 100 + 1))
            .collect();
        let mut metrics = InMemoryMetrics { latency: full.clone(), ..InMemoryMetrics::default() };
        let (mut segment, mut sum, mut parts) = (SegmentBuilder::default(), BTreeMap::new(), 0);
        while metrics.take(&mut segment) {
            assert!(segment.histogram().as_bytes().len() <= LATENCY_MAX);
            for (bucket, count) in segment.latencies() {
                *sum.entry(bucket).or_insert(0) += count;
            }
            segment = SegmentBuilder::default();
            parts += 1;
        }
        assert!(parts > 1);
        assert_eq!(sum, full);
    }

    #[test]
    fn latencies_out_of_order_or_range_are_rejected() {
        let mut segment = SegmentBuilder::default();
        assert!(segment.push_latency(0, 1) && segment.push_latency(7, 1));
        assert!(!segment.push_latency(7, 1) && !segment.push_latency(3, 1));
        assert!(!segment.push_latency(8, 0) && !segment.push_latency(bucket::BUCKETS as u16, 1));
        assert!(segment.latencies() == [(0, 1), (7, 1)]);
    }
}
