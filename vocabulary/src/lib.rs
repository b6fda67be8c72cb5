//! The words that Heartline's core, store, operators and emitters have in common: the states of an
//! agent and the reasons for them, commands, work, identity, incidents. No I/O, no clock.
//!
//! Every enumeration has one name for each of its values ([`State::name`], …): the database, JSON
//! documents, filters and tables all use it. The feature `serde` makes the types serializable.

#![warn(missing_docs)]

mod agent;
mod alert;
mod budget;
mod command;
mod counter;
mod gap;
mod identity;
mod named;
mod process;
mod session;
mod state;
pub mod text;
mod work;

pub use agent::{AgentRowId, Phase};
pub use alert::{DeliveryState, IncidentId, NoticeId, NoticeKind, ScopeKind, Severity};
pub use budget::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit, percent_used};
pub use command::{Action, CommandRefusal, CommandTarget, ForgetRefusal};
pub use counter::{
    CONNECTION_COUNTERS, ConnectionCounter, ConnectionCounters, DATAGRAM_COUNTERS, DatagramCounter,
    DatagramCounters, DatagramLoss,
};
pub use gap::GapCause;
pub use identity::{Identity, SharedIdentity};
pub use process::ProcessUsage;
pub use session::{ExitStatus, SessionEnd};
pub use state::{AgentStatus, Reason, State, StateCounts};
pub use work::{WorkTotals, success_rate};
