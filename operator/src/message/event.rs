//! Events: transitions, commands, starts, and time not observed.

use serde::{Deserialize, Serialize};

use heartline_vocabulary::{Action, GapCause, Reason, State};

/// A row of history: one transition, command, start or gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order in which events were stored; grows, with holes.
    pub cursor: i64,
    /// When it became true (not when it was noticed).
    pub at_ms: i64,
    /// `None`: it is about the collector.
    pub agent: Option<String>,
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Transition {
        from: State,
        from_reason: Option<Reason>,
        to: State,
        reason: Option<Reason>,
        /// How long the state before had lasted.
        lasted_ms: Option<u64>,
        /// The operator, of a command.
        by: Option<String>,
        /// The cause in words: `3 beats missed (interval 15s)`, `exit code 1: KeyError`.
        cause: Option<String>,
        /// Of a crash: the last lines of the process' standard error, oldest first. Scrubbed.
        last_lines: Vec<String>,
    },
    /// An operator's or policy's command became durable.
    Command { action: Action, generation: u64, by: String, reason: String },
    /// An agent obeys a command. Both times are since it became durable: until it was applied, and
    /// until no task was in flight.
    Obeyed { action: Action, generation: u64, delivered_ms: u64, obeyed_ms: u64 },
    /// A killed agent went on completing work.
    Disobeyed { generation: u64 },
    /// A new start of an agent's emitter; `starts` counts it in.
    Session { session: u64, starts: u32 },
    /// Time that the collector did not observe.
    Gap { from_ms: i64, to_ms: i64, cause: GapCause },
    /// The wall clock of the collector was set, by so much.
    ClockStep { by_ms: i64 },
    /// A budget has reached 75, 90 or 100 % of its limit: that of the agent, or a shared one.
    Budget {
        /// Its name.
        budget: String,
        percent: u32,
        /// The sums, and what follows: `$75.00 of $100.00 a day (75 %); kills at 100 %`.
        words: String,
    },
    /// An agent was seen for the first time.
    Registered,
    /// An operator removed a retired agent.
    Forgotten { by: String },
}

/// Most events in one answer.
pub const EVENTS_MAX: u32 = 5_000;

/// The events to be had where more match than [`EventQuery::limit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    /// The newest. The next page is of earlier ones.
    #[default]
    NewestFirst,
    /// The oldest. The next page is of later ones.
    OldestFirst,
}

/// Selects events. Every answer holds its events oldest first, and all that were judged before the
/// question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQuery {
    /// At or after this time.
    pub since_ms: Option<i64>,
    /// Before this time.
    pub until_ms: Option<i64>,
    /// After this cursor.
    pub after: Option<i64>,
    /// Before this cursor.
    pub before: Option<i64>,
    /// Of this agent, and of the collector.
    pub agent: Option<String>,
    /// 1 to [`EVENTS_MAX`].
    pub limit: u32,
    pub order: EventOrder,
    /// Only events that match this [`Filter`](crate::Filter), with their agents as they are now. Then
    /// a page may hold less than `limit` events, or none, and yet be followed by another one.
    pub filter: String,
}

impl EventQuery {
    /// Returns the query of the page behind one with this [`next`](super::Reply::Events::next).
    #[must_use]
    pub fn following(self, next: i64) -> Self {
        match self.order {
            EventOrder::NewestFirst => Self { before: Some(next), ..self },
            EventOrder::OldestFirst => Self { after: Some(next), ..self },
        }
    }
}

impl EventKind {
    /// Returns whether a supervisor reported here that the agent's process is gone.
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Transition { reason: Some(Reason::Crashed), .. })
    }

    /// Returns its name in JSON and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "transition",
            Self::Command { action: Action::Kill, .. } => "kill",
            Self::Command { action: Action::Resume, .. } => "resume",
            Self::Obeyed { .. } => "obeyed",
            Self::Disobeyed { .. } => "disobeyed",
            Self::Session { .. } => "session",
            Self::Gap { .. } => "gap",
            Self::ClockStep { .. } => "clock_step",
            Self::Budget { .. } => "budget",
            Self::Registered => "registered",
            Self::Forgotten { .. } => "forgotten",
        }
    }
}
