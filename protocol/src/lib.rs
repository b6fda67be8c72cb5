//! Heartline's datagrams: the wire format between an agent and its collector.
//!
//! `SPEC.md` beside this crate is normative; this is its reference implementation. The crate does
//! no I/O and reads no clock.
//!
//! The order is fixed by the types: bytes become a [`Datagram`] (framing only, not trusted),
//! [`Datagram::verify`] makes it a [`VerifiedDatagram`], and only that can be decoded into a
//! [`Body`].
//!
//! - [`envelope`]: the header of every message, and its authentication tag
//! - [`key`]: master, scope and agent keys, and the tokens that carry them
//! - [`body`]: the bodies of messages
//! - [`window`]: the replay window
//! - [`bucket`]: the latency buckets
//! - [`challenge`]: freshness without clocks
//! - [`control`]: desired states of agents, and control ids
//! - [`budget`]: what is left of budgets

#![warn(missing_docs)]

pub mod body;
pub mod bucket;
pub mod budget;
pub mod challenge;
pub mod control;
pub mod envelope;
pub mod key;
pub mod limits;
pub mod name;
pub mod window;
pub mod wire;

pub use body::{Ack, Beat, Body, ExitReport, Goodbye, IdentityView, Push, SegmentView};
pub use budget::BudgetLeft;
pub use control::{ControlId, DesiredState};
pub use envelope::{
    Datagram, DatagramError, DatagramWriter, Header, MessageType, VerifiedDatagram,
};
pub use heartline_vocabulary::{BudgetUnit, Phase};
pub use key::{
    AgentKey, Direction, KeyEpoch, MasterKey, ScopeKey, Token, TokenChecksum, TokenError,
    TokenScope,
};
pub use name::{AgentName, NameError};
pub use window::ReplayWindow;
