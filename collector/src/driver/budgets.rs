//! Budgets: when their next windows begin, and as operators see them.

use heartline_config::BudgetSetting;
use heartline_fleet::{
    AgentBudgetView, AgentIndex, BudgetRule, BudgetScope, BudgetSetup, BudgetView, BudgetWindow,
    Fleet, Input, MonoTime,
};
use heartline_operator::message::{AgentBudget, BudgetStatus, BudgetTarget, BudgetTerms};

use super::Driver;
use crate::budget_window::window_at;

/// Budgets as they were set last, and when a window of them ends next.
#[derive(Debug)]
pub(super) struct BudgetClock {
    settings: Vec<BudgetSetting>,
    next_ms: i64,
}

impl BudgetClock {
    /// Returns a clock that looks at once.
    pub(super) fn new(settings: Vec<BudgetSetting>) -> Self {
        Self { settings, next_ms: i64::MIN }
    }
}

impl Driver {
    /// Begins the windows whose time has come. To be called before messages are handled, so that what is
    /// spent counts in the window in which it was received. A window never goes back: where the wall clock
    /// was set back, it lasts until that has come to its end again.
    pub(super) fn begin_budget_windows(&mut self, now: MonoTime) {
        let wall_ms = self.anchor.wall_ms(now);
        if wall_ms < self.budgets.next_ms {
            return;
        }
        let ended: Vec<u16> = (0..)
            .zip(self.fleet.budget_windows())
            .filter(|(_, (_, window))| window.to_ms <= wall_ms)
            .map(|(budget, _)| budget)
            .collect();
        for budget in ended {
            let Some(setting) = self.budgets.settings.get(usize::from(budget)) else { continue };
            let window = window_at(setting, wall_ms, self.anchor);
            self.handle(Input::BudgetWindow { budget, window }, now);
        }
        let ends = self.fleet.budget_windows().map(|(_, window)| window.to_ms);
        self.budgets.next_ms = ends.min().unwrap_or(i64::MAX);
    }

    /// Replaces all budgets.
    pub(super) fn set_budgets(
        &mut self,
        settings: Vec<BudgetSetting>,
        setup: Box<BudgetSetup>,
        now: MonoTime,
    ) {
        self.handle(Input::Budgets(setup), now);
        self.budgets = BudgetClock::new(settings);
    }
}

/// Returns all budgets as operators see them.
pub(super) fn statuses(fleet: &Fleet) -> Vec<BudgetStatus> {
    let status = |budget: BudgetView<'_>| BudgetStatus {
        terms: terms(budget.rule, budget.window),
        used: budget.spent,
        agents: budget.members,
        top: budget.top.into_iter().map(|(agent, spent)| (agent.into(), spent)).collect(),
    };
    fleet.budgets().into_iter().map(status).collect()
}

/// Returns the budgets of an agent as operators see them.
pub(super) fn of_agent(fleet: &Fleet, index: AgentIndex) -> Vec<AgentBudget> {
    let budget = |it: AgentBudgetView<'_>| AgentBudget {
        terms: terms(it.rule, it.window),
        own: it.own,
        used: it.spent,
        is_lifted: it.is_lifted,
    };
    fleet.agent_budgets(index).into_iter().map(budget).collect()
}

fn terms(rule: &BudgetRule, window: &BudgetWindow) -> BudgetTerms {
    BudgetTerms {
        name: rule.name.to_string(),
        scope: match &rule.scope {
            BudgetScope::Each { pattern } => BudgetTarget::Each(pattern.to_string()),
            BudgetScope::Group { name } => BudgetTarget::Group(name.to_string()),
            BudgetScope::Fleet => BudgetTarget::Fleet,
        },
        unit: rule.unit,
        limit: rule.limit,
        period: rule.period,
        at_limit: rule.at_limit,
        resume: rule.resume,
        from_ms: window.from_ms,
        to_ms: window.to_ms,
        ends: window.ends.to_string(),
    }
}
