//! Budgets: limits to the work that agents may do in a window of time.

use crate::named::named;
use crate::work::WorkTotals;

named! {
    /// What a budget limits.
    BudgetUnit {
        /// Tasks that ended, whatever their outcome.
        Tasks = "tasks",
        /// Tokens that models read and wrote.
        Tokens = "tokens",
        /// Cost, in nano-dollars.
        Cost = "cost",
    }
}

impl BudgetUnit {
    /// Returns the amount of this unit in some work, saturating.
    pub const fn of(self, work: &WorkTotals) -> u64 {
        match self {
            Self::Tasks => work.ok.saturating_add(work.failed),
            Self::Tokens => work.tokens_in.saturating_add(work.tokens_out),
            Self::Cost => work.cost_nano_usd,
        }
    }
}
