//! What the agent may still spend of its budgets (`SPEC.md`, section 12.1).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use heartline_engine::SpendingLimit;
use heartline_protocol::BudgetUnit;

use crate::counters::{CounterId, Counters};

/// The tightest limit of each unit. The sender writes it, and tasks look at it when they begin.
#[derive(Debug)]
pub(crate) struct SpendingLimits {
    /// Whether there is any: all that most tasks look at.
    any: AtomicBool,
    /// By unit, in the order of [`BudgetUnit::ALL`]; [`u64::MAX`]: none.
    totals: [AtomicU64; BudgetUnit::ALL.len()],
}

impl Default for SpendingLimits {
    fn default() -> Self {
        let totals = [const { AtomicU64::new(u64::MAX) }; BudgetUnit::ALL.len()];
        Self { any: AtomicBool::new(false), totals }
    }
}

impl SpendingLimits {
    /// Replaces the limits by those of all collectors.
    pub(crate) fn replace(&self, limits: &[SpendingLimit]) {
        for (unit, total) in BudgetUnit::ALL.into_iter().zip(&self.totals) {
            let of_unit = limits.iter().filter(|limit| limit.unit == unit);
            let tightest = of_unit.map(|limit| limit.total).min().unwrap_or(u64::MAX);
            total.store(tightest, Ordering::Relaxed);
        }
        self.any.store(!limits.is_empty(), Ordering::Release);
    }

    /// Returns whether there is any limit.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Returns whether a limit is reached.
    #[cold]
    pub(crate) fn is_reached(&self, counters: &Counters) -> bool {
        BudgetUnit::ALL.into_iter().zip(&self.totals).any(|(unit, total)| {
            let total = total.load(Ordering::Relaxed);
            total != u64::MAX && counted(unit, counters) >= total
        })
    }
}

fn counted(unit: BudgetUnit, counters: &Counters) -> u64 {
    let of: &[CounterId] = match unit {
        BudgetUnit::Tasks => &[CounterId::Ok, CounterId::Failed],
        BudgetUnit::Tokens => &[CounterId::TokensIn, CounterId::TokensOut],
        BudgetUnit::Cost => &[CounterId::CostNanoUsd],
    };
    of.iter().fold(0, |sum, &counter| sum.saturating_add(counters.total(counter)))
}
