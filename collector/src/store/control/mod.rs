//! `control.db`: agents, desired states, audit and tokens.

mod agents;
mod buffer;
mod command;
mod open;
mod prune;
pub(super) mod silence;
mod token;
mod watch;
mod writer;

pub(super) use agents::{forget_agents, insert_agents};
pub(super) use buffer::{AnchoredRow, RowBuffer};
pub(super) use command::{outcome, restore_commands};
pub(super) use open::open;
pub(super) use writer::{ControlWrite, ControlWriter};

pub use silence::{SilenceChange, SilenceError, StoredSilence};
pub use token::{TokenChange, TokenChangeError, TokenChangeKind};
