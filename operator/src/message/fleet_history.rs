//! Work, percentiles and states of many agents over a range of time, in steps.

use serde::{Deserialize, Serialize};

use super::agent_history::HistoryStep;

/// Asks for the history of the fleet, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetHistoryQuery {
    /// Begin of the range; `None`: the first record. The answer begins at the step that holds it.
    pub since_ms: Option<i64>,
    /// End of the range. The answer ends with the step that holds it.
    pub until_ms: i64,
    /// Length of a step: whole minutes that divide a day, or whole days; `None`: one that makes some 60
    /// steps.
    pub step_ms: Option<i64>,
    /// Only this agent.
    pub agent: Option<String>,
    /// Only agents that match this [`Filter`](crate::Filter), each while it does: by names, and by hosts,
    /// groups and labels of then. An empty one matches all.
    pub filter: String,
    pub content: HistoryContent,
}

/// What an answer has: the less, the sooner it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryContent {
    /// Counts and percentiles.
    Work,
    /// Those, and the latencies of each step, bucket by bucket.
    WorkWithLatencies,
    /// Counts, percentiles, states and outages.
    #[default]
    WorkAndStates,
}

/// The history of the fleet, or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetHistory {
    /// How many agents were known in the range, and matched.
    pub agents: u64,
    /// Begin of the first step, and end of the last one, which is cut by now.
    pub from_ms: i64,
    pub to_ms: i64,
    pub step_ms: i64,
    /// Times in states are those of all agents together.
    pub steps: Vec<HistoryStep>,
    /// All steps together.
    pub total: HistoryStep,
    pub outages: OutageFigures,
    /// Of each step, the latency buckets of the wire that are not empty: number and count, ascending. Empty
    /// unless they were asked for.
    pub latencies: Vec<Vec<(u16, u64)>>,
}

/// Outages of a range in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageFigures {
    /// Outages that overlap the range.
    pub count: u64,
    /// Those that began in it, and those that ended in it.
    pub began: u64,
    pub ended: u64,
    /// How long those lasted that ended in it, also before it, in ms.
    pub repair_ms: u64,
}

impl OutageFigures {
    /// Returns the mean time to recovery, in ms; `None` where none ended.
    pub fn mttr_ms(&self) -> Option<u64> {
        self.repair_ms.checked_div(self.ended)
    }

    /// Returns the mean time between failures, in ms: the healthy time of the range for each outage that began
    /// in it; `None` where none did.
    pub fn mtbf_ms(&self, healthy_ms: u64) -> Option<u64> {
        healthy_ms.checked_div(self.began)
    }
}
