//! What operators have set in a run beside the rules of health: budgets, replicas, and who is expected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{BudgetRule, BudgetScope, BudgetWindow, MonoTime, ReplicaRule};
use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit};

use crate::random::RngExt as _;

/// The settings of a run.
#[derive(Debug)]
pub(super) struct SimPolicy {
    pub(super) budgets: Vec<SimBudget>,
    /// The group of each agent.
    pub(super) groups: Vec<Option<&'static str>>,
    /// How many of each group must run.
    pub(super) replicas: BTreeMap<Arc<str>, ReplicaRule>,
    /// Who must come, and within what time.
    pub(super) expected: BTreeMap<Box<str>, Duration>,
}

/// A budget, with windows far shorter than an hour.
#[derive(Debug)]
pub(super) struct SimBudget {
    pub(super) rule: BudgetRule,
    window_ms: i64,
}

impl SimPolicy {
    pub(super) fn draw(agents: usize, interval_ms: u32, rng: &mut Rng) -> Self {
        let is_grouped = rng.chance(700);
        let group = |_| is_grouped.then(|| rng.pick(&["mail", "mail", "index"]));
        let groups: Vec<_> = (0..agents).map(group).collect();
        let count = if agents > 4 { 2 } else { rng.pick(&[0, 0, 1, 2, 3]) };
        let budgets = (0..count).map(|number| SimBudget::draw(number, agents, interval_ms, rng));
        let budgets = budgets.collect();
        let replicas = if rng.chance(500) { draw_replicas(&groups, rng) } else { BTreeMap::new() };
        let expected = if rng.chance(400) { draw_roster(agents, rng) } else { BTreeMap::new() };
        Self { budgets, groups, replicas, expected }
    }
}

impl SimBudget {
    fn draw(number: u64, agents: usize, interval_ms: u32, rng: &mut Rng) -> Self {
        let scope = match rng.u64(..5) {
            0 | 1 => BudgetScope::Each { pattern: rng.pick(&["*", "agent-0"]).into() },
            2 => BudgetScope::Group { name: "mail".into() },
            _ => BudgetScope::Fleet,
        };
        let is_shared = !matches!(scope, BudgetScope::Each { .. });
        let members = if is_shared { agents as u64 } else { 1 };
        let (unit, of_task) = rng.pick(&[
            (BudgetUnit::Tasks, 1),
            (BudgetUnit::Tokens, 165),
            (BudgetUnit::Cost, 2_500),
        ]);
        let rule = BudgetRule {
            name: format!("budget-{number}").into(),
            scope,
            unit,
            limit: rng.u64(2..=25) * members * of_task,
            period: rng.pick(&[BudgetPeriod::Hour, BudgetPeriod::Day]),
            at_limit: rng.pick(&[AtLimit::Kill, AtLimit::Kill, AtLimit::Warn]),
            resume: rng.pick(&[
                BudgetResume::NextWindow,
                BudgetResume::NextWindow,
                BudgetResume::Never,
            ]),
        };
        let window = Duration::from_millis(u64::from(interval_ms) * rng.u64(15..=60));
        Self { rule, window_ms: window.as_millis() as i64 }
    }

    /// Returns the window that holds a moment of the wall clock, which is ahead of the collector's by `ahead_ms`.
    pub(super) fn window_at(&self, wall_ms: i64, ahead_ms: i64) -> BudgetWindow {
        let from_ms = wall_ms.div_euclid(self.window_ms) * self.window_ms;
        let to_ms = from_ms + self.window_ms;
        let begins = MonoTime::from_millis(from_ms - ahead_ms);
        BudgetWindow { begins, from_ms, to_ms, ends: to_ms.to_string().into() }
    }
}

/// Draws how many of the groups that there are must run.
fn draw_replicas(
    groups: &[Option<&'static str>],
    rng: &mut Rng,
) -> BTreeMap<Arc<str>, ReplicaRule> {
    let mut rules = BTreeMap::new();
    for name in ["mail", "index"] {
        let expect = groups.iter().filter(|it| **it == Some(name)).count() as u32;
        if expect > 0 {
            let hold = Duration::from_secs(rng.pick(&[0, 1, 10]));
            let rule = ReplicaRule { expect, alert_below: rng.u32(1..=expect), hold };
            rules.insert(name.into(), rule);
        }
    }
    rules
}

/// Draws who must come: all agents that there are, and some that there are not.
fn draw_roster(agents: usize, rng: &mut Rng) -> BTreeMap<Box<str>, Duration> {
    let names = (0..agents).map(|number| format!("agent-{number}"));
    let absent = (0..rng.u64(0..=4)).map(|number| format!("absent-{number}"));
    let within = Duration::from_secs(rng.pick(&[1, 5, 30]));
    names.chain(absent).map(|name| (name.into(), within)).collect()
}
