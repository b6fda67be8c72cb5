//! `history.db`: events, sessions, and work.

mod agents;
mod command;
mod commit;
mod event;
mod fold;
mod open;
mod prune;
mod replace;
mod resolution;
mod spill;
mod writer;

pub(super) use agents::{AgentRecord, merge_agents};
pub(super) use command::{RecordedCommand, newest_commands};
pub(super) use fold::FoldCursors;
pub(super) use open::{last_alive, open, open_replacement};
pub(super) use resolution::RollupResolution;
pub(super) use spill::Spill;
pub(super) use writer::{HistoryBatch, HistoryWriter};
