//! What agents have spent of their budgets, added up from rows of work one by one.

use std::collections::BTreeMap;

use heartline_fleet::{BudgetRule, BudgetScope, BudgetWindow, Fleet, WorkRow};
use heartline_vocabulary::{Identity, WorkTotals};

use super::violation::{CheckResult, ensure};

/// A budget, and what was spent in the window in force.
#[derive(Debug)]
pub(super) struct ExpectedBudget {
    pub(super) rule: BudgetRule,
    pub(super) window: BudgetWindow,
    /// Counts windows.
    pub(super) number: u32,
    /// By those that are members, and those that were.
    pub(super) spent: u64,
    /// By each member, by row id.
    pub(super) members: BTreeMap<i64, Spent>,
}

/// What one member has spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) own: u64,
    /// Tells the times apart at which it was a member.
    joined: u64,
}

/// Where a row of work was counted: budget, number of the window, and when its agent had joined.
type CountedAt = (usize, u32, u64);

/// All budgets.
#[derive(Debug, Default)]
pub(super) struct ExpectedSpending {
    pub(super) budgets: Vec<ExpectedBudget>,
    /// Rows that are not reported as stored yet, by ticket.
    unconfirmed: BTreeMap<u64, (i64, WorkTotals, Vec<CountedAt>)>,
    joins: u64,
}

impl ExpectedBudget {
    /// Returns the budget at a start of the collector.
    pub(super) fn new(rule: BudgetRule, window: BudgetWindow) -> Self {
        Self { rule, window, number: 0, spent: 0, members: BTreeMap::new() }
    }

    pub(super) fn is_shared(&self) -> bool {
        !matches!(self.rule.scope, BudgetScope::Each { .. })
    }

    /// Returns whether an agent is a member.
    pub(super) fn has(&self, agent: &str, identity: Option<&Identity>) -> bool {
        match &self.rule.scope {
            BudgetScope::Each { pattern } => &**pattern == "*" || &**pattern == agent,
            BudgetScope::Group { name } => {
                let group = identity.and_then(|it| it.shared.group.as_deref());
                group.is_some_and(|it| *it == **name)
            }
            BudgetScope::Fleet => true,
        }
    }

    /// Returns the sum that counts for a member.
    pub(super) fn sum_of(&self, id: i64) -> u64 {
        if self.is_shared() { self.spent } else { self.own(id) }
    }

    pub(super) fn own(&self, id: i64) -> u64 {
        self.members.get(&id).map_or(0, |it| it.own)
    }

    /// Returns the highest level that a sum has reached.
    pub(super) fn level_of(&self, sum: u64) -> u8 {
        let percent = sum.saturating_mul(100) / self.rule.limit;
        [100, 90, 75].into_iter().find(|&it| percent >= u64::from(it)).unwrap_or(0)
    }
}

impl ExpectedSpending {
    /// Adds a member that has spent this much already.
    pub(super) fn join(&mut self, budget: usize, id: i64, own: u64) {
        self.joins += 1;
        let spent = Spent { own, joined: self.joins };
        self.budgets[budget].members.insert(id, spent);
    }

    /// Takes in who is a member, of budgets of groups or of the others.
    pub(super) fn take_members(&mut self, fleet: &Fleet, groups: bool) {
        for budget in 0..self.budgets.len() {
            let is_group = matches!(self.budgets[budget].rule.scope, BudgetScope::Group { .. });
            if is_group != groups {
                continue;
            }
            let it = &self.budgets[budget];
            let stored = || fleet.agents().map(|(_, agent)| agent).filter(|it| it.is_stored());
            let members = || stored().filter(|agent| it.has(agent.name(), agent.identity()));
            let mut count = 0;
            let are_known = members()
                .inspect(|_| count += 1)
                .all(|agent| it.members.contains_key(&agent.id().0));
            if are_known && count == it.members.len() {
                continue;
            }
            let ids: Vec<i64> = members().map(|agent| agent.id().0).collect();
            self.budgets[budget].members.retain(|id, _| ids.contains(id));
            for id in ids {
                if !self.budgets[budget].members.contains_key(&id) {
                    self.join(budget, id, 0);
                }
            }
        }
    }

    /// Adds a row of work.
    pub(super) fn add(&mut self, row: &WorkRow) {
        let mut counted = Vec::new();
        for (at, budget) in self.budgets.iter_mut().enumerate() {
            let amount = budget.rule.unit.of(&row.work);
            if let Some(member) = budget.members.get_mut(&row.id.0) {
                member.own += amount;
                budget.spent += amount;
                counted.push((at, budget.number, member.joined));
            }
        }
        self.unconfirmed.insert(row.ticket.0, (row.id.0, row.work, counted));
    }

    /// Takes in that rows are stored up to a ticket, of which some were stored before: what was not new was not
    /// spent.
    pub(super) fn on_stored(&mut self, ticket: u64, known: &[u64]) {
        let later = self.unconfirmed.split_off(&(ticket + 1));
        let stored = std::mem::replace(&mut self.unconfirmed, later);
        for (_, (id, work, counted)) in stored.into_iter().filter(|it| known.contains(&it.0)) {
            for (budget, number, joined) in counted {
                let budget = &mut self.budgets[budget];
                let amount = budget.rule.unit.of(&work);
                let member = budget.members.get_mut(&id).filter(|it| it.joined == joined);
                if let Some(member) = member.filter(|_| budget.number == number) {
                    member.own -= amount;
                    budget.spent -= amount;
                }
            }
        }
    }

    pub(super) fn begin_window(&mut self, budget: usize, window: BudgetWindow) {
        let budget = &mut self.budgets[budget];
        budget.window = window;
        (budget.number, budget.spent) = (budget.number + 1, 0);
        budget.members.values_mut().for_each(|it| it.own = 0);
    }

    /// Checks what the collector shows.
    pub(super) fn check(&self, fleet: &Fleet) -> CheckResult {
        for (index, agent) in fleet.agents() {
            let id = agent.id().0;
            let shown = fleet.agent_budgets(index);
            let expected = self.budgets.iter().filter(|it| it.members.contains_key(&id));
            ensure!(shown.len() == expected.clone().count(), "{} has other budgets", agent.name());
            for (shown, expected) in shown.iter().zip(expected) {
                let sums = (expected.own(id), expected.sum_of(id));
                ensure!(
                    (shown.own, shown.spent) == sums,
                    "{} has spent {} and all {} of {}, not {sums:?}",
                    agent.name(),
                    shown.own,
                    shown.spent,
                    shown.rule.name
                );
            }
        }
        Ok(())
    }
}
