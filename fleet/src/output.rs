//! The outputs of a fleet: acks and pushes to send, rows to store, results for operators.

use std::time::Duration;

use heartline_protocol::{Ack, ControlId, DesiredState};
use heartline_vocabulary::{
    Action, AgentRowId, AgentStatus, CommandRefusal, CommandTarget, ForgetRefusal, GapCause,
    Identity, Reason, SessionEnd, WorkTotals,
};

use crate::agent_table::AgentIndex;
use crate::alert::{Incident, OutgoingNotice};
use crate::budget_event::BudgetEvent;
use crate::cause::TransitionCause;
use crate::quality_record::QualityRecord;
use crate::return_address::ReturnAddress;
use crate::time::MonoTime;

/// The number of a row that awaits confirmation from the disk: from 1, growing, one series for each
/// database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteTicket(pub u64);

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send an ack.
    Ack(OutgoingAck),
    /// Send an agent its desired state, unasked.
    Push(OutgoingPush),
    /// Write a change of state into `history.db`, in order with [`Output::WriteHistory`]. It must reach
    /// operators and alerts also where history is paused.
    Transition(Transition),
    /// A budget has reached a level. As an [`Output::Transition`], it is a row for `history.db`
    /// ([`HistoryDbRow::Budget`]), and must reach operators and alerts also where history is paused.
    Budget(Box<BudgetEvent>),
    /// Write into `history.db`, in this order. Only [`HistoryDbRow::Work`] awaits an
    /// [`crate::Input::HistoryCommitted`].
    WriteHistory(HistoryDbRow),
    /// Write into `control.db`, in this order. [`ControlDbRow::Command`] awaits an
    /// [`crate::Input::ControlCommitted`] or [`crate::Input::Abandoned`].
    WriteControl(ControlDbRow),
    /// A command is durable, and its pushes are on their way.
    CommandApplied { request_id: u64, at: MonoTime, targets: Vec<CommandTarget> },
    /// A command was refused: nothing was changed.
    CommandRefused { request_id: u64, refusal: CommandRefusal },
    /// A command could not be stored: nothing was changed.
    CommandAbandoned { request_id: u64, why: Box<str> },
    /// The agents that were forgotten, or why none was.
    ForgetDone { request_id: u64, result: Result<Vec<String>, ForgetRefusal> },
    /// The index no longer belongs to an agent: drop its keys.
    AgentRemoved { index: AgentIndex },
}

/// An ack, to be sealed with the agent's key, the sequence and the current challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingAck {
    pub index: AgentIndex,
    pub to: ReturnAddress,
    pub session: u64,
    /// The sequence that is acknowledged.
    pub sequence: u64,
    /// The interval that the session's challenge steps follow.
    pub interval_ms: u32,
    /// Length of the acknowledged message in bytes; the ack must not be longer.
    pub message_len: u16,
    pub ack: Ack,
}

/// A push: an agent's desired state, unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingPush {
    pub index: AgentIndex,
    pub to: ReturnAddress,
    pub session: u64,
    pub desired: DesiredState,
    /// Control id whose kill this command lifts.
    pub lifts: Option<ControlId>,
}

/// A change of an agent's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    pub id: AgentRowId,
    /// The moment at which it became true.
    pub at: MonoTime,
    pub from: AgentStatus,
    pub to: AgentStatus,
    /// Duration of the state before, if that is known.
    pub lasted: Option<Duration>,
    pub cause: TransitionCause,
    /// The step that it was in when it became degraded or unreachable. Scrubbed.
    pub step: Option<Box<str>>,
}

/// A row for `history.db`.
#[derive(Clone, Debug, PartialEq)]
pub enum HistoryDbRow {
    /// An agent was seen for the first time.
    Registered {
        id: AgentRowId,
        agent: Box<str>,
        at: MonoTime,
    },
    /// An agent was forgotten by an operator.
    Forgotten {
        id: AgentRowId,
        at: MonoTime,
        by: Box<str>,
    },
    /// A session became the agent's current one.
    Session {
        id: AgentRowId,
        session: u64,
        at: MonoTime,
        starts: u32,
    },
    /// An agent reported another identity, a few times in a session at most.
    Identity {
        id: AgentRowId,
        at: MonoTime,
        identity: Identity,
    },
    SessionEnded {
        id: AgentRowId,
        session: u64,
        at: MonoTime,
        end: SessionEnd,
    },
    /// Never shed.
    Transition(Transition),
    /// Never shed.
    Budget(Box<BudgetEvent>),
    /// A command became durable for one agent.
    Commanded {
        id: AgentRowId,
        at: MonoTime,
        action: Action,
        generation: u64,
        by: Box<str>,
        reason: Box<str>,
    },
    /// An agent obeys a command.
    Obeyed {
        id: AgentRowId,
        at: MonoTime,
        action: Action,
        generation: u64,
        /// From durable to applied.
        delivered_ms: u64,
        /// From durable to quiet.
        obeyed_ms: u64,
    },
    /// A killed agent went on completing work.
    Disobeyed {
        id: AgentRowId,
        at: MonoTime,
        generation: u64,
    },
    /// Time that was not observed.
    Gap {
        from: MonoTime,
        to: MonoTime,
        cause: GapCause,
    },
    /// Work to be counted once, awaiting [`crate::Input::HistoryCommitted`].
    Work(Box<WorkRow>),
    /// An incident as it is now.
    Incident(Box<Incident>),
    /// Something to be told to sinks, once it is stored.
    Notice(Box<OutgoingNotice>),
    /// The time of an agent's last live beat: written when the collector ends.
    LastBeat {
        id: AgentRowId,
        session: u64,
        at: MonoTime,
    },
}

/// A segment of work, and the beats since the row before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkRow {
    pub ticket: WriteTicket,
    pub id: AgentRowId,
    pub session: u64,
    /// Its number in the session.
    pub segment: u64,
    /// Time of its receipt.
    pub at: MonoTime,
    pub work: WorkTotals,
    /// Latencies as packed `(bucket, count)` pairs ([`heartline_protocol::bucket`]), checked.
    pub latency: Box<[u8]>,
    /// The quality of the agent's work after it.
    pub quality: QualityRecord,
    /// Live beats since the agent's row before.
    pub beats: u32,
    /// Lost beats since the agent's row before.
    pub lost: u32,
}

/// A row for `control.db`.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlDbRow {
    /// An agent was seen for the first time.
    Registered {
        id: AgentRowId,
        agent: Box<str>,
        at: MonoTime,
    },
    /// An agent's interval or identity changed.
    Profile {
        id: AgentRowId,
        interval_ms: u32,
        identity: Option<Identity>,
    },
    /// An agent was forgotten.
    Forgotten {
        id: AgentRowId,
        at: MonoTime,
        by: Box<str>,
    },
    Command(CommandRow),
    /// Progress of an agent in obeying its newest command.
    Progress {
        id: AgentRowId,
        generation: u64,
        /// From durable to applied.
        delivered_ms: u64,
        /// From durable to quiet.
        obeyed_ms: Option<u64>,
    },
}

/// A command: desired states and audit row, written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRow {
    pub ticket: WriteTicket,
    /// Unique for ever.
    pub request_id: u64,
    /// Time at which it was taken.
    pub at: MonoTime,
    pub action: Action,
    /// [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    pub by: Box<str>,
    pub reason: Box<str>,
    pub targets: Vec<CommandRowTarget>,
}

/// An agent that a command is for.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRowTarget {
    pub id: AgentRowId,
    /// With the generation that its desired state gets.
    pub target: CommandTarget,
    /// Control id whose kill the command lifts.
    pub lifts: Option<ControlId>,
}
