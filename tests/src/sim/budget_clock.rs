//! The wall clock of a collector, and the windows of its budgets.

use heartline_fleet::{BudgetSetup, Input, MonoTime, ReachedLevels, SpendingBase};
use heartline_vocabulary::AgentRowId;

use super::violation::CheckResult;
use super::world::SimWorld;

/// Returns the time of a wall clock that is ahead of the collector's by `ahead_ms`.
pub(super) fn wall_ms(at: MonoTime, ahead_ms: i64) -> i64 {
    at.nanos().div_euclid(1_000_000) + ahead_ms
}

impl SimWorld {
    /// Returns all budgets, with what is stored of what was spent.
    pub(super) fn budget_setup(&self) -> BudgetSetup {
        let ahead_ms = self.disk.wall_ahead_ms;
        let wall_ms = wall_ms(self.now, ahead_ms);
        let (mut budgets, mut bases) = (Vec::new(), Vec::new());
        for (budget, it) in (0..).zip(&self.plan.policy.budgets) {
            let window = it.window_at(wall_ms, ahead_ms);
            for (id, totals) in self.disk.history.totals_at(window.from_ms) {
                let total = it.rule.unit.of(&totals);
                bases.push(SpendingBase { budget, id: AgentRowId(id), total });
            }
            budgets.push((it.rule.clone(), window));
        }
        BudgetSetup { budgets, bases, reached: ReachedLevels::Told }
    }

    /// Begins the windows whose time has come, before anything else is handled, as the collector does.
    pub(super) fn begin_budget_windows(&mut self) -> CheckResult {
        let Some(instance) = &self.collector.instance else { return Ok(()) };
        let ahead_ms = self.disk.wall_ahead_ms;
        let wall_ms = wall_ms(self.now, ahead_ms);
        if self.budgets.spending.budgets.iter().all(|it| it.window.to_ms > wall_ms) {
            return Ok(());
        }
        let windows = (0..).zip(instance.fleet.budget_windows());
        let ended: Vec<u16> =
            windows.filter(|(_, it)| it.1.to_ms <= wall_ms).map(|(budget, _)| budget).collect();
        for budget in ended {
            let window = self.plan.policy.budgets[usize::from(budget)].window_at(wall_ms, ahead_ms);
            self.trace(|| format!("window {} of budget {budget} begins", window.from_ms));
            self.budgets.begin_window(usize::from(budget), window.clone());
            self.step_core(Input::BudgetWindow { budget, window })?;
        }
        Ok(())
    }
}
