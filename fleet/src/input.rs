//! The inputs of a fleet: messages, commands, confirmations, restored rows, and time.

use heartline_protocol::Body;

use crate::budget_rule::{BudgetSetup, BudgetWindow};
use crate::command::CommandRecord;

use crate::agent_table::AgentIndex;
use crate::alert::AlertInput;
use crate::expectation::ExpectedHours;
use crate::latency_limit::LatencyLimits;
use crate::output::WriteTicket;
use crate::quality_record::QualityRecord;
use crate::return_address::ReturnAddress;
use crate::thresholds::HealthRules;
use crate::time::MonoTime;
use heartline_vocabulary::{
    Action, AgentRowId, AgentStatus, Identity, Reason, SessionEnd, WorkTotals,
};

/// One input of a fleet.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A verified and decoded datagram from an agent.
    Message(&'a AgentMessage<'a>),
    /// An agent known from before. Only before [`Input::Begin`].
    Restore(Box<RestoredAgent>),
    /// The socket is bound: from now on agents can be heard.
    Begin {
        /// Up to when the collector before this one is known to have been alive.
        last_alive: Option<MonoTime>,
        /// The smallest row id that no agent ever had.
        next_id: AgentRowId,
    },
    /// A command of an operator. The outcome is [`crate::Output::CommandApplied`],
    /// [`crate::Output::CommandRefused`] or [`crate::Output::CommandAbandoned`].
    Command(CommandRequest),
    /// `control.db` has the command of this ticket, and all before it.
    ControlCommitted { ticket: WriteTicket },
    /// The command of this ticket did not become durable, and never will: as if it had not come.
    Abandoned { ticket: WriteTicket, why: Box<str> },
    /// `history.db` has the work of this ticket, and all before it.
    HistoryCommitted {
        ticket: WriteTicket,
        /// Rows among them that it had before, by another path: not to be counted again.
        known: Vec<WriteTicket>,
    },
    /// A request to forget retired agents; those that are still alive come back by their next beat.
    /// The outcome is [`crate::Output::ForgetDone`].
    Forget(ForgetRequest),
    /// The kernel dropped datagrams since the tick before.
    KernelDrops { count: u64 },
    /// What an agent's own past says of its latencies in the hour that begins.
    Baseline { agent: &'a str, limits: LatencyLimits },
    /// New rules: every agent is judged again.
    Rules(HealthRules),
    /// What alerts go by, and what people do about them.
    Alert(AlertInput),
    /// The budgets; at a start after the agents were restored, and before [`Input::Begin`].
    Budgets(Box<BudgetSetup>),
    /// The next window of a budget has begun.
    BudgetWindow { budget: u16, window: BudgetWindow },
    /// When the hours of an expectation last, or come next; `None`: never. After [`Input::Rules`] anew.
    ExpectedHours { expectation: u16, hours: Option<ExpectedHours> },
    /// Time has passed, and the socket has been drained.
    Tick,
    /// The collector is about to end: record what its successor needs.
    End,
}

/// A verified and decoded datagram from an agent.
#[derive(Clone, Debug)]
pub struct AgentMessage<'a> {
    /// The agent, if [`crate::Fleet::find`] knew it.
    pub index: Option<AgentIndex>,
    pub agent: &'a str,
    /// Scope of the key that it is signed with.
    pub scope: &'a str,
    pub session: u64,
    pub sequence: u64,
    /// First bytes of its tag, which differ where messages do.
    pub tag_prefix: u32,
    /// It echoes a current or previous challenge of this session.
    pub fresh: bool,
    pub from: ReturnAddress,
    /// Length of the datagram, in bytes.
    pub len: u16,
    pub body: Body<'a>,
}

/// An operator's command.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    pub request_id: u64,
    pub action: Action,
    /// [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// Ids of the agents.
    pub agents: Vec<String>,
    /// Scrubbed.
    pub reason: Box<str>,
    /// `user@host`
    pub by: Box<str>,
    /// The number of agents that the operator confirmed.
    pub expect: Option<u32>,
}

/// An operator's request to forget agents.
#[derive(Clone, Debug)]
pub struct ForgetRequest {
    pub request_id: u64,
    /// Ids of the agents.
    pub agents: Vec<String>,
    /// `user@host`
    pub by: Box<str>,
}

/// An agent known from before.
#[derive(Clone, Debug)]
pub struct RestoredAgent {
    pub id: AgentRowId,
    pub agent: Box<str>,
    pub first_seen: MonoTime,
    pub identity: Option<Identity>,
    pub interval_ms: u32,
    /// Its status when the collector ended, from its last transition.
    pub status: AgentStatus,
    pub since: MonoTime,
    /// Time of its last live beat, as far as it is known.
    pub last_live: Option<MonoTime>,
    pub starts: u32,
    /// Its sessions, newest first: that one is current.
    pub sessions: Vec<RestoredSession>,
    pub totals: WorkTotals,
    /// The quality of its work after its last segment.
    pub quality: QualityRecord,
    /// Its desired state, if one was ever set.
    pub desired: Option<Box<CommandRecord>>,
}

/// A session known from before.
#[derive(Clone, Copy, Debug)]
pub struct RestoredSession {
    pub session: u64,
    /// Last segment applied, and durable.
    pub applied_segment: u64,
    /// Its end, if it has one.
    pub ended: Option<SessionEnd>,
}
