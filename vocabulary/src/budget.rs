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

named! {
    /// The window in which a budget counts. Windows begin at full hours, or at midnight, local time.
    BudgetPeriod {
        /// An hour.
        Hour = "hour",
        /// A day.
        Day = "day",
    }
}

named! {
    /// What happens when a budget is used up.
    AtLimit {
        /// It is told.
        Warn = "warn",
        /// Agents are killed, and emitters stop by themselves.
        Kill = "kill",
    }
}

named! {
    /// When those that a budget has killed are resumed.
    BudgetResume {
        /// By an operator.
        Never = "never",
        /// When the next window begins, unless somebody else has killed them since.
        NextWindow = "next-window",
    }
}

/// Nano-dollars in a dollar, and in a cent.
const USD: u64 = 1_000_000_000;
const CENT: u64 = USD / 100;

impl BudgetUnit {
    /// Returns the amount of this unit in some work, saturating.
    pub const fn of(self, work: &WorkTotals) -> u64 {
        match self {
            Self::Tasks => work.ok.saturating_add(work.failed),
            Self::Tokens => work.tokens_in.saturating_add(work.tokens_out),
            Self::Cost => work.cost_nano_usd,
        }
    }

    /// Formats an amount: `$12.50`, `$0.0042`, `120 tasks`.
    pub fn format(self, amount: u64) -> String {
        match self {
            Self::Tasks if amount == 1 => "1 task".to_owned(),
            Self::Tasks => format!("{amount} tasks"),
            Self::Tokens => format!("{amount} tokens"),
            // Rounded down: nothing is said to be used up that is not.
            Self::Cost if amount == 0 || amount >= CENT => {
                format!("${}.{:02}", amount / USD, amount % USD / CENT)
            }
            Self::Cost => format!("${}", format!("0.{amount:09}").trim_end_matches('0')),
        }
    }
}

/// Returns which part of a limit is used, in percent, rounded down.
pub fn percent_used(used: u64, limit: u64) -> u64 {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_down_to_what_matters() {
        let cost = |nano| BudgetUnit::Cost.format(nano);
        assert_eq!(cost(0), "$0.00");
        assert_eq!(cost(50 * USD), "$50.00");
        assert_eq!(cost(49_999_999_999), "$49.99");
        assert_eq!(cost(4_200_000), "$0.0042");
        assert_eq!((cost(1), cost(CENT)), ("$0.000000001".to_owned(), "$0.01".to_owned()));
        assert_eq!(BudgetUnit::Tasks.format(1), "1 task");
        assert_eq!(BudgetUnit::Tokens.format(1_200_000), "1200000 tokens");
    }

    #[test]
    fn a_limit_is_used_up_at_100_percent_and_not_before() {
        assert_eq!((percent_used(999, 1_000), percent_used(1_000, 1_000)), (99, 100));
        assert_eq!((percent_used(u64::MAX, 1), percent_used(5, 0)), (u64::MAX, 500));
    }
}
