//! What a fleet wants done: answers to send, rows to store, news for operators.

use std::time::Duration;

use heartline_protocol::Ack;

use crate::input::ReturnAddress;
use crate::roster::AgentIndex;
use crate::state::TransitionCause;
use crate::time::MonoTime;
use heartline_vocabulary::GapCause;
use heartline_vocabulary::Identity;
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};
use heartline_vocabulary::{AgentRowId, SessionEnd};
use heartline_vocabulary::{AgentStatus, Reason};

/// Numbers what is under way to the disk: from 1, growing, one series for each database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteTicket(pub u64);

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// OutgoingAck a datagram.
    Answer(OutgoingAck),
    /// Tell an agent its desired state, unasked.
    Push(OutgoingPush),
    /// Write into `history.db`, in this order. Only [`HistoryDbRow::Work`] awaits an
    /// [`crate::Input::Stored`].
    Record(HistoryDbRow),
    /// Write into `control.db`, in this order. [`ControlDbRow::Command`] awaits an
    /// [`crate::Input::Persisted`].
    Persist(ControlDbRow),
    /// A command is durable and under way.
    Commanded {
        /// The command's number.
        request_id: u64,
        /// When it became durable.
        at: MonoTime,
        /// Whom it hit.
        targets: Vec<CommandTarget>,
    },
    /// A command was refused: nothing was changed.
    Refused {
        /// The command's number.
        request_id: u64,
        /// Why.
        refusal: CommandRefusal,
    },
    /// The index no longer belongs to an agent: forget its keys.
    Forgotten {
        /// Which.
        index: AgentIndex,
        /// Whose it was.
        agent: Box<str>,
    },
}

/// An answer: an ack, to be sealed with the agent's key, sequence and current challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingAck {
    /// Whom.
    pub index: AgentIndex,
    /// Where to.
    pub to: ReturnAddress,
    /// The session that asked.
    pub session: u64,
    /// The sequence that is answered.
    pub sequence: u64,
    /// The interval that the session's challenge steps follow, in ms.
    pub interval_ms: u32,
    /// Length of the question in bytes; no answer may be longer.
    pub question_len: u16,
    /// What to say.
    pub ack: Ack,
}

/// An unasked word to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingPush {
    /// Whom.
    pub index: AgentIndex,
    /// Where to.
    pub to: ReturnAddress,
    /// Its session.
    pub session: u64,
    /// Generation of its desired state.
    pub generation: u64,
    /// The desired state: true: do not work.
    pub killed: bool,
}

/// A row for `history.db`.
#[derive(Clone, Debug, PartialEq)]
pub enum HistoryDbRow {
    /// An agent was seen for the first time.
    Registered {
        /// Its durable id.
        id: AgentRowId,
        /// Its name.
        agent: Box<str>,
        /// When.
        at: MonoTime,
    },
    /// An agent was removed by an operator.
    Forgotten {
        /// Its durable id.
        id: AgentRowId,
        /// When.
        at: MonoTime,
        /// Who.
        by: Box<str>,
    },
    /// A session became the agent's current one.
    Session {
        /// Whose.
        id: AgentRowId,
        /// Which.
        session: u64,
        /// When.
        at: MonoTime,
        /// How many starts that makes.
        starts: u32,
    },
    /// A session has ended.
    SessionEnded {
        /// Whose.
        id: AgentRowId,
        /// Which.
        session: u64,
        /// When.
        at: MonoTime,
        /// How.
        end: SessionEnd,
    },
    /// A change of state. Never lost: the store may shed other detail, not this.
    Transition {
        /// Whose.
        id: AgentRowId,
        /// When it became true.
        at: MonoTime,
        /// The state before.
        from: AgentStatus,
        /// The state after.
        to: AgentStatus,
        /// How long the state before had lasted.
        lasted: Option<Duration>,
        /// What brought it about.
        cause: TransitionCause,
    },
    /// A command became durable for one agent.
    Commanded {
        /// Whose.
        id: AgentRowId,
        /// When.
        at: MonoTime,
        /// Kill or resume.
        action: Action,
        /// The generation it set.
        generation: u64,
        /// Who.
        by: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// An agent obeys.
    Obeyed {
        /// Whose.
        id: AgentRowId,
        /// When.
        at: MonoTime,
        /// Which command.
        action: Action,
        /// Its generation.
        generation: u64,
        /// From durable to applied, in ms.
        delivered_ms: u64,
        /// From durable to quiet, in ms.
        obeyed_ms: u64,
    },
    /// A killed agent went on completing work.
    Disobeyed {
        /// Whose.
        id: AgentRowId,
        /// When.
        at: MonoTime,
        /// The generation it disobeys.
        generation: u64,
    },
    /// Time that was not observed.
    Gap {
        /// From.
        from: MonoTime,
        /// To.
        to: MonoTime,
        /// Why.
        cause: GapCause,
    },
    /// Work to be counted once, awaiting [`crate::Input::Stored`].
    Work(Box<WorkRow>),
    /// When an agent's last live beat came: written when the collector ends.
    LastBeat {
        /// Whose.
        id: AgentRowId,
        /// Its session.
        session: u64,
        /// When.
        at: MonoTime,
    },
}

/// A segment of work, and the beats since the row before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkRow {
    /// Confirmed by it.
    pub ticket: WriteTicket,
    /// Whose.
    pub id: AgentRowId,
    /// The session that did it.
    pub session: u64,
    /// Its number in that session.
    pub segment: u64,
    /// When it was received.
    pub at: MonoTime,
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
    /// Latencies as packed `(bucket, count)` pairs ([`heartline_protocol::bucket`]), checked.
    pub latency: Box<[u8]>,
    /// Live beats since the agent's row before.
    pub beats: u32,
    /// Beats that never came since the agent's row before.
    pub lost: u32,
}

/// A row for `control.db`.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlDbRow {
    /// An agent was seen for the first time.
    Registered {
        /// Its durable id.
        id: AgentRowId,
        /// Its name.
        agent: Box<str>,
        /// When.
        at: MonoTime,
    },
    /// Who an agent is, and how often it beats, has changed.
    Profile {
        /// Whose.
        id: AgentRowId,
        /// Its interval, in ms.
        interval_ms: u32,
        /// Who it says it is.
        identity: Option<Identity>,
    },
    /// An agent was removed.
    Forgotten {
        /// Its durable id.
        id: AgentRowId,
        /// When.
        at: MonoTime,
        /// Who.
        by: Box<str>,
    },
    /// A command: desired states and audit row, one transaction.
    Command {
        /// Confirmed by it.
        ticket: WriteTicket,
        /// The command's number, unique for ever.
        request_id: u64,
        /// When it was taken.
        at: MonoTime,
        /// Kill or resume.
        action: Action,
        /// Whose doing: [`Reason::Operator`] or [`Reason::Policy`].
        cause: Reason,
        /// Who.
        by: Box<str>,
        /// Why.
        reason: Box<str>,
        /// Each agent with the generation its desired state gets.
        targets: Vec<(AgentRowId, CommandTarget)>,
    },
    /// How far an agent has got in obeying its newest command.
    Progress {
        /// Whose.
        id: AgentRowId,
        /// Of which command.
        generation: u64,
        /// From durable to applied, in ms.
        delivered_ms: u64,
        /// From durable to quiet, in ms.
        obeyed_ms: Option<u64>,
    },
}
