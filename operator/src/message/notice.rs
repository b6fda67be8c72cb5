//! Incidents, and the notices by which people are told of them.

use heartline_vocabulary::{AgentStatus, IncidentId, NoticeId, NoticeKind, ScopeKind, Severity};
use serde::{Deserialize, Serialize};

/// Most members of an incident that a notice lists: the worst ones.
pub const NOTICE_MEMBERS_MAX: usize = 50;

/// One thing that people are told of an incident, with all that is needed to write it down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same over all attempts to deliver it.
    pub id: NoticeId,
    pub kind: NoticeKind,
    /// When what it tells was decided.
    pub at_ms: i64,
    /// The incident as of then.
    pub incident: Incident,
    /// Of a [`NoticeKind::Digest`]: the incidents that it lists, instead of a notice of each.
    pub listed: Vec<Incident>,
}

/// Trouble of one cause: of an agent, or of several that one scope explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub scope: IncidentScope,
    pub severity: Severity,
    /// The worst that any member was.
    pub worst: AgentStatus,
    /// When the trouble began.
    pub opened_ms: i64,
    /// When the last member was well again; `None`: it goes on.
    pub ended_ms: Option<i64>,
    /// The interval in which the cause lies, from the last sign that all was well.
    pub cause_from_ms: i64,
    pub cause_to_ms: i64,
    pub counts: MemberCounts,
    /// Members, the worst first, at most [`NOTICE_MEMBERS_MAX`].
    pub members: Vec<IncidentMember>,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<Acknowledgement>,
    /// Of an incident that flaps: how often its agent fell into trouble lately.
    pub outages: u32,
    /// The incident that it turned out to be part of.
    pub merged_into: Option<IncidentId>,
    /// What there is too little of, where it is not about the trouble of its members.
    pub shortage: Option<Shortage>,
    /// What else is to be said, in words; of a sink: what is wrong with it.
    pub remark: Option<String>,
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortage {
    /// Agents of a group that run.
    Replicas(ReplicaShortage),
    /// Agents that were expected and have never been seen.
    NeverSeen(NeverSeen),
}

/// A group of which too few agents run, and where the others are that have run since it had all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaShortage {
    pub running: u32,
    pub expect: u32,
    pub alert_below: u32,
    /// Unreachable, or degraded so that they do no work.
    pub lost: u32,
    /// Killed by an operator or a policy.
    pub killed: u32,
    /// They stopped by themselves.
    pub stopped: u32,
    /// Not heard yet since the collector started.
    pub unknown: u32,
}

/// Agents that were expected and have never been seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverSeen {
    /// At most [`NOTICE_MEMBERS_MAX`] of them; none when all have come.
    pub agents: Vec<String>,
    /// Since when they are waited for.
    pub since_ms: i64,
}

/// What an incident is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IncidentScope {
    pub kind: ScopeKind,
    /// The agent, host, group, or sink; empty for a fleet, a collector, and several agents that were expected.
    pub name: String,
}

/// The number of members of an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounts {
    /// All that ever were.
    pub total: u32,
    /// In trouble now.
    pub in_trouble: u32,
    /// Of those, the ones that only need what is in trouble.
    pub affected: u32,
    /// Agents of its scope that are known.
    pub of: u32,
}

/// A member of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentMember {
    pub agent: String,
    pub host: Option<String>,
    /// Its status as of the notice.
    pub status: AgentStatus,
    pub since_ms: i64,
    /// How long it was in trouble, of one that is well again.
    pub lasted_ms: Option<u64>,
    /// Why it is judged so, in words: `10 beats missed (interval 30s)`.
    pub cause: Option<String>,
    /// The step that it was in. Scrubbed.
    pub step: Option<String>,
    pub last_beat_ms: Option<i64>,
    /// Time between its beats.
    pub interval_ms: u32,
    pub in_flight: u32,
    /// Begin of the task in flight that has been quiet for longest.
    pub oldest_task_ms: Option<i64>,
    /// It is in trouble because it needs an agent that is.
    pub is_affected: bool,
}

/// Somebody takes care of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// `user@host`
    pub by: String,
    pub at_ms: i64,
}
