//! Outages: from the moment an agent left health to its return.

use heartline_vocabulary::{AgentRowId, AgentStatus, Identity};
use serde::{Deserialize, Serialize};

use super::agent::{AgentEntry, AgentVitals, RecentWork};
use super::event::EventOrder;

/// Most outages in one answer.
pub const OUTAGES_MAX: u32 = 2_000;

/// An outage: an agent was degraded or unreachable. It goes on through time that was not observed, and
/// ends when the agent is healthy, killed, stopped, or forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// Its number; grows with the order in which outages began.
    pub id: i64,
    pub agent: String,
    /// What the agent was when it began: its host, group, labels of then.
    pub identity: Identity,
    pub start_ms: i64,
    /// `None`: it goes on.
    pub end_ms: Option<i64>,
    /// Time of it that the collector did not observe.
    pub unobserved_ms: u64,
    /// The worst that the agent was.
    pub worst: AgentStatus,
    /// The cause of that, in words; `None` where it is not known any more.
    pub cause: Option<String>,
    /// The step that was running when it began.
    pub step: Option<String>,
    /// Beats that were missed in the time that was observed.
    pub missed_beats: u64,
    /// What operators wrote on it, oldest first.
    pub notes: Vec<OutageNote>,
}

/// A note on an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageNote {
    pub at_ms: i64,
    /// `user@host`
    pub by: String,
    /// It acknowledges the outage.
    pub acknowledges: bool,
    /// May be empty where it acknowledges. Scrubbed.
    pub words: String,
}

/// Writes a note on an outage, or acknowledges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteCommand {
    /// Number of the outage.
    pub outage: i64,
    pub acknowledges: bool,
    /// At most 512 bytes; may be empty where it acknowledges.
    pub words: String,
}

impl Outage {
    /// Returns the agent as it was in its worst state, of which nothing else is known, for filters.
    pub fn to_entry(&self) -> AgentEntry {
        AgentEntry {
            id: AgentRowId::default(),
            agent: self.agent.clone(),
            identity: self.identity.clone(),
            vitals: AgentVitals::of_past(self.worst, self.start_ms, 0),
            work: RecentWork::default(),
        }
    }

    /// Returns who acknowledged it first.
    pub fn acknowledged_by(&self) -> Option<&str> {
        self.notes.iter().find(|note| note.acknowledges).map(|note| &*note.by)
    }

    /// Returns how long it lasted, or has lasted until `now_ms`, in ms.
    pub fn lasted_ms(&self, now_ms: i64) -> u64 {
        let until = self.end_ms.unwrap_or(now_ms.max(self.start_ms));
        until.saturating_sub(self.start_ms).max(0).cast_unsigned()
    }
}

/// Selects outages that overlap a range of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageQuery {
    /// Ended after this time, or goes on.
    pub since_ms: Option<i64>,
    /// Began before this time.
    pub until_ms: Option<i64>,
    /// Began after the outage of this number.
    pub after: Option<i64>,
    /// Began before the outage of this number.
    pub before: Option<i64>,
    /// Of this agent.
    pub agent: Option<String>,
    /// As they were at this moment: what ended, became worse, or was written later is not known then, and an
    /// outage that began later is none.
    pub as_of_ms: Option<i64>,
    /// 1 to [`OUTAGES_MAX`].
    pub limit: u32,
    pub order: EventOrder,
    /// Only outages that match this [`Filter`](crate::Filter): the agents as they were then, in their
    /// worst state. Then a page may hold less than `limit`, or none, and yet be followed by another one.
    pub filter: String,
}

impl OutageQuery {
    /// Returns the query of the page behind one with this [`next`](super::Reply::Outages::next).
    #[must_use]
    pub fn following(self, next: i64) -> Self {
        match self.order {
            EventOrder::NewestFirst => Self { before: Some(next), ..self },
            EventOrder::OldestFirst => Self { after: Some(next), ..self },
        }
    }
}
