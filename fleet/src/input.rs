//! What a fleet is told: messages, commands, confirmations, restored rows, and time.

use std::net::SocketAddr;

use heartline_protocol::Body;

use crate::command::DesiredState;

use crate::output::WriteTicket;
use crate::roster::AgentIndex;
use crate::rules::HealthRules;
use crate::time::MonoTime;
use heartline_vocabulary::Action;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::Identity;
use heartline_vocabulary::SessionEnd;
use heartline_vocabulary::WorkTotals;
use heartline_vocabulary::{AgentStatus, Reason};

/// One thing that a fleet is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A verified and decoded datagram from an agent.
    Message(&'a Message<'a>),
    /// An agent known from before. Only before [`Input::Begin`].
    Restore(Box<RestoredAgent>),
    /// The socket is bound: from now on agents can be heard.
    Begin {
        /// Up to when the collector before this one is known to have been alive.
        last_alive: Option<MonoTime>,
        /// The smallest durable id that no agent ever had.
        next_id: AgentRowId,
    },
    /// An operator's command. Answered with [`crate::Output::Commanded`] or
    /// [`crate::Output::Refused`].
    Command(CommandRequest),
    /// `control.db` has the command of this ticket, and all before it.
    Persisted {
        /// The ticket.
        ticket: WriteTicket,
    },
    /// The command of this ticket did not become durable, and never will: as if it had not come.
    Abandoned {
        /// The ticket.
        ticket: WriteTicket,
    },
    /// `history.db` has the work of this ticket, and all before it.
    Stored {
        /// The ticket.
        ticket: WriteTicket,
        /// Those among them that it had from before, by another path: not to be counted again.
        known: Vec<WriteTicket>,
    },
    /// Remove retired agents; those that are still alive come back by their next beat.
    Forget {
        /// Which.
        agents: Vec<AgentIndex>,
        /// Who asks.
        by: Box<str>,
    },
    /// The kernel dropped datagrams since the tick before.
    KernelDrops {
        /// How many.
        count: u64,
    },
    /// New rules: every agent is judged anew.
    Rules(HealthRules),
    /// Time has passed, and the socket has been drained.
    Tick,
    /// The collector is about to end: record what a restart wants to know.
    End,
}

/// Where a datagram came from, and where its answer goes: the peer, and which of the collector's
/// sockets it used, since an agent takes answers only from the address that it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The peer's address.
    pub peer: SocketAddr,
    /// Number of the collector's socket.
    pub via: u8,
}

/// A verified and decoded datagram from an agent.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The agent, if [`crate::Fleet::find`] knew it.
    pub index: Option<AgentIndex>,
    /// Its id.
    pub agent: &'a str,
    /// The emitter's session.
    pub session: u64,
    /// Number in that session, from 1.
    pub sequence: u64,
    /// Whether it echoes a current or previous challenge of this session.
    pub fresh: bool,
    /// Where it came from.
    pub from: ReturnAddress,
    /// Its length in bytes.
    pub len: u16,
    /// What it says.
    pub body: Body<'a>,
}

/// An operator's command, as it came.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    /// The command's number.
    pub request_id: u64,
    /// Kill or resume.
    pub action: Action,
    /// Whose doing: [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// Ids of the agents.
    pub agents: Vec<String>,
    /// Why; scrubbed.
    pub reason: Box<str>,
    /// Who: `user@host`.
    pub by: Box<str>,
    /// How many agents the operator was told this hits.
    pub expect: Option<u32>,
}

/// An agent known from before.
#[derive(Clone, Debug)]
pub struct RestoredAgent {
    /// Its durable id.
    pub id: AgentRowId,
    /// Its id.
    pub agent: Box<str>,
    /// When it was first seen.
    pub first_seen: MonoTime,
    /// Who it said it was.
    pub identity: Option<Identity>,
    /// Its interval, in ms.
    pub interval_ms: u32,
    /// Its standing when the collector ended, from its last transition.
    pub standing: AgentStatus,
    /// Since when.
    pub since: MonoTime,
    /// When its last live beat came, as far as it is known.
    pub last_live: Option<MonoTime>,
    /// How often it has started.
    pub starts: u32,
    /// Its sessions, newest first: that one is current.
    pub sessions: Vec<RestoredSession>,
    /// Its work so far.
    pub totals: WorkTotals,
    /// Its desired state, if one was ever set.
    pub desired: Option<Box<DesiredState>>,
}

/// A session known from before.
#[derive(Clone, Copy, Debug)]
pub struct RestoredSession {
    /// Its random id.
    pub session: u64,
    /// Last segment applied, and durable.
    pub applied_segment: u64,
    /// How it ended, if it did.
    pub ended: Option<SessionEnd>,
}
