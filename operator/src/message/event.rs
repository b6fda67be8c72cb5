//! What happened: transitions, commands, starts, and time not observed.

use serde::{Deserialize, Serialize};

use heartline_vocabulary::{Action, GapCause, Reason, State};

/// One thing that happened. History, statistics and alerts read the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order in which events were stored; grows, with holes.
    pub cursor: i64,
    /// When it became true (not when it was noticed).
    pub at_ms: i64,
    /// Whom it is about; `None`: the collector.
    pub agent: Option<String>,
    /// What it was.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A change of state.
    Transition {
        /// The state before.
        from: State,
        /// Why it was in it.
        from_reason: Option<Reason>,
        /// The state after.
        to: State,
        /// Why.
        reason: Option<Reason>,
        /// How long the state before had lasted, in ms.
        lasted_ms: Option<u64>,
        /// Who caused it, for a command.
        by: Option<String>,
        /// The cause in words: `3 beats missed (interval 15s)`, `exit code 1`, `oom-killed`.
        cause: Option<String>,
    },
    /// An operator's or policy's command became durable.
    Command {
        /// Kill or resume.
        action: Action,
        /// The generation it set.
        generation: u64,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// An agent obeys a command.
    Obeyed {
        /// Which command.
        action: Action,
        /// Its generation.
        generation: u64,
        /// From durable to applied, in ms.
        delivered_ms: u64,
        /// From durable to no task in flight, in ms.
        obeyed_ms: u64,
    },
    /// A killed agent went on completing work.
    Disobeyed {
        /// The generation it disobeys.
        generation: u64,
    },
    /// A new start of an agent's emitter.
    Session {
        /// Its session.
        session: u64,
        /// How many starts that makes.
        starts: u32,
    },
    /// Time that the collector did not observe.
    Gap {
        /// From.
        from_ms: i64,
        /// To.
        to_ms: i64,
        /// Why.
        cause: GapCause,
    },
    /// An agent was seen for the first time.
    Registered,
    /// An operator removed a retired agent.
    Forgotten {
        /// Who.
        by: String,
    },
}

/// Which events to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQuery {
    /// Only those at or after this time.
    pub since_ms: Option<i64>,
    /// Only those before this time.
    pub until_ms: Option<i64>,
    /// Only those after this cursor.
    pub after: Option<i64>,
    /// Only those of this agent (and of the collector).
    pub agent: Option<String>,
    /// At most so many, 1 to 2,000; the newest ones when no cursor is given.
    pub limit: u32,
}

impl EventKind {
    /// Its name in JSON and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "transition",
            Self::Command { action: Action::Kill, .. } => "kill",
            Self::Command { action: Action::Resume, .. } => "resume",
            Self::Obeyed { .. } => "obeyed",
            Self::Disobeyed { .. } => "disobeyed",
            Self::Session { .. } => "session",
            Self::Gap { .. } => "gap",
            Self::Registered => "registered",
            Self::Forgotten { .. } => "forgotten",
        }
    }
}
