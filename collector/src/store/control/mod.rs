//! `control.db`: the roster, desired states, audit and tokens.

mod agents;
mod command;
mod open;
mod token;
mod writer;

pub(super) use agents::{adopt, forget};
pub(super) use command::outcome;
pub(super) use open::open;
pub(super) use writer::{ControlWrite, ControlWriter};
