//! `history.db`: events, sessions, and work.

mod agent_moment;
mod agents;
pub(super) mod checkpoint;
mod code;
mod command;
mod commit;
mod event;
mod excerpt;
mod fold;
mod identity;
mod note;
mod open;
mod outage;
mod prune;
mod replace;
mod resolution;
mod room;
mod spill;
pub(super) mod strip;
mod text;
mod writer;

pub(super) use agent_moment::AgentMoment;
pub(super) use agents::{AgentRecord, merge_agents};
pub(super) use code::{EventCode, GapCauseCode, StatusCode};
pub(super) use command::{RecordedCommand, newest_commands};
pub(super) use event::UNWRITTEN_CAUSE;
pub(super) use excerpt::{Excerpt, ExcerptContents, TextMap};
pub(super) use fold::{FoldCursor, FoldCursors};
pub use note::{NewNote, NoteError};
pub(super) use open::{last_alive, open, open_replacement};
pub(super) use outage::{is_outage, missed_in_run};
pub(super) use resolution::RollupResolution;
pub(super) use spill::Spill;
pub(super) use writer::{HistoryBatch, HistoryWriter};
