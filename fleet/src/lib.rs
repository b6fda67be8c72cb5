//! Heartline's pure core: every judgement of an agent, without socket, clock, database, thread or
//! randomness. Time and messages are values here, so that all of it runs in a simulation, from a
//! seed.
//!
//! A [`Fleet`] has four verbs:
//!
//! 1. [`Fleet::handle`] takes one [`Input`] and the time, and changes the fleet;
//! 2. [`Fleet::poll_output`] returns what is to be done about it, until there is nothing left;
//! 3. [`Fleet::poll_timeout`] returns when to call again with [`Input::Tick`] at the latest;
//! 4. the reads ([`Fleet::agent`], [`Fleet::state_counts`], …) change nothing.
//!
//! Mutate once, drain fully, then wait. The times that leave it are monotonic ([`MonoTime`]); wall-clock
//! time joins at the edge, through one anchor.

mod ack;
mod agent;
mod agent_table;
mod alert;
mod budget;
mod budget_event;
mod budget_policy;
mod budget_rule;
mod budget_share;
mod budget_view;
mod cause;
mod command;
mod context;
mod crash_loop;
mod cusum;
mod expectation;
mod flapping;
mod fleet;
mod forget;
mod gap;
mod identity;
mod input;
mod judge;
mod latency_limit;
mod latency_past;
mod message;
mod output;
mod pauses;
mod process;
mod quality;
mod quality_record;
mod rate_limit;
mod registration;
mod repeat;
mod reported_state;
mod restore;
mod return_address;
mod session;
mod spending;
mod thresholds;
mod throttle;
mod time;
mod unproven;
mod work;

pub use agent::{Agent, CommandProgress};
pub use agent_table::AgentIndex;
pub use alert::{
    AgentFilter, AlertInput, AlertReplay, AlertRoute, AlertRules, CauseInterval, Escalation,
    ExpectedAgent, FlappingRule, GoneReplicas, Incident, IncidentAck, IncidentFacts, Member,
    MemberFacts, NeverSeen, OutgoingNotice, RecordedAgent, RecordedEvent, ReplaySetup,
    ReplicaGroup, ReplicaRule, ReplicaShortage, Scope, Shortage, Silence, SinkDuty, SinkTraits,
    StateSet, StormRule, Told,
};
pub use budget_event::{BudgetEffect, BudgetEvent};
pub use budget_rule::{
    BUDGETS_MAX, BudgetRule, BudgetScope, BudgetSetup, BudgetWindow, ReachedLevels, SpendingBase,
};
pub use budget_view::{AgentBudgetView, BudgetView};
pub use cause::{BadTasks, TransitionCause};
pub use command::CommandRecord;
pub use expectation::{Expectation, ExpectedHours};
pub use fleet::{Fleet, FleetConfig};
pub use gap::TICK_INTERVAL_MAX;
pub use identity::IdentityInterner;
pub use input::{
    AgentMessage, CommandRequest, ForgetRequest, Input, RestoredAgent, RestoredSession,
};
pub use latency_limit::{LatencyLimit, LatencyLimits};
pub use latency_past::LatencySample;
pub use output::{
    CommandRow, CommandRowTarget, ControlDbRow, HistoryDbRow, OutgoingAck, OutgoingPush, Output,
    Transition, WorkRow, WriteTicket,
};
pub use process::ProcessExit;
pub use quality_record::{QualityRecord, TestRecord};
pub use registration::RegistrationLimits;
pub use return_address::ReturnAddress;
pub use thresholds::{AgentHealthRule, HealthRules, HealthThresholds, IdleRule};
pub use time::MonoTime;
