//! One agent, as an operator sees it.

use heartline_vocabulary::{
    Action, AgentRowId, AgentStatus, Identity, Phase, ProcessUsage, Reason, State, WorkTotals,
};
use serde::{Deserialize, Serialize};

/// A whole agent: sent in snapshots, and when it or its identity is new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentEntry {
    /// Names the agent in [`super::FleetDelta`]s.
    pub id: AgentRowId,
    /// Its name, as it gives it.
    pub agent: String,
    pub identity: Identity,
    pub vitals: AgentVitals,
    /// Its work of the last hour.
    pub work: RecentWork,
}

/// The state of an agent, what it is judged by, and its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentVitals {
    pub state: State,
    /// `None` when healthy or unknown.
    pub reason: Option<Reason>,
    /// Begin of the state.
    pub since_ms: i64,
    /// Time of its last live beat.
    pub last_beat_ms: Option<i64>,
    /// Time of the last progress of its work.
    pub progress_ms: Option<i64>,
    /// Begin, or last step, of the task in flight that has been quiet for longest.
    pub oldest_task_ms: Option<i64>,
    /// Tasks in flight.
    pub in_flight: u32,
    /// Length of its backlog.
    pub queue: Option<u32>,
    /// Its current step, or what it waits for. Scrubbed.
    pub step: Option<String>,
    /// `None` until it was heard since the collector started.
    pub phase: Option<Phase>,
    /// Time between its beats.
    pub interval_ms: u32,
    /// 0 before the first session.
    pub session: u64,
    /// Sessions since it was first seen.
    pub starts: u32,
    /// Beats of this session that arrived.
    pub beats: u64,
    /// Beats of this session that were lost.
    pub lost: u64,
    /// Observations that its emitter could not count since it started; `None` until it was heard
    /// since the collector started.
    pub lost_observations: Option<u64>,
    /// What its supervisor sees of its process; `None` without a supervisor, and when the process is
    /// gone.
    pub process: Option<Box<ProcessUsage>>,
    /// The newest command, while it kills, or until it is obeyed.
    pub command: Option<Box<CommandStatus>>,
    /// Its work since it was first seen.
    pub total: WorkTotals,
}

impl AgentVitals {
    /// Returns its state with the reason for it.
    pub const fn status(&self) -> AgentStatus {
        AgentStatus { state: self.state, reason: self.reason }
    }
}

/// A kill or resume and how far its execution has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandStatus {
    pub action: Action,
    /// [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// Generation of the desired state.
    pub generation: u64,
    /// `user@host`.
    pub by: String,
    /// The operator's words. Scrubbed.
    pub reason: String,
    /// Time at which it became durable.
    pub at_ms: i64,
    /// Time from then until a beat reported it as applied.
    pub delivered_ms: Option<u64>,
    /// Time from then until no task was in flight any more.
    pub obeyed_ms: Option<u64>,
    /// Tasks still to end.
    pub draining: u32,
    /// It completed more work after it had obeyed.
    pub disobeyed: bool,
}

/// Work over a window of time that ends now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentWork {
    /// 0: nothing is known of it.
    pub window_ms: u64,
    /// Tasks that succeeded.
    pub ok: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// `None` without any task.
    pub latency: Option<LatencyQuantiles>,
    pub cost_nano_usd: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    /// Cost since midnight UTC.
    pub cost_today_nano_usd: u64,
    /// Tasks in each of the last 15 whole minutes, oldest first; empty without any.
    pub per_minute: Vec<u32>,
}

/// Quantiles of the latency of tasks, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyQuantiles {
    pub p50: u64,
    pub p90: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

/// Everything known of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    pub entry: AgentEntry,
    pub first_seen_ms: i64,
    /// Source address of its last live beat.
    pub address: Option<String>,
    /// The key that it signs with; `None` until it was heard since the collector started.
    pub key: Option<AgentKeyInfo>,
    /// Budgets that it is a member of.
    pub budgets: Vec<super::AgentBudget>,
    /// Reasons for which it is not judged yet, because too little of its own past is known.
    pub learning: Vec<Reason>,
    /// Newest first, at most 20.
    pub sessions: Vec<SessionSummary>,
    /// Newest first, at most 50.
    pub events: Vec<super::Event>,
}

impl AgentDetail {
    /// Returns the newest of its events that tells of a crash.
    pub fn last_crash(&self) -> Option<&super::Event> {
        self.events.iter().find(|event| event.kind.is_crash())
    }
}

/// The key that an agent signs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyInfo {
    /// Scope of its token; empty: the whole fleet's.
    pub scope: String,
    pub epoch: u8,
}

/// One run of an agent's emitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    pub session: u64,
    /// Time of its first live beat.
    pub started_ms: i64,
    /// Time of its last live beat, as far as it is known.
    pub last_beat_ms: Option<i64>,
    pub applied_segment: u64,
    /// Its end, if it has one: `shutdown`, `crashed`, `superseded`.
    pub ended: Option<String>,
}
