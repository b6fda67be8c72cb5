//! Work and beats of one agent in one slot of time, which add up exactly.

use std::iter::Peekable;

use heartline_fleet::WorkRow;
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::{self, PackedHistogram};
use rusqlite::Row;

/// Largest sum: what SQLite's integers hold. Sums stay here rather than turn over.
const SUM_MAX: u64 = i64::MAX as u64;

/// Work and beats of one agent in one slot of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rollup {
    pub(super) sums: Sums,
    pub(super) latency: Buckets,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) beats: u64,
    pub(super) lost: u64,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) cost_nano_usd: u64,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
}

/// Latencies: `(bucket, count)`, buckets ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buckets(Vec<(u16, u64)>);

/// The columns of [`Sums`], in its order.
pub(super) const SUM_COLUMNS: usize = 7;

impl Sums {
    /// What a row of work counts.
    pub(super) fn of(row: &WorkRow) -> Self {
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

    /// As the columns of a table, from `first` on.
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let mut sums = [0; SUM_COLUMNS];
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = u64::try_from(row.get::<_, i64>(first + index)?).unwrap_or(0);
        }
        Ok(Self::from_array(sums))
    }

    /// For the columns of a table.
    pub(super) fn columns(&self) -> [i64; SUM_COLUMNS] {
        self.to_array().map(|sum| i64::try_from(sum).unwrap_or(i64::MAX))
    }

    /// Adds other sums.
    pub(super) fn add(&mut self, other: &Self) {
        let (mut sums, others) = (self.to_array(), other.to_array());
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = sum.saturating_add(other).min(SUM_MAX);
        }
        *self = Self::from_array(sums);
    }

    fn to_array(self) -> [u64; SUM_COLUMNS] {
        let Self { beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out } = self;
        [beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out]
    }

    fn from_array(sums: [u64; SUM_COLUMNS]) -> Self {
        let [beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out] = sums;
        Self { beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out }
    }
}

impl Buckets {
    /// Adds a packed histogram. Bytes that are none add nothing: the counts beside them stand.
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

    /// The `(bucket, count)` pairs, buckets ascending.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.0.iter().copied()
    }

    /// The bytes for the database. What exceeds the format's largest total, which no agent reaches
    /// that tells the truth, is cut from the last buckets.
    pub(super) fn pack(&self, out: &mut Vec<u8>) {
        out.clear();
        let (mut before, mut left) = (0, COUNT_MAX);
        for &(bucket, count) in &self.0 {
            let count = count.min(left);
            if count == 0 {
                break;
            }
            bucket::pack(out, bucket - before, count);
            before = bucket;
            left -= count;
        }
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
        let mut out = Vec::new();
        Buckets(pairs.to_vec()).pack(&mut out);
        out
    }

    #[test]
    fn histograms_add_up_exactly() {
        let mut sum = Buckets::default();
        sum.add_packed(&packed(&[(0, 1), (70, 5), (1_032, 2)]));
        sum.add_packed(&packed(&[(0, 2), (69, 1), (71, 9)]));
        sum.add_packed(&[]);
        let expected = [(0, 3), (69, 1), (70, 5), (71, 9), (1_032, 2)];
        assert!(sum.pairs().eq(expected));
        let bytes = packed(&expected);
        assert!(PackedHistogram::new(&bytes).unwrap().pairs().eq(expected));
    }

    #[test]
    fn a_liars_counts_stay_readable() {
        let mut sum = Buckets::default();
        for _ in 0..3 {
            sum.add_packed(&packed(&[(5, COUNT_MAX - 1), (6, 1)]));
        }
        let bytes = packed(&sum.0);
        assert!(PackedHistogram::new(&bytes).unwrap().pairs().eq([(5, COUNT_MAX)]));

        let mut sums = Sums { ok: SUM_MAX - 1, ..Sums::default() };
        sums.add(&Sums { ok: 5, ..Sums::default() });
        assert_eq!(sums.columns()[2], i64::MAX);
    }
}
