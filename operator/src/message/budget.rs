//! Budgets: limits to what agents may use up in an hour or a day.

use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit, percent_used};
use serde::{Deserialize, Serialize};

/// A budget, and what was spent of it in the window in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    pub terms: BudgetTerms,
    /// By all members together; of a budget for each agent by the one that has spent most.
    pub used: u64,
    /// Agents that it is for.
    pub agents: u32,
    /// Those that have spent most, most first: a few.
    pub top: Vec<(String, u64)>,
}

/// A budget as one agent has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBudget {
    pub terms: BudgetTerms,
    /// By the agent.
    pub own: u64,
    /// By all members; the same where it is for each agent.
    pub used: u64,
    /// An operator has resumed the agent after it was killed by this budget: it is let be until the next
    /// window.
    pub is_lifted: bool,
}

/// The terms of a budget, and its window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetTerms {
    pub name: String,
    pub scope: BudgetTarget,
    pub unit: BudgetUnit,
    /// In tasks, tokens or nano-dollars.
    pub limit: u64,
    pub period: BudgetPeriod,
    pub at_limit: AtLimit,
    pub resume: BudgetResume,
    pub from_ms: i64,
    pub to_ms: i64,
    /// Its end in the budget's zone: `2026-11-28 00:00 Europe/Berlin`.
    pub ends: String,
}

/// Whose work a budget limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetTarget {
    /// That of each agent that matches the pattern, by itself.
    Each(String),
    /// That of a group together.
    Group(String),
    /// That of all agents together.
    Fleet,
}

impl BudgetTerms {
    /// Returns which part of the limit an amount is, in percent, rounded down.
    pub fn percent(&self, used: u64) -> u64 {
        percent_used(used, self.limit)
    }

    /// Returns what happens when it is used up: `kill, resume at 00:00`.
    pub fn consequence(&self) -> String {
        match (self.at_limit, self.resume) {
            (AtLimit::Warn, _) => "warn".to_owned(),
            (AtLimit::Kill, BudgetResume::Never) => "kill".to_owned(),
            (AtLimit::Kill, BudgetResume::NextWindow) => "kill until the next window".to_owned(),
        }
    }
}

impl BudgetTarget {
    /// Returns it in words: `each mail.*`, `group mail`, `fleet`.
    pub fn text(&self) -> String {
        match self {
            Self::Each(pattern) => format!("each {pattern}"),
            Self::Group(name) => format!("group {name}"),
            Self::Fleet => "fleet".to_owned(),
        }
    }
}
