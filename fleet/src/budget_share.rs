//! What acks say that is left of an agent's budgets (`SPEC.md`, section 12.1).
//!
//! Decision rules, in the order of the code:
//! 1. only budgets that kill are told, and none to an agent that is killed, whose emitter has ended, or
//!    that an operator has resumed since the budget killed it;
//! 2. of a budget for each agent all that is left is the agent's;
//! 3. a shared budget that is used up stops those that have spent more than an equal share of its limit;
//!    the others are none of its top spenders, and go on;
//! 4. of what is left of a shared budget half is shared equally, and half by what each has spent in the
//!    window, but never what others were told and have not spent yet: so together they can't spend more
//!    than there is, however late they hear of each other;
//! 5. of several budgets the tightest is told: of those of one unit that of which the least is left, and of these that
//!    with the smallest part of its limit left.

use heartline_protocol::BudgetLeft;
use heartline_vocabulary::WorkTotals;

use crate::context::AgentMut;
use crate::spending::{BudgetState, SpendingAccount};

impl AgentMut<'_> {
    /// Returns what is left of the tightest budget, for an ack; `counts_pending`: also after the segment
    /// that is applied and not durable.
    pub(crate) fn budget_left(&mut self, counts_pending: bool) -> Option<BudgetLeft> {
        let (is_killed, has_ended) = (self.agent.is_killed(), self.agent.ended().is_some());
        let last = self.context.uncommitted_work.last_ticket();
        let totals = &self.agent.totals;
        let mut of_units: Vec<(u128, BudgetLeft)> = Vec::new();
        self.context.spending.for_each_account(self.index, |account, state| {
            let unit = state.rule.unit;
            account.roll(state, unit.of(totals), last);
            if is_killed || has_ended || !state.kills() || account.is_lifted(is_killed) {
                return;
            }
            let Some(amount) = state.left_for(account, totals) else { return };
            let part = (u128::from(amount) << 64) / u128::from(state.rule.limit.max(1));
            let left = (part, BudgetLeft { unit, amount, counts_pending });
            match of_units.iter_mut().find(|(_, of_unit)| of_unit.unit == unit) {
                Some(of_unit) if amount < of_unit.1.amount => *of_unit = left,
                Some(_) => {}
                None => of_units.push(left),
            }
        });
        of_units.into_iter().min_by_key(|(part, _)| *part).map(|(_, left)| left)
    }
}

impl BudgetState {
    fn left_for(&mut self, account: &mut SpendingAccount, totals: &WorkTotals) -> Option<u64> {
        let (own, limit) = (account.spent(self, totals), self.rule.limit);
        if !self.rule.is_shared() {
            return Some(limit.saturating_sub(own));
        }
        let members = u64::from(self.members.max(1));
        let left = limit.saturating_sub(self.spent);
        if left == 0 {
            return (own > limit / members).then_some(0);
        }
        let total = self.rule.unit.of(totals);
        let outstanding = account.outstanding(total);
        let of_others = self.leased.saturating_sub(outstanding);
        let share = share_of(left, own, self.spent, members).min(left.saturating_sub(of_others));
        account.lease = total.saturating_add(share);
        self.leased = of_others + share;
        Some(share)
    }
}

/// Returns the share of a member that has spent `own` of `spent`: half of what is left by that, half
/// equally; at least 1.
fn share_of(left: u64, own: u64, spent: u64, members: u64) -> u64 {
    let left = u128::from(left);
    let equally = left.div_ceil(u128::from(members));
    let share = match spent {
        0 => equally,
        spent => (left * u128::from(own) / u128::from(spent) + equally).div_ceil(2),
    };
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_shared_by_use_and_half_equally() {
        assert_eq!(share_of(100, 0, 0, 4), 25);
        assert_eq!(share_of(100, 60, 60, 4), 63);
        assert_eq!(share_of(100, 0, 60, 4), 13);
        assert_eq!(share_of(1, 0, 60, 1_000), 1);
        assert_eq!(share_of(u64::MAX, u64::MAX, u64::MAX, 1), u64::MAX);
    }
}
