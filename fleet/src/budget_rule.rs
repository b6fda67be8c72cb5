//! Budgets as operators write them, and the windows in which they count.

use heartline_vocabulary::text::glob_matches;
use heartline_vocabulary::{AgentRowId, AtLimit, BudgetPeriod, BudgetResume, BudgetUnit};

use crate::agent::Agent;
use crate::time::MonoTime;

/// Most budgets of a fleet.
pub const BUDGETS_MAX: usize = 100;

/// A limit to what agents may do in an hour or a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRule {
    pub name: Box<str>,
    pub scope: BudgetScope,
    pub unit: BudgetUnit,
    /// In tasks, tokens or nano-dollars; at least 1.
    pub limit: u64,
    pub period: BudgetPeriod,
    pub at_limit: AtLimit,
    pub resume: BudgetResume,
}

/// Whose work a budget limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetScope {
    /// That of each agent that the pattern matches, by itself.
    Each { pattern: Box<str> },
    /// That of all agents of a group together.
    Group { name: Box<str> },
    /// That of all agents together.
    Fleet,
}

/// A window in which a budget counts. Only its begin is compared with anything; wall-clock times are
/// labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetWindow {
    pub begins: MonoTime,
    pub from_ms: i64,
    pub to_ms: i64,
    /// Its end in the budget's zone: `2026-11-28 00:00 Europe/Berlin`.
    pub ends: Box<str>,
}

/// Total of an agent, in a budget's unit, when the window in force began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendingBase {
    /// Place of the budget among those that are set.
    pub budget: u16,
    pub id: AgentRowId,
    pub total: u64,
}

/// Whether the levels that budgets have reached when they are set were told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachedLevels {
    /// By the collector before this one.
    Told,
    Untold,
}

/// All budgets of a fleet, and what was spent before they were set.
#[derive(Clone, Debug)]
pub struct BudgetSetup {
    /// At most [`BUDGETS_MAX`]; further ones are left out.
    pub budgets: Vec<(BudgetRule, BudgetWindow)>,
    /// Of the agents that spent anything in a window before now; of others nothing counts.
    pub bases: Vec<SpendingBase>,
    pub reached: ReachedLevels,
}

impl BudgetRule {
    /// Returns who gives its commands, as operators see it.
    pub fn by(&self) -> Box<str> {
        format!("policy: {}", self.name).into()
    }

    /// Returns whether it has one sum for several agents.
    pub fn is_shared(&self) -> bool {
        !matches!(self.scope, BudgetScope::Each { .. })
    }

    pub(crate) fn matches(&self, agent: &Agent) -> bool {
        match &self.scope {
            BudgetScope::Each { pattern } => glob_matches(pattern, &agent.name),
            BudgetScope::Group { name } => {
                let identity = agent.identity.as_ref();
                identity.and_then(|it| it.shared.group.as_deref()).is_some_and(|it| *it == **name)
            }
            BudgetScope::Fleet => true,
        }
    }
}
