//! What an operator and a Heartline collector say to each other, the client that carries it, the
//! language that picks agents out of a fleet, and the times that are typed.

pub mod client;
pub mod frame;
pub mod json;
pub mod message;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod text;
pub mod time;

mod figures;
mod filter;
mod mirror;
mod preview;
mod socket;

pub use figures::{age_ms, dollars, session_text};
pub use filter::{
    Filter, FilterChoice, FilterCompletion, FilterError, FilterFieldHelp, FilterFieldKind,
    complete as complete_filter, field_values, fields,
};
pub use message::SubscriptionUpdate;
pub use mirror::{FleetMirror, UpdateEffect};
pub use preview::{PreviewBuilder, WorstFirst, sort_worst_first};
pub use socket::{
    CONTROL_SOCKET, CollectorDirectories, DirectoryOverrides, MissingDataDirectory, VIEW_SOCKET,
};
