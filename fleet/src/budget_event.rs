//! Levels that budgets reach, as they are told.

use std::fmt;

use heartline_vocabulary::{AgentRowId, BudgetPeriod, BudgetUnit, percent_used};

use crate::budget_rule::BudgetScope;
use crate::time::MonoTime;

/// Most agents that are named.
pub(crate) const NAMED_MAX: usize = 5;

/// A budget has reached 75, 90 or 100 % of its limit. Its `Display` is the sentence that operators read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetEvent {
    pub at: MonoTime,
    /// Name of the budget.
    pub budget: Box<str>,
    pub scope: BudgetScope,
    /// The agent, of a budget for each.
    pub agent: Option<AgentRowId>,
    pub unit: BudgetUnit,
    pub period: BudgetPeriod,
    /// The level that was reached: 75, 90 or 100.
    pub percent: u8,
    pub spent: u64,
    pub limit: u64,
    /// End of the window, in the budget's zone.
    pub window_ends: Box<str>,
    /// What follows.
    pub effect: BudgetEffect,
    /// Those that have spent most of a shared budget, most first.
    pub top: Vec<(Box<str>, u64)>,
    /// The agent's current step. Scrubbed.
    pub step: Option<Box<str>>,
}

/// What follows from the level that a budget has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetEffect {
    /// It is told, and no more.
    Told,
    /// At the end of the limit its agents are killed.
    WillKill,
    /// These agents are killed…
    Kills {
        agents: Vec<Box<str>>,
        /// …and resumed when the next window begins.
        resumes: bool,
    },
}

impl BudgetEvent {
    /// Returns the sums in words: `$41.20 of $50.00 a day (82 %)`.
    fn sums(&self) -> String {
        let (spent, limit) = (self.unit.format(self.spent), self.unit.format(self.limit));
        let percent = percent_used(self.spent, self.limit);
        let article = if self.period == BudgetPeriod::Hour { "an" } else { "a" };
        format!("{spent} of {limit} {article} {} ({percent} %)", self.period.name())
    }
}

impl fmt::Display for BudgetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sums())?;
        if let Some(step) = &self.step {
            write!(f, "; step \"{step}\"")?;
        }
        for (place, (agent, spent)) in self.top.iter().take(NAMED_MAX).enumerate() {
            let separator = if place == 0 { "; most by " } else { ", " };
            write!(f, "{separator}{agent} ({})", self.unit.format(*spent))?;
        }
        match &self.effect {
            BudgetEffect::Told => Ok(()),
            BudgetEffect::WillKill => f.write_str("; kills at 100 %"),
            BudgetEffect::Kills { agents, resumes } => {
                if let [first, others @ ..] = &agents[..]
                    && self.agent.is_none()
                {
                    write!(f, "; kills {first}")?;
                    if !others.is_empty() {
                        write!(f, " and {} more", others.len())?;
                    }
                }
                match resumes {
                    true => write!(f, "; resumes at {}", self.window_ends),
                    false => f.write_str("; an operator has to resume it"),
                }
            }
        }
    }
}
