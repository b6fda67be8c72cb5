//! One agent, as an operator sees it.

use heartline_vocabulary::{Action, AgentRowId, Identity, Phase, Reason, State, WorkTotals};
use serde::{Deserialize, Serialize};

/// An agent, whole: sent in snapshots, and when it or its identity is new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentEntry {
    /// Names the agent in [`super::FleetDelta`]s.
    pub id: AgentRowId,
    /// Its id.
    pub agent: String,
    /// Who it says it is.
    pub identity: Identity,
    /// How it is.
    pub vitals: AgentVitals,
    /// Its work of the last hour.
    pub work: WorkWindow,
    /// Its work since it was first seen.
    pub total: WorkTotals,
}

/// An agent's vitals and totals, as they are now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VitalsUpdate {
    pub id: AgentRowId,
    pub vitals: AgentVitals,
    pub total: WorkTotals,
}

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentVitals {
    /// Its state.
    pub state: State,
    /// Why; `None` when healthy or unknown.
    pub reason: Option<Reason>,
    /// Since when.
    pub since_ms: i64,
    /// When its last live beat came.
    pub last_beat_ms: Option<i64>,
    /// When its work last made progress.
    pub progress_ms: Option<i64>,
    /// When its oldest task in flight began.
    pub oldest_task_ms: Option<i64>,
    /// Tasks in flight.
    pub in_flight: u32,
    /// Length of its backlog.
    pub queue: Option<u32>,
    /// Its current step, or what it waits for. Scrubbed.
    pub step: Option<String>,
    /// What it says it is doing.
    pub phase: Phase,
    /// Time between its beats, in ms.
    pub interval_ms: u32,
    /// Its session; 0 before the first.
    pub session: u64,
    /// How often it has started since it was first seen.
    pub starts: u32,
    /// Beats of this session that arrived.
    pub beats: u64,
    /// Beats of this session that never did.
    pub lost: u64,
    /// The newest command, while it matters: while it kills, or until it is obeyed.
    pub command: Option<CommandStatus>,
}

/// A kill or resume and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandStatus {
    /// Kill or resume.
    pub action: Action,
    /// Why it is killed: [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// Generation of the desired state.
    pub generation: u64,
    /// Who: `user@host`.
    pub by: String,
    /// Why, in their words. Scrubbed.
    pub reason: String,
    /// When it became durable.
    pub at_ms: i64,
    /// How long after, in ms, a beat reported it as applied.
    pub delivered_ms: Option<u64>,
    /// How long after, in ms, no task was in flight any more.
    pub obeyed_ms: Option<u64>,
    /// Tasks still to end.
    pub draining: u32,
    /// It went on completing work after it was quiet.
    pub disobeyed: bool,
}

/// WorkWindow over a window of time that ends now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkWindow {
    /// Length of the window, in ms.
    pub window_ms: u64,
    /// Tasks that succeeded.
    pub ok: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// LatencyQuantiles of tasks; `None` without any.
    pub latency: Option<LatencyQuantiles>,
    /// Cost in the window, in nano-dollars.
    pub cost_nano_usd: u64,
    /// Tokens read in the window.
    pub tokens_in: u64,
    /// Tokens written in the window.
    pub tokens_out: u64,
    /// Cost since midnight UTC, in nano-dollars.
    pub cost_today_nano_usd: u64,
    /// Tasks in each of the last 15 whole minutes, oldest first; empty without any.
    pub per_minute: Vec<u32>,
}

/// LatencyQuantiles quantiles, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyQuantiles {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// Everything known of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The agent as in a snapshot.
    pub entry: AgentEntry,
    /// When it was first seen.
    pub first_seen_ms: i64,
    /// Where its last live beat came from.
    pub address: Option<String>,
    /// Scope of the token it uses; empty: the whole fleet's.
    pub scope: String,
    /// Epoch of the key it uses.
    pub epoch: u8,
    /// Its sessions, newest first, at most 20.
    pub sessions: Vec<SessionSummary>,
    /// Its events, newest first, at most 50.
    pub events: Vec<super::Event>,
}

/// One run of an agent's emitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Its random id.
    pub session: u64,
    /// When its first live beat came.
    pub started_ms: i64,
    /// When its last one did, as far as it is known.
    pub last_beat_ms: Option<i64>,
    /// Last segment applied.
    pub applied_segment: u64,
    /// How it ended, if it did: `shutdown`, `crashed`, `superseded`.
    pub ended: Option<String>,
}
