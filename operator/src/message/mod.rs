//! The messages between operators and the collector.
//!
//! Every frame carries one [`ClientFrame`] or [`ServerFrame`]. Numbers with a unit name it last.
//! Times are milliseconds of Unix time by the *collector's* clock (`_ms` after an `at` or `since`),
//! so that an operator's wrong clock shifts no age: a client takes the newest `at_ms` it was sent
//! as the collector's now, and counts on from there by its own monotonic clock.

mod agent;
mod agent_history;
mod agent_names;
mod alert;
mod backup;
mod budget;
mod collector;
mod command;
mod entry_list;
mod event;
mod fleet_history;
mod health;
mod incident;
mod notice;
mod outage;
mod part;
mod past;
mod roster;
mod selector;
mod timeline;

pub use agent::{
    AgentDetail, AgentEntry, AgentKeyInfo, AgentVitals, CommandStatus, LatencyQuantiles,
    RecentWork, SessionSummary,
};
pub use agent_history::{
    AgentChart, AgentChartQuery, AgentHistory, AgentHistoryQuery, BANDS_MAX, CHART_STEPS_MAX,
    HistoryStep, STEPS_MAX, StateTimes,
};
pub use agent_names::{AGENT_NAMES_MAX, AgentNamesQuery};
pub use alert::{
    AlertQuery, AlertReport, AlertSummary, DeliveryReport, INCIDENT_AGENTS_MAX, INCIDENTS_MAX,
    IncidentReport, NoticeReport, SILENCE_REASON_MAX, SILENCES_MAX, Silence, SilenceCommand,
    SinkReport,
};
pub use backup::{BackupCommand, BackupFile, BackupSummary, BackupUpdate};
pub use budget::{AgentBudget, BudgetStatus, BudgetTarget, BudgetTerms};
pub use collector::{CollectorStatus, HistoryHealth};
pub use command::{
    AgentCommand, CommandOutcome, ForgetCommand, TokenInfo, TokenReply, TokenRequest,
};
pub use event::{EVENTS_MAX, Event, EventKind, EventOrder, EventQuery};
pub use fleet_history::{FleetHistory, FleetHistoryQuery, HistoryContent, OutageFigures};
pub use health::{
    ClockHealth, CollectorHealth, CommitHealth, DiskSpace, FileSize, LossCount, PingKind,
    PingResult, QueueHealth, TickHealth, WatchdogHealth,
};
pub use incident::{
    INCIDENT_CHUNK, IncidentContents, IncidentQuery, IncidentTexts, IncidentUpdate,
};
pub use notice::{
    Acknowledgement, Incident, IncidentMember, IncidentScope, MemberCounts, NOTICE_MEMBERS_MAX,
    NeverSeen, Notice, ReplicaShortage, Shortage,
};
pub use outage::{NoteCommand, OUTAGES_MAX, Outage, OutageNote, OutageQuery};
pub use past::{MomentInfo, PastAgent, PastFleet, PastGap, PastWork};
pub use roster::{GroupReport, MISSING_MAX, MissingAgent, RosterReport};
pub use selector::{
    AgentSelector, SelectionPreview, UnknownName, is_pattern, is_similar, selection_fingerprint,
};

pub use timeline::{
    CLOCK_STEPS_MAX, ClockStep, TIMELINE_AGENTS_MAX, TIMELINE_CELL_MAX_MS, TIMELINE_CELLS_MAX,
    TIMELINE_ROWS_MAX, Timeline, TimelineCell, TimelineQuery, TimelineRow, precedence,
};

use heartline_vocabulary::{AgentRowId, IncidentId};
use serde::{Deserialize, Serialize};

/// Version of these messages. A client and a collector of different versions refuse each other.
pub const VERSION: u16 = 1;

/// A request, with an id that its replies repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientFrame {
    /// Chosen by the client, from 1.
    pub id: u32,
    pub request: Request,
}

/// A reply, or an update of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFrame {
    /// Id of the request; 0 for what was not requested.
    pub id: u32,
    pub reply: Reply,
}

/// A request of an operator. The first must be [`Request::Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Negotiates the version and names the client.
    Hello {
        /// [`VERSION`] of the client.
        version: u16,
        /// Name and version of the client program, for the log.
        client: String,
        /// The operator's identity where the connection came from (`ops@bastion` over ssh), as far
        /// as the client knows; recorded beside the peer credentials, never instead of them.
        origin: Option<String>,
    },
    /// Agents as they are now, in pages ([`SubscriptionUpdate::Page`]). Names that are not known are
    /// left out.
    Snapshot { agents: AgentSelector },
    /// The fleet now, in pages, then [`SubscriptionUpdate::Delta`] until the connection ends. Answered with
    /// [`SubscriptionUpdate::Resync`] and new pages whenever the client was too slow.
    Subscribe {
        /// Only these agents; empty: all.
        agents: Vec<String>,
        /// Most deltas a second, 1 to 4.
        per_second: u8,
        /// It rings, too: [`SubscriptionUpdate::Bell`].
        takes_bell: bool,
    },
    /// Everything known of one agent ([`Reply::Agent`]).
    Agent { agent: String },
    /// A page of history ([`Reply::Events`]).
    Events(EventQuery),
    /// A page of outages ([`Reply::Outages`]).
    Outages(OutageQuery),
    /// An agent's work and states in steps ([`Reply::AgentHistory`]).
    AgentHistory(AgentHistoryQuery),
    /// Work and states of many agents in steps ([`Reply::FleetHistory`]).
    FleetHistory(FleetHistoryQuery),
    /// A page of the names of agents that were known in a range of time ([`Reply::AgentNames`]).
    AgentNames(AgentNamesQuery),
    /// Agents as they were at a moment ([`Reply::Past`]), those that match a
    /// [`Filter`](crate::Filter). Their work takes longer to read than the rest of a large fleet; with a filter
    /// it is read in any case.
    Past { at_ms: i64, filter: String, with_work: bool },
    /// What is known of a moment ([`Reply::Moment`]).
    Moment { at_ms: i64 },
    /// The states of agents in cells ([`Reply::Timeline`]).
    Timeline(TimelineQuery),
    /// What a command would hit ([`Reply::Preview`]).
    Preview {
        agents: AgentSelector,
        /// Most agents to be listed, up to 100.
        list: u32,
    },
    /// Kill or resume ([`Reply::Command`]). Control socket only.
    Command(AgentCommand),
    /// Write on an outage ([`Reply::Noted`]). Control socket only.
    Note(NoteCommand),
    /// Incidents, who was told of them, sinks and silences ([`Reply::Alerts`]).
    Alerts(AlertQuery),
    /// Take care of incidents ([`Reply::Acknowledged`]). Control socket only.
    Acknowledge { incidents: Vec<IncidentId> },
    /// Silence agents, or end that ([`Reply::Silenced`]). Control socket only.
    Silence(SilenceCommand),
    /// Send a notice of no incident to a sink, and say what became of it ([`Reply::SinkTested`]). Control
    /// socket only.
    TestSink { sink: String },
    /// Remove retired agents ([`Reply::Forgotten`]); their history stays. Control socket only.
    Forget(ForgetCommand),
    /// Names that the request of the same id, which follows, begins with: one frame is too short for
    /// all of them. Not answered.
    MoreNames { names: Vec<String> },
    /// Make, revoke or list tokens ([`Reply::Token`]). Control socket only.
    Token(TokenRequest),
    /// What an incident file would have in it ([`Reply::Incident`]).
    IncidentContents(IncidentQuery),
    /// An incident file ([`Reply::Incident`]), which the client writes.
    IncidentFile(IncidentQuery),
    /// Copy both databases while they are in use ([`Reply::Backup`], one every second). Control socket and
    /// the collector's own user only.
    Backup(BackupCommand),
    /// All budgets with what was spent of them ([`Reply::Budgets`]).
    Budgets,
    /// Who is expected ([`Reply::Roster`]).
    Roster,
    /// The collector's own status ([`Reply::Collector`]).
    Collector,
    /// How the collector itself does, in detail ([`Reply::CollectorHealth`]).
    CollectorHealth,
    /// Answered at once with [`Reply::Pong`].
    Ping,
}

/// A reply of the collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello {
        /// [`VERSION`] of the collector.
        version: u16,
        /// The operator, from the socket's peer credentials: `user@host`.
        operator: String,
        /// The connection is not read-only.
        may_control: bool,
        collector: Box<CollectorStatus>,
    },
    /// To [`Request::Snapshot`] and [`Request::Subscribe`].
    Update(SubscriptionUpdate),
    /// To [`Request::Agent`].
    Agent(Box<AgentDetail>),
    /// To [`Request::Events`]: one page.
    Events {
        /// Oldest first.
        events: Vec<Event>,
        /// Where [`EventQuery::following`] goes on; `None` on the last page.
        next: Option<i64>,
    },
    /// To [`Request::Outages`]: one page.
    Outages {
        /// Oldest first.
        outages: Vec<Outage>,
        /// Where [`OutageQuery::following`] goes on; `None` on the last page.
        next: Option<i64>,
    },
    /// To [`Request::AgentHistory`].
    AgentHistory(Box<AgentHistory>),
    /// To [`Request::FleetHistory`].
    FleetHistory(Box<FleetHistory>),
    /// To [`Request::AgentNames`]: one page.
    AgentNames {
        /// In the order of their bytes.
        names: Vec<String>,
        /// Another page follows.
        has_more: bool,
    },
    /// To [`Request::Past`].
    Past(PastFleet),
    /// To [`Request::Moment`].
    Moment(MomentInfo),
    /// To [`Request::Timeline`].
    Timeline(Box<Timeline>),
    /// To [`Request::Preview`].
    Preview(Box<SelectionPreview>),
    /// To [`Request::Command`].
    Command(CommandOutcome),
    /// To [`Request::Note`]: the note is on disk.
    Noted,
    /// To [`Request::Alerts`].
    Alerts(Box<AlertReport>),
    /// To [`Request::Acknowledge`]: those that go on and are known; not stored while history is paused.
    Acknowledged { incidents: Vec<IncidentId>, is_stored: bool },
    /// To [`Request::Silence`]: the number of the silence, durably.
    Silenced { id: i64 },
    /// To [`Request::TestSink`]: what the sink answered; an error says why it did not take it.
    SinkTested { answer: String },
    /// To [`Request::Forget`]: the agents that were removed.
    Forgotten { agents: Vec<String> },
    /// To [`Request::Token`].
    Token(TokenReply),
    /// To [`Request::IncidentContents`] and [`Request::IncidentFile`].
    Incident(IncidentUpdate),
    /// To [`Request::Backup`].
    Backup(BackupUpdate),
    /// To [`Request::Budgets`], in the order of the config file.
    Budgets { budgets: Vec<BudgetStatus> },
    /// To [`Request::Roster`].
    Roster(Box<RosterReport>),
    /// To [`Request::Collector`].
    Collector(Box<CollectorStatus>),
    /// To [`Request::CollectorHealth`].
    CollectorHealth(Box<CollectorHealth>),
    /// To [`Request::Ping`].
    Pong { at_ms: i64 },
    /// The first part of a reply that is too long for one frame; the rest follows.
    Part(Box<Reply>),
    /// The request failed; the connection goes on, unless no request has this id.
    Error {
        code: ErrorCode,
        /// What was wrong and what to do, for a person.
        message: String,
    },
    /// The collector ends the connection, for this reason.
    Goodbye { why: String },
}

/// An update of a snapshot or subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionUpdate {
    /// Part of a snapshot, in no particular order.
    Page {
        #[serde(with = "entry_list")]
        entries: Vec<AgentEntry>,
        collector: Box<CollectorStatus>,
        last: bool,
    },
    /// What has changed since the page or delta before.
    Delta(Box<FleetDelta>),
    /// The client was too slow: all that it knows is void, pages follow.
    Resync,
    /// A notice for a sink of type `bell`, to be rung now or never.
    Bell(BellRing),
}

/// A notice that rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BellRing {
    /// Its first line: who, what, since when. At most [`BELL_TEXT_MAX`] characters, scrubbed.
    pub text: String,
}

/// Most characters of what rings.
pub const BELL_TEXT_MAX: usize = 200;

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
    #[serde(with = "entry_list")]
    pub entries: Vec<AgentEntry>,
    /// Agents whose vitals have changed.
    pub vitals: Vec<(AgentRowId, AgentVitals)>,
    /// Agents whose work of the last hour has changed.
    pub work: Vec<(AgentRowId, RecentWork)>,
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
    /// The connection is read-only.
    NotAllowed,
    /// No such agent.
    NotFound,
    /// The store is full or failing.
    Unavailable,
    /// Too many clients, or requests in flight.
    Busy,
}
