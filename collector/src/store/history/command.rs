//! Commands as history has them, for a `control.db` that has lost some.

use heartline_vocabulary::{Action, AgentRowId};
use rusqlite::Connection;

use super::code::EventCode;

/// The newest command that history has for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedCommand {
    pub(crate) id: AgentRowId,
    pub(crate) action: Action,
    pub(crate) generation: i64,
    pub(crate) by: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at_ms: i64,
}

/// Returns the newest command of every agent, by its generation.
pub(crate) fn newest_commands(conn: &Connection) -> rusqlite::Result<Vec<RecordedCommand>> {
    // SQLite takes the other columns from the row with the maximum.
    let mut statement = conn.prepare(
        "SELECT agent_id, kind, max(value), \
            coalesce((SELECT text FROM texts WHERE id = \"by\"), ''), \
            coalesce((SELECT text FROM texts WHERE id = words), ''), at_ms \
         FROM events LEFT JOIN event_details USING (cursor) \
         WHERE kind IN (2, 3) AND agent_id IS NOT NULL GROUP BY agent_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(RecordedCommand {
            id: AgentRowId(row.get(0)?),
            action: match row.get(1)? {
                EventCode::Kill => Action::Kill,
                _ => Action::Resume,
            },
            generation: row.get(2)?,
            by: row.get(3)?,
            reason: row.get(4)?,
            at_ms: row.get(5)?,
        })
    })?;
    rows.collect()
}
