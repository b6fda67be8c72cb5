//! Alerts as operators see and answer them: incidents, who was told, sinks, silences.

use heartline_vocabulary::{AgentRowId, DeliveryState, IncidentId, NoticeKind};
use serde::{Deserialize, Serialize};

use super::notice::Incident;

/// Most incidents in one answer.
pub const INCIDENTS_MAX: u32 = 500;

/// Most members of an incident whose row ids are told: so that one incident fits into a frame.
pub const INCIDENT_AGENTS_MAX: usize = 90_000;

/// Most silences that are kept at once.
pub const SILENCES_MAX: usize = 1_000;

/// Longest reason of a silence, in bytes.
pub const SILENCE_REASON_MAX: usize = 512;

/// Selects incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertQuery {
    /// Those that go on.
    #[default]
    Open,
    /// Those that went on at or after this time.
    Since(i64),
    /// One, with all of its members that are told of.
    One(IncidentId),
    /// A page of those that went on, or were told of, in a range of time: from the first number above `after` on,
    /// oldest first, with the lists of storms among them. Silences are those that operators began of that time.
    Range { since_ms: i64, until_ms: i64, after: IncidentId },
}

/// Everything about alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertReport {
    /// At most [`INCIDENTS_MAX`]; newest first, but for [`AlertQuery::Range`].
    pub incidents: Vec<IncidentReport>,
    /// There are more than those.
    pub has_more: bool,
    /// In the order of the config file.
    pub sinks: Vec<SinkReport>,
    /// The routes of the config file.
    pub routes: u32,
    /// Silences and windows of maintenance that go on or are to come, those that end first first.
    pub silences: Vec<Silence>,
}

/// An incident, and who was told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentReport {
    pub incident: Incident,
    /// All notices of it, oldest first.
    pub notices: Vec<NoticeReport>,
    /// While it goes on: all members that are in trouble, at most [`INCIDENT_AGENTS_MAX`]. The incident tells of
    /// the worst of them.
    pub agents: Vec<AgentRowId>,
    /// Those of them that only need what is in trouble.
    pub affected: Vec<AgentRowId>,
}

/// A notice, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeReport {
    pub number: u32,
    pub kind: NoticeKind,
    pub at_ms: i64,
    pub deliveries: Vec<DeliveryReport>,
}

/// How far a notice has come with a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    pub sink: String,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Of the newest change.
    pub at_ms: i64,
    /// What the sink said, or what went wrong. Scrubbed.
    pub answer: String,
}

/// A sink, and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkReport {
    pub name: String,
    /// `webhook`, `slack`, …
    pub kind: String,
    /// Why it takes nothing; `None`: it works, as far as is known.
    pub broken: Option<String>,
    /// Notices that wait.
    pub pending: u32,
    /// Notices that it took since the collector started.
    pub delivered: u64,
    /// Notices that it refused, or that expired, since the collector started.
    pub lost: u64,
    pub last_delivery_ms: Option<i64>,
    /// Why the last attempt failed, until one succeeds.
    pub last_failure: Option<String>,
}

/// Agents of which nobody is told for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// `None`: a window of maintenance of the config file.
    pub id: Option<i64>,
    /// A [`Filter`](crate::Filter) of what agents are.
    pub filter: String,
    pub from_ms: i64,
    pub until_ms: i64,
    /// `user@host`; empty for a window.
    pub by: String,
    /// Scrubbed.
    pub reason: String,
}

/// Silences agents, or ends that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceCommand {
    /// From now on.
    Begin {
        filter: String,
        until_ms: i64,
        /// Not empty, at most [`SILENCE_REASON_MAX`] bytes.
        reason: String,
    },
    End {
        id: i64,
    },
}

/// Alerts in short, for the header of a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSummary {
    /// Incidents that go on.
    pub open: u32,
    /// Those of them that nobody has acknowledged.
    pub unacknowledged: u32,
    /// Silences and windows of maintenance that last.
    pub silences: u32,
}
