//! An agent's work and states over a range of time, in steps.

use heartline_vocabulary::AgentStatus;
use serde::{Deserialize, Serialize};

use super::agent::LatencyQuantiles;
use super::fleet_history::OutageFigures;

/// Most steps in one answer.
pub const STEPS_MAX: usize = 5_000;

/// Asks for an agent's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHistoryQuery {
    pub agent: String,
    /// Begin of the range; `None`: the first record. The answer begins at the step that holds it.
    pub since_ms: Option<i64>,
    /// End of the range. The answer ends with the step that holds it.
    pub until_ms: i64,
    /// Length of a step: whole minutes that divide a day, or whole days; `None`: one that makes some 60
    /// steps.
    pub step_ms: Option<i64>,
}

/// An agent's history in steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentHistory {
    pub agent: String,
    /// Begin of the first step, and end of the last one, which is cut by now.
    pub from_ms: i64,
    pub to_ms: i64,
    pub step_ms: i64,
    pub steps: Vec<HistoryStep>,
    /// All steps together.
    pub total: HistoryStep,
    pub outages: OutageFigures,
}

/// What an agent did, and was, in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryStep {
    pub at_ms: i64,
    /// Beats that arrived, and that were lost, as of the work that came with them.
    pub beats: u64,
    pub lost: u64,
    /// Tasks that succeeded, and that failed.
    pub ok: u64,
    pub failed: u64,
    /// `None` without any task.
    pub latency: Option<LatencyQuantiles>,
    pub cost_nano_usd: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub state_ms: StateTimes,
    /// Outages that began in it.
    pub outages: u64,
}

/// Time in each state, in ms. Before an agent was known there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateTimes {
    pub healthy: u64,
    pub degraded: u64,
    pub unreachable: u64,
    pub killed: u64,
    pub stopped: u64,
    pub unknown: u64,
    /// The collector did not observe it: neither up nor down.
    pub unobserved: u64,
}

impl HistoryStep {
    /// Returns the share of tasks that succeeded; `None` without any.
    pub fn success_rate(&self) -> Option<f64> {
        heartline_vocabulary::success_rate(self.ok, self.failed)
    }
}

impl StateTimes {
    /// Adds time in a status.
    pub fn add(&mut self, status: AgentStatus, ms: u64) {
        match status.count_name() {
            "healthy" => self.healthy += ms,
            "degraded" => self.degraded += ms,
            "unreachable" => self.unreachable += ms,
            "killed" => self.killed += ms,
            "stopped" => self.stopped += ms,
            _ => self.unknown += ms,
        }
    }

    /// Adds other times.
    pub fn add_all(&mut self, other: &Self) {
        self.healthy += other.healthy;
        self.degraded += other.degraded;
        self.unreachable += other.unreachable;
        self.killed += other.killed;
        self.stopped += other.stopped;
        self.unknown += other.unknown;
        self.unobserved += other.unobserved;
    }

    /// Returns the share of the time in which it should have run and was observed that it was healthy;
    /// `None` where there was no such time. A killed or stopped agent need not run.
    pub fn availability(&self) -> Option<f64> {
        let up_or_down = self.healthy + self.degraded + self.unreachable;
        (up_or_down > 0).then(|| self.healthy as f64 / up_or_down as f64)
    }

    /// Returns the share of the time in which it was known that was observed; `None` where there was none.
    pub fn observed(&self) -> Option<f64> {
        let Self { healthy, degraded, unreachable, killed, stopped, unknown, unobserved } = self;
        let observed = healthy + degraded + unreachable + killed + stopped + unknown;
        let all = observed + unobserved;
        (all > 0).then(|| observed as f64 / all as f64)
    }
}
