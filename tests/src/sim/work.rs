//! Sums of work.

use heartline_fleet::WorkRow;

use heartline_vocabulary::WorkTotals;

/// Sums of work, as done, sent, stored or shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) cost_nano_usd: u64,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
}

impl Work {
    pub(super) fn add(&mut self, more: &Self) {
        for (sum, more) in self.fields_mut().into_iter().zip(more.fields()) {
            *sum += more;
        }
    }

    pub(super) fn subtract(&mut self, less: &Self) {
        for (sum, less) in self.fields_mut().into_iter().zip(less.fields()) {
            *sum -= less;
        }
    }

    /// Whether no sum is above the other's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.fields().into_iter().zip(other.fields()).all(|(this, other)| this <= other)
    }

    fn fields(&self) -> [u64; 5] {
        [self.ok, self.failed, self.cost_nano_usd, self.tokens_in, self.tokens_out]
    }

    fn fields_mut(&mut self) -> [&mut u64; 5] {
        [
            &mut self.ok,
            &mut self.failed,
            &mut self.cost_nano_usd,
            &mut self.tokens_in,
            &mut self.tokens_out,
        ]
    }
}

impl From<&WorkRow> for Work {
    fn from(row: &WorkRow) -> Self {
        let WorkTotals { ok, failed, cost_nano_usd, tokens_in, tokens_out } = row.work;
        Self { ok, failed, cost_nano_usd, tokens_in, tokens_out }
    }
}

impl From<&WorkTotals> for Work {
    fn from(totals: &WorkTotals) -> Self {
        let WorkTotals { ok, failed, cost_nano_usd, tokens_in, tokens_out } = *totals;
        Self { ok, failed, cost_nano_usd, tokens_in, tokens_out }
    }
}

impl From<Work> for WorkTotals {
    fn from(work: Work) -> Self {
        let Work { ok, failed, cost_nano_usd, tokens_in, tokens_out } = work;
        Self { ok, failed, cost_nano_usd, tokens_in, tokens_out }
    }
}
