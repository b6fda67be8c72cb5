//! Sessions of an agent, forgotten or not.

use heartline_operator::message::SessionSummary;
use heartline_vocabulary::AgentRowId;
use rusqlite::params;

use super::{ReadError, Reader};
use crate::store::column;

impl Reader {
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
