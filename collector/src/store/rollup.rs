//! Work and beats of one agent in one slot of time, which add up exactly.

use std::iter::Peekable;

use heartline_fleet::WorkRow;
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::{self, PackedHistogram};
use rusqlite::Row;

/// Largest count: what SQLite's integers hold. Counts saturate there.
const COUNT_CAP: u64 = i64::MAX as u64;

/// Work and beats of one agent in one slot of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rollup {
    pub(super) counts: WorkCounts,
    pub(super) latency: WorkLatencyHistogram,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkCounts {
    pub(super) beats: u64,
    pub(super) lost: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) cost_nano_usd: u64,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
}

/// Work and beats of many agents or slots, added up. Its size is fixed.
#[derive(Clone, Debug, Default)]
pub(super) struct RollupSum {
    pub(super) counts: WorkCounts,
    pub(super) latency: LatencyBuckets,
}

/// Counts of all buckets.
#[derive(Clone, Debug)]
pub(super) struct LatencyBuckets(Box<[u64]>);

/// `(bucket, count)` pairs, buckets ascending, without empty ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkLatencyHistogram(Vec<(u16, u64)>);

const COUNT_COLUMNS: usize = 7;
/// The columns of a [`Rollup`] in a result row: those of [`WorkCounts`] in its order, then the
/// packed latencies.
pub(super) const ROLLUP_COLUMNS: usize = COUNT_COLUMNS + 1;

impl Rollup {
    pub(super) fn add(&mut self, counts: &WorkCounts, packed_latency: &[u8]) {
        self.counts.add(counts);
        self.latency.add_packed(packed_latency);
    }

    /// Adds the first [`ROLLUP_COLUMNS`] columns of a result row.
    pub(super) fn add_row(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.add(&WorkCounts::read(row)?, WorkCounts::latency(row)?);
        Ok(())
    }
}

impl RollupSum {
    /// Adds a rollup; latencies that are no packed histogram add nothing.
    pub(super) fn add(&mut self, counts: &WorkCounts, packed_latency: &[u8]) {
        self.counts.add(counts);
        if let Ok(packed) = PackedHistogram::new(packed_latency) {
            packed.pairs().for_each(|(bucket, count)| self.latency.add(bucket, count));
        }
    }

    pub(super) fn add_rollup(&mut self, rollup: &Rollup) {
        self.counts.add(&rollup.counts);
        rollup.latency.pairs().for_each(|(bucket, count)| self.latency.add(bucket, count));
    }

    pub(super) fn add_sum(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        other.latency.pairs().for_each(|(bucket, count)| self.latency.add(bucket, count));
    }
}

impl Default for LatencyBuckets {
    fn default() -> Self {
        Self(vec![0; bucket::BUCKETS].into_boxed_slice())
    }
}

impl LatencyBuckets {
    fn add(&mut self, bucket: u16, count: u64) {
        let sum = &mut self.0[usize::from(bucket)];
        *sum = sum.saturating_add(count);
    }

    /// Iterates over the buckets that are not empty, ascending.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        (0..).zip(self.0.iter().copied()).filter(|(_, count)| *count > 0)
    }

    pub(super) fn to_sparse(&self) -> WorkLatencyHistogram {
        WorkLatencyHistogram(self.pairs().collect())
    }
}

impl WorkCounts {
    pub(super) fn from_work(row: &WorkRow) -> Self {
        Self {
            beats: u64::from(row.beats),
            lost: u64::from(row.lost),
            ok: row.work.ok,
            failed: row.work.failed,
            cost_nano_usd: row.work.cost_nano_usd,
            tokens_in: row.work.tokens_in,
            tokens_out: row.work.tokens_out,
        }
    }

    /// Reads the first columns of a result row.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut counts = [0; COUNT_COLUMNS];
        for (column, count) in counts.iter_mut().enumerate() {
            *count = u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0);
        }
        Ok(Self::from_array(counts))
    }

    /// Reads the packed latencies behind the counts of a result row.
    pub(super) fn latency<'row>(row: &'row Row<'_>) -> rusqlite::Result<&'row [u8]> {
        Ok(row.get_ref(COUNT_COLUMNS)?.as_blob()?)
    }

    /// Returns the counts as columns of a table.
    pub(super) fn columns(&self) -> [i64; COUNT_COLUMNS] {
        self.to_array().map(|count| i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mut counts = self.to_array();
        for (count, other) in counts.iter_mut().zip(other.to_array()) {
            *count = count.saturating_add(other).min(COUNT_CAP);
        }
        *self = Self::from_array(counts);
    }

    fn to_array(self) -> [u64; COUNT_COLUMNS] {
        let Self { beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out } = self;
        [beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out]
    }

    fn from_array(counts: [u64; COUNT_COLUMNS]) -> Self {
        let [beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out] = counts;
        Self { beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out }
    }
}

impl WorkLatencyHistogram {
    /// Adds a packed histogram; bytes that are not one add nothing.
    pub(super) fn add_packed(&mut self, bytes: &[u8]) {
        let Ok(packed) = PackedHistogram::new(bytes) else { return };
        let mut theirs = packed.pairs().peekable();
        if theirs.peek().is_none() {
            return;
        }
        let mut ours = std::mem::take(&mut self.0).into_iter().peekable();
        while let Some(pair) = next_merged(&mut ours, &mut theirs) {
            self.0.push(pair);
        }
    }

    /// Iterates over `(bucket, count)` pairs, buckets ascending.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u16, u64)> + Clone + '_ {
        self.0.iter().copied()
    }

    /// Packs the histogram for the database. Counts above the format's largest total, which no real
    /// work reaches, are cut from the last buckets.
    pub(super) fn pack(&self) -> Vec<u8> {
        let (mut out, mut before, mut left) = (Vec::new(), 0, COUNT_MAX);
        for &(bucket, count) in &self.0 {
            let count = count.min(left);
            if count == 0 {
                break;
            }
            bucket::pack(&mut out, bucket - before, count);
            before = bucket;
            left -= count;
        }
        out
    }
}

fn next_merged<A, B>(ours: &mut Peekable<A>, theirs: &mut Peekable<B>) -> Option<(u16, u64)>
where
    A: Iterator<Item = (u16, u64)>,
    B: Iterator<Item = (u16, u64)>,
{
    match (ours.peek().copied(), theirs.peek().copied()) {
        (Some((our, count)), Some((their, more))) if our == their => {
            ours.next();
            theirs.next();
            Some((our, count.saturating_add(more)))
        }
        (Some((our, _)), Some((their, _))) if our < their => ours.next(),
        (Some(_), None) => ours.next(),
        _ => theirs.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(pairs: &[(u16, u64)]) -> Vec<u8> {
        WorkLatencyHistogram(pairs.to_vec()).pack()
    }

    #[test]
    fn histograms_add_up_exactly() {
        let mut sum = WorkLatencyHistogram::default();
        sum.add_packed(&packed(&[(0, 1), (70, 5), (1_032, 2)]));
        sum.add_packed(&packed(&[(0, 2), (69, 1), (71, 9)]));
        sum.add_packed(&[]);
        let expected = [(0, 3), (69, 1), (70, 5), (71, 9), (1_032, 2)];
        assert!(sum.pairs().eq(expected));
        let bytes = packed(&expected);
        assert!(PackedHistogram::new(&bytes).unwrap().pairs().eq(expected));
    }

    #[test]
    fn counts_saturate() {
        let mut sum = WorkLatencyHistogram::default();
        for _ in 0..3 {
            sum.add_packed(&packed(&[(5, COUNT_MAX - 1), (6, 1)]));
        }
        let bytes = packed(&sum.0);
        assert!(PackedHistogram::new(&bytes).unwrap().pairs().eq([(5, COUNT_MAX)]));

        let mut sums = WorkCounts { ok: COUNT_CAP - 1, ..WorkCounts::default() };
        sums.add(&WorkCounts { ok: 5, ..WorkCounts::default() });
        assert_eq!(sums.columns()[2], i64::MAX);
    }
}
