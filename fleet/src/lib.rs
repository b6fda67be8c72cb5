//! Heartline's pure core: every judgement of an agent, without socket, clock, database, thread or
//! randomness. Those are values here, so that all of it runs in a simulation, from a seed.
//!
//! A [`Fleet`] has four verbs:
//!
//! 1. [`Fleet::handle`] takes one [`Input`] and the time, and changes the fleet;
//! 2. [`Fleet::poll_output`] gives what is to be done about it, until there is nothing left;
//! 3. [`Fleet::poll_timeout`] says when to call again with [`Input::Tick`] at the latest;
//! 4. the reads ([`Fleet::view`], [`Fleet::summary`], …) look and change nothing.
//!
//! Mutate once, drain fully, then wait. The times that leave it are monotonic ([`MonoTime`]); wall-clock
//! time joins at the edge, through one anchor.

mod agent;
mod attended;
mod command;
mod deferred;
mod fleet;
mod forgotten;
mod gap;
mod identity;
mod input;
mod judge;
mod message;
mod output;
mod path;
mod restore;
mod roster;
mod rules;
mod session;
mod state;
mod stranger;
mod time;
mod view;
mod work;

pub use command::DesiredState;
pub use fleet::{Fleet, FleetConfig, MessageCounters};
pub use gap::HEARTBEAT;
pub use identity::IdentityInterner;
pub use input::{CommandRequest, Input, Message, RestoredAgent, RestoredSession, ReturnAddress};
pub use output::{
    ControlDbRow, HistoryDbRow, OutgoingAck, OutgoingPush, Output, WorkRow, WriteTicket,
};
pub use roster::AgentIndex;
pub use rules::{AgentHealthRule, HealthRules, HealthThresholds};
pub use state::TransitionCause;
pub use time::MonoTime;
pub use view::{AgentView, CommandProgress};
