//! Agents and their sessions, also of those that were forgotten.

use heartline_operator::message::SessionSummary;
use heartline_vocabulary::AgentRowId;
use rusqlite::params;

use super::{ReadError, Reader};
use crate::store::column;

/// An agent as the roster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAgent {
    /// Its durable id.
    pub id: AgentRowId,
    /// When it was first seen, in ms of Unix time.
    pub first_seen_ms: i64,
    /// When it was forgotten, if it was.
    pub forgotten_ms: Option<i64>,
    /// Who removed it.
    pub forgotten_by: Option<String>,
}

impl Reader {
    /// Every agent that ever had this name, newest first: at most the first is not forgotten.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn agents_named(&mut self, name: &str) -> Result<Vec<KnownAgent>, ReadError> {
        self.control.read("an agent", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, first_seen_ms, forgotten_ms, forgotten_by FROM agents WHERE name = ?1 \
                 ORDER BY id DESC",
            )?;
            let rows = statement.query_map([name], |row| {
                Ok(KnownAgent {
                    id: AgentRowId(row.get(0)?),
                    first_seen_ms: row.get(1)?,
                    forgotten_ms: row.get(2)?,
                    forgotten_by: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }

    /// An agent's sessions, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn sessions(
        &mut self,
        id: AgentRowId,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ReadError> {
        self.history.read("an agent's sessions", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT session, started_ms, last_beat_ms, applied_segment, ended FROM sessions \
                 WHERE agent_id = ?1 ORDER BY starts DESC, started_ms DESC LIMIT ?2",
            )?;
            let rows = statement.query_map(params![id.0, limit], |row| {
                Ok(SessionSummary {
                    session: column::from_bits(row.get(0)?),
                    started_ms: row.get(1)?,
                    last_beat_ms: row.get(2)?,
                    applied_segment: column::from_count(row.get(3)?),
                    ended: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }
}
