//! What operators and the collector say to each other.
//!
//! Every frame carries one [`ClientFrame`] or [`ServerFrame`]. Numbers with a unit name it last.
//! Times are milliseconds of Unix time by the *collector's* clock (`_ms` after an `at` or `since`),
//! so that an operator's wrong clock shifts no age: a client takes the newest `at_ms` it was sent
//! as the collector's now, and counts on from there by its own monotonic clock.

mod agent;
mod collector;
mod command;
mod counter;
mod event;

pub use agent::{
    AgentDetail, AgentEntry, AgentVitals, CommandStatus, LatencyQuantiles, SessionSummary,
    VitalsUpdate, WorkWindow,
};
pub use collector::{CollectorStatus, HistoryHealth};
pub use command::{AgentCommand, CommandOutcome, TokenInfo, TokenReply, TokenRequest};
pub use counter::{DATAGRAM_COUNTERS, DatagramCounter, DatagramCounters, DatagramLoss};
pub use event::{Event, EventKind, EventQuery};

use heartline_vocabulary::AgentRowId;
use serde::{Deserialize, Serialize};

/// Version of these messages. A client and a collector of different versions say so and part.
pub const VERSION: u16 = 1;

/// A question, with a number that its answers repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientFrame {
    /// Chosen by the client, from 1.
    pub id: u32,
    /// The question.
    pub request: Request,
}

/// An answer, or news of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFrame {
    /// Number of the question that this answers (for a subscription, of each of its pieces of
    /// news); 0 when nobody asked.
    pub id: u32,
    /// The answer.
    pub reply: Reply,
}

/// What an operator can ask. The first must be [`Request::Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Who is there, and in which version.
    Hello {
        /// [`VERSION`] of the client.
        version: u16,
        /// Name and version of the client program, for the log.
        client: String,
        /// Who the operator is where the connection came from (`ops@bastion` over ssh), as far as
        /// the client knows; recorded beside the peer credentials, never instead of them.
        origin: Option<String>,
    },
    /// The fleet now, in pages ([`Reply::Page`]).
    Snapshot {
        /// Only these agents; empty: all.
        agents: Vec<String>,
    },
    /// The fleet now, in pages, then [`Reply::Delta`] until the connection ends. Answered with
    /// [`Reply::Resync`] and new pages whenever the client was too slow.
    Subscribe {
        /// Only these agents; empty: all.
        agents: Vec<String>,
        /// Most news a second, 1 to 4.
        per_second: u8,
    },
    /// Everything known of one agent ([`Reply::Agent`]).
    Agent {
        /// Its id.
        agent: String,
    },
    /// What happened ([`Reply::Events`]), oldest first.
    Events(EventQuery),
    /// Kill or resume ([`Reply::Command`]). Control socket only.
    Command(AgentCommand),
    /// Remove retired agents ([`Reply::Forgotten`]); their history stays. Control socket only.
    Forget {
        /// Ids of the agents.
        agents: Vec<String>,
    },
    /// Make, revoke or list tokens ([`Reply::Token`]). Control socket only.
    Token(TokenRequest),
    /// How the collector is ([`Reply::Collector`]).
    Collector,
    /// Answered at once with [`Reply::Pong`].
    Ping,
}

/// What the collector answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello {
        /// [`VERSION`] of the collector.
        version: u16,
        /// Who the collector takes the operator for, from the socket's peer credentials: `user@host`.
        operator: String,
        /// Whether this connection may change anything.
        may_control: bool,
        /// How the collector is.
        collector: CollectorStatus,
    },
    /// Part of a snapshot.
    Page {
        /// Agents, in no particular order.
        entries: Vec<AgentEntry>,
        /// How the collector is.
        collector: CollectorStatus,
        /// Whether this was the last page.
        last: bool,
    },
    /// What has changed since the page or delta before.
    Delta(FleetDelta),
    /// The client was too slow: what it knows is void, pages follow.
    Resync,
    /// To [`Request::Agent`].
    Agent(Box<AgentDetail>),
    /// To [`Request::Events`]: one page.
    Events {
        /// Oldest first.
        events: Vec<Event>,
        /// Ask again with [`EventQuery::after`] set to this; `None`: these were all.
        next: Option<i64>,
    },
    /// To [`Request::Command`].
    Command(CommandOutcome),
    /// To [`Request::Forget`]: the agents that were removed.
    Forgotten {
        /// Their ids.
        agents: Vec<String>,
    },
    /// To [`Request::Token`].
    Token(TokenReply),
    /// To [`Request::Collector`].
    Collector(Box<CollectorStatus>),
    /// To [`Request::Ping`].
    Pong {
        /// The collector's time.
        at_ms: i64,
    },
    /// The request could not be done; the connection goes on.
    Error {
        /// What kind of failure.
        code: ErrorCode,
        /// What was wrong and what to do, for a person.
        message: String,
    },
    /// The collector ends the connection.
    Goodbye {
        /// Why, for a person.
        why: String,
    },
}

/// The changes of a fleet since the page or delta before, merged over at least a quarter of a second.
/// They are applied in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetDelta {
    /// The collector's turn that this is as of; pages of a later turn hold all of it already.
    pub turn: u64,
    /// The collector's own status, with its time.
    pub collector: CollectorStatus,
    /// Agents that were forgotten.
    pub removed: Vec<AgentRowId>,
    /// Agents that are new, or whose identity has changed.
    pub entries: Vec<AgentEntry>,
    /// Agents whose vitals have changed.
    pub vitals: Vec<VitalsUpdate>,
    /// Agents whose work of the last hour has changed.
    pub work: Vec<(AgentRowId, WorkWindow)>,
    pub events: Vec<Event>,
}

/// Kinds of failure, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The client speaks another [`VERSION`].
    Version,
    /// The frame, or a value in it, is not valid.
    BadRequest,
    /// This connection may look, but not act.
    NotAllowed,
    /// No such agent.
    NotFound,
    /// The collector can't do it now: its store is full or failing.
    Unavailable,
    /// Too many clients, or requests under way.
    Busy,
}
