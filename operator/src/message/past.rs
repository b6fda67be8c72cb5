//! The fleet as it was at a moment.

use heartline_vocabulary::{AgentRowId, AgentStatus, GapCause, Identity, StateCounts, WorkTotals};
use serde::{Deserialize, Serialize};

use super::agent::{AgentEntry, AgentVitals, RecentWork};

/// The agents that were known at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PastFleet {
    /// The moment.
    pub at_ms: i64,
    /// The collector did not observe the moment: it is as it was before.
    pub gap: Option<PastGap>,
    pub work: PastWork,
    /// By name, in natural order.
    pub agents: Vec<PastAgent>,
}

/// Of when the work of a [`PastFleet`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastWork {
    /// It was not asked for: that of no agent is there.
    NotRead,
    /// Of the hour until the moment.
    #[default]
    HourUntil,
    /// Of the whole hour that holds the moment: finer work is not kept so long.
    HourOf,
}

/// What is known of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentInfo {
    pub at_ms: i64,
    /// Time of the first record, before which nothing is known; `None`: there is none.
    pub first_ms: Option<i64>,
    /// The collector did not observe the moment.
    pub gap: Option<PastGap>,
    /// Agents that were known then.
    pub agents: u32,
}

/// A time that was not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastGap {
    pub from_ms: i64,
    pub to_ms: i64,
    pub cause: GapCause,
}

/// An agent at a moment, as far as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastAgent {
    pub id: AgentRowId,
    pub agent: String,
    /// What it was then: its host, group, labels.
    pub identity: Identity,
    pub status: AgentStatus,
    /// Begin of the status.
    pub since_ms: i64,
    /// Starts until then.
    pub starts: u32,
    /// Its work, as [`PastFleet::work`] says.
    pub work: RecentWork,
}

impl PastAgent {
    /// Returns it as an agent of which nothing else is known, for filters.
    pub fn to_entry(&self) -> AgentEntry {
        AgentEntry {
            id: self.id,
            agent: self.agent.clone(),
            identity: self.identity.clone(),
            vitals: AgentVitals::of_past(self.status, self.since_ms, self.starts),
            work: self.work.clone(),
        }
    }
}

impl AgentVitals {
    /// Returns vitals of which only the status is known.
    pub(crate) fn of_past(status: AgentStatus, since_ms: i64, starts: u32) -> Self {
        let AgentStatus { state, reason } = status;
        Self {
            state,
            reason,
            since_ms,
            last_beat_ms: None,
            progress_ms: None,
            oldest_task_ms: None,
            in_flight: 0,
            queue: None,
            step: None,
            phase: None,
            interval_ms: 0,
            session: 0,
            starts,
            beats: 0,
            lost: 0,
            lost_observations: None,
            process: None,
            command: None,
            total: WorkTotals::default(),
        }
    }
}

impl PastFleet {
    /// Returns the number of agents in each state.
    pub fn summary(&self) -> StateCounts {
        let mut counts = StateCounts::default();
        self.agents.iter().for_each(|agent| counts.add(agent.status));
        counts
    }
}
