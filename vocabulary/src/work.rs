//! Work that agents report.

/// The largest total: that of the 64-bit integers of SQLite, so that totals in memory and on disk stop
/// at the same number.
const TOTAL_MAX: u64 = i64::MAX as u64;

/// An agent's work since it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WorkTotals {
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
}

/// Returns the share of tasks that succeeded, 0 to 1; `None` without any task.
pub fn success_rate(ok: u64, failed: u64) -> Option<f64> {
    let tasks = ok.saturating_add(failed);
    (tasks > 0).then(|| ok as f64 / tasks as f64)
}

impl WorkTotals {
    /// Returns the share of tasks that succeeded, 0 to 1; `None` without any task.
    pub fn success_rate(&self) -> Option<f64> {
        success_rate(self.ok, self.failed)
    }

    /// Returns the sum, saturating at 2⁶³ − 1.
    pub fn saturating_add(&self, more: &Self) -> Self {
        self.combine(more, |total, more| total.saturating_add(more).min(TOTAL_MAX))
    }

    /// Returns the difference, saturating.
    pub fn saturating_sub(&self, less: &Self) -> Self {
        self.combine(less, u64::saturating_sub)
    }

    fn combine(&self, other: &Self, operation: fn(u64, u64) -> u64) -> Self {
        Self {
            ok: operation(self.ok, other.ok),
            failed: operation(self.failed, other.failed),
            cost_nano_usd: operation(self.cost_nano_usd, other.cost_nano_usd),
            tokens_in: operation(self.tokens_in, other.tokens_in),
            tokens_out: operation(self.tokens_out, other.tokens_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_stop_at_what_the_database_can_hold() {
        let most = WorkTotals { ok: TOTAL_MAX - 1, ..WorkTotals::default() };
        let more = WorkTotals { ok: 2, failed: u64::MAX, ..WorkTotals::default() };
        let sum = most.saturating_add(&more);
        assert_eq!((sum.ok, sum.failed), (TOTAL_MAX, TOTAL_MAX));
        assert_eq!(i64::try_from(sum.ok), Ok(i64::MAX));
    }
}
