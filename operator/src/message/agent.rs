//! One agent, as an operator sees it.

use serde::{Deserialize, Serialize};

/// The state of an agent (`design.md`, section 3). Ordered from best to worst for an operator's eye
/// is the job of [`State::severity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Live beats on time, and progress.
    Healthy,
    /// Something is wrong; the [`Reason`] says what.
    Degraded,
    /// Not heard for 10 intervals, one-way, or crashed.
    Unreachable,
    /// Killed by an operator or a policy, or stopped by itself.
    Killed,
    /// Not judged since the collector started, or never seen.
    Unknown,
}

/// Why an agent is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Degraded: no live beat for 3 intervals.
    Late,
    /// Degraded: it beats, but its work makes no progress.
    Stalled,
    /// Degraded: too much of its work fails.
    Failing,
    /// Degraded: slow against its own past.
    Slow,
    /// Degraded: two processes speak as this agent.
    Conflict,
    /// Degraded: it starts again and again.
    CrashLooping,
    /// Unreachable: no live beat for 10 intervals.
    Silent,
    /// Unreachable: its beats arrive, our answers do not.
    OneWay,
    /// Unreachable: its supervisor reported its exit.
    Crashed,
    /// Killed: by an operator.
    Operator,
    /// Killed: by a policy.
    Policy,
    /// Killed: it said goodbye.
    Shutdown,
}

/// What an agent says it is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not yet at work.
    Starting,
    /// At work.
    #[default]
    Running,
    /// Waiting for a person or a thing.
    Waiting,
    /// About to end.
    Stopping,
}

/// An agent, whole: sent in snapshots, and when it or its identity is new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Names the agent in this connection's changes.
    pub key: u32,
    /// Its id.
    pub agent: String,
    /// Who it says it is.
    pub identity: Identity,
    /// How it is.
    pub vitals: Vitals,
    /// Its work of the last hour.
    pub work: Work,
    /// Its work since it was first seen.
    pub total: Totals,
}

/// An agent's vitals, anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which agent.
    pub key: u32,
    /// How it is.
    pub vitals: Vitals,
}

/// Who an agent says it is. All text is scrubbed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Host it runs on.
    pub host: Option<String>,
    /// Process id on that host.
    pub pid: Option<u32>,
    /// Group of agents that it belongs to.
    pub group: Option<String>,
    /// Version of its program.
    pub version: Option<String>,
    /// Framework, with version.
    pub framework: Option<String>,
    /// Emitter, with version.
    pub sdk: Option<String>,
    /// Labels, by key.
    pub labels: Vec<(String, String)>,
    /// Ids of the agents it needs.
    pub depends: Vec<String>,
}

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
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
    pub command: Option<CommandView>,
}

/// A kill or resume and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandView {
    /// Kill or resume.
    pub action: super::Action,
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

/// Work over a window of time that ends now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Length of the window, in ms.
    pub window_ms: u64,
    /// Tasks that succeeded.
    pub ok: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Latency of tasks; `None` without any.
    pub latency: Option<Latency>,
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

/// Latency quantiles, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
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

/// Work since an agent was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Tasks that succeeded.
    pub ok: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Cost, in nano-dollars.
    pub cost_nano_usd: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
}

/// Everything known of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The agent as in a snapshot.
    pub entry: Entry,
    /// When it was first seen.
    pub first_seen_ms: i64,
    /// Where its last live beat came from.
    pub address: Option<String>,
    /// Scope of the token it uses; empty: the whole fleet's.
    pub scope: String,
    /// Epoch of the key it uses.
    pub epoch: u8,
    /// Its sessions, newest first, at most 20.
    pub sessions: Vec<SessionView>,
    /// Its events, newest first, at most 50.
    pub events: Vec<super::Event>,
}

/// One run of an agent's emitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
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

impl State {
    /// Worse is larger: the default order of every list.
    #[must_use]
    pub fn severity(self) -> u8 {
        match self {
            Self::Unreachable => 4,
            Self::Degraded => 3,
            Self::Unknown => 2,
            Self::Killed => 1,
            Self::Healthy => 0,
        }
    }

    /// All states, in the order in which they are counted out.
    pub const ALL: [Self; 5] =
        [Self::Healthy, Self::Degraded, Self::Unreachable, Self::Killed, Self::Unknown];

    /// Its name in filters, JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unreachable => "unreachable",
            Self::Killed => "killed",
            Self::Unknown => "unknown",
        }
    }
}

impl Reason {
    /// Its name in filters, JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Stalled => "stalled",
            Self::Failing => "failing",
            Self::Slow => "slow",
            Self::Conflict => "conflict",
            Self::CrashLooping => "crash-looping",
            Self::Silent => "silent",
            Self::OneWay => "one-way",
            Self::Crashed => "crashed",
            Self::Operator => "operator",
            Self::Policy => "policy",
            Self::Shutdown => "shutdown",
        }
    }
}

impl Phase {
    /// Its name in filters, JSON and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopping => "stopping",
        }
    }
}
