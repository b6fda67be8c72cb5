//! Budgets to read.

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
    pub top: Vec<(Box<str>, u64)>,
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
    /// Returns all budgets in the order in which they were set. Looks at every agent.
    pub fn budgets(&self) -> Vec<BudgetView<'_>> {
        let views = (0..).zip(&self.context.spending.budgets).map(|(budget, state)| {
            let mut top: Vec<(Box<str>, u64)> =
                self.spenders(budget).into_iter().map(|it| (it.agent, it.spent)).collect();
            let most = top.first().map_or(0, |(_, spent)| *spent);
            top.truncate(NAMED_MAX);
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
