//! Budgets to read.

use std::cmp::Reverse;

use crate::agent_table::AgentIndex;
use crate::budget_event::NAMED_MAX;
use crate::budget_rule::{BudgetRule, BudgetWindow};
use crate::fleet::Fleet;

/// A budget with what was spent of it in the window in force.
#[derive(Clone, Debug)]
pub struct BudgetView<'a> {
    pub rule: &'a BudgetRule,
    pub window: &'a BudgetWindow,
    /// By all members together; of a budget for each agent by the one that has spent most.
    pub spent: u64,
    /// Agents that it is for.
    pub members: u32,
    /// Those that have spent most, most first.
    pub top: Vec<(&'a str, u64)>,
}

/// A budget as one agent has it.
#[derive(Clone, Copy, Debug)]
pub struct AgentBudgetView<'a> {
    pub rule: &'a BudgetRule,
    pub window: &'a BudgetWindow,
    /// By the agent.
    pub own: u64,
    /// By all members; the same where it is for each agent.
    pub spent: u64,
    /// An operator has resumed the agent after it was killed by this budget in this window.
    pub is_lifted: bool,
}

impl Fleet {
    /// Returns all budgets in the order in which they were set. Looks at every agent once.
    pub fn budgets(&self) -> Vec<BudgetView<'_>> {
        let spending = &self.context.spending;
        let mut tops: Vec<Vec<(&str, u64)>> = vec![Vec::new(); spending.budgets.len()];
        for (index, agent) in self.agents() {
            for account in spending.accounts(index) {
                let budget = usize::from(account.budget);
                let spent = account.spent(&spending.budgets[budget], &agent.totals);
                insert_top(&mut tops[budget], &agent.name, spent);
            }
        }
        let views = spending.budgets.iter().zip(tops).map(|(state, top)| {
            let most = top.first().map_or(0, |(_, spent)| *spent);
            let spent = if state.rule.is_shared() { state.spent } else { most };
            let (rule, window, members) = (&state.rule, &state.window, state.members);
            BudgetView { rule, window, spent, members, top }
        });
        views.collect()
    }

    /// Returns the windows in force, in the order of the budgets.
    pub fn budget_windows(&self) -> impl Iterator<Item = (&BudgetRule, &BudgetWindow)> {
        self.context.spending.budgets.iter().map(|state| (&state.rule, &state.window))
    }

    /// Returns the names of the budgets that are for no agent.
    pub fn unmatched_budgets(&self) -> impl Iterator<Item = &str> {
        let budgets = self.context.spending.budgets.iter();
        budgets.filter(|state| state.members == 0).map(|state| &*state.rule.name)
    }

    /// Returns the budgets of an agent.
    pub fn agent_budgets(&self, index: AgentIndex) -> Vec<AgentBudgetView<'_>> {
        let Some(agent) = self.agents.get(index) else { return Vec::new() };
        let views = self.context.spending.accounts(index).iter().map(|account| {
            let state = &self.context.spending.budgets[usize::from(account.budget)];
            let own = account.spent(state, &agent.totals);
            AgentBudgetView {
                rule: &state.rule,
                window: &state.window,
                own,
                spent: if state.rule.is_shared() { state.spent } else { own },
                is_lifted: account.is_lifted(agent.is_killed()),
            }
        });
        views.collect()
    }
}

/// Inserts an agent into those that have spent most, which are few, most first; what has spent nothing is none.
fn insert_top<'a>(top: &mut Vec<(&'a str, u64)>, agent: &'a str, spent: u64) {
    let at = top.partition_point(|&(name, most)| (Reverse(most), name) < (Reverse(spent), agent));
    if spent > 0 && at < NAMED_MAX {
        top.truncate(NAMED_MAX - 1);
        top.insert(at, (agent, spent));
    }
}
