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
//! Mutate once, drain fully, then wait. The times that leave it are monotonic ([`Mono`]); wall-clock
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

pub use command::{Action, CommandRefusal, Desired, Target};
pub use fleet::{Counters, Fleet, FleetConfig, Summary};
pub use gap::{GapCause, HEARTBEAT};
pub use identity::{About, Identities, Identity};
pub use input::{CommandRequest, Input, Message, Path, RestoredAgent, RestoredSession};
pub use output::{Answer, ControlRow, HistoryRow, Output, PushOrder, SessionEnd, Ticket, WorkRow};
pub use roster::{AgentId, AgentIndex};
pub use rules::{AgentRule, Limits, Rules};
pub use state::{Cause, Exit, Reason, Standing, State};
pub use time::Mono;
pub use view::{AgentView, CommandProgress, Totals};
