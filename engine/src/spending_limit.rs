//! The point at which a budget is used up, in an emitter's own count (`SPEC.md`, section 12.1).

use heartline_protocol::BudgetUnit;
use heartline_vocabulary::WorkTotals;

/// Limit to what an emitter may count of one unit, since its first segment, before it starts no new
/// task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendingLimit {
    /// What is limited.
    pub unit: BudgetUnit,
    /// The sum at which nothing is left.
    pub total: u64,
}

impl SpendingLimit {
    /// Returns what is left of it after this work.
    pub fn left(&self, counted: &WorkTotals) -> u64 {
        self.total.saturating_sub(self.unit.of(counted))
    }
}
