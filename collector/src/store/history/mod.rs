//! `history.db`: events, sessions, and work.

mod agents;
mod commit;
mod event;
mod fold;
mod open;
mod prune;
mod resolution;
mod writer;

pub(super) use agents::{AgentRecord, merge_agents};
pub(super) use fold::FoldCursors;
pub(super) use open::{alive_at, open, open_replacement};
pub(super) use resolution::RollupResolution;
pub(super) use writer::{HistoryBatch, HistoryWriter};
