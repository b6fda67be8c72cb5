//! Gaps, as they are told.

use heartline_operator::message::PastGap;
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::history::GapCauseCode;

/// Returns the gap that a moment is in.
pub(super) fn at(conn: &Connection, at_ms: i64) -> rusqlite::Result<Option<PastGap>> {
    let sql = "SELECT from_ms, to_ms, cause FROM gaps WHERE from_ms <= ?1 AND to_ms > ?1 LIMIT 1";
    conn.prepare_cached(sql)?
        .query_row([at_ms], |row| {
            let GapCauseCode(cause) = row.get(2)?;
            Ok(PastGap { from_ms: row.get(0)?, to_ms: row.get(1)?, cause })
        })
        .optional()
}
