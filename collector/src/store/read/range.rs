//! What pages of events and of outages have in common.

use heartline_operator::message::EventOrder;
use rusqlite::Connection;

use crate::store::history::checkpoint;

/// A page of rows that stand in the order of their cursors.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageRange {
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    /// The cursor after which it begins, and that before which it ends.
    pub(super) after: Option<i64>,
    pub(super) before: Option<i64>,
    pub(super) order: EventOrder,
}

impl PageRange {
    /// Returns cursors between which all rows of the page are: as close as the checkpoints tell.
    pub(super) fn cursors(&self, conn: &Connection) -> rusqlite::Result<(i64, i64)> {
        let first = match self.since_ms {
            Some(since_ms) => checkpoint::first_since(conn, since_ms)?,
            None => 0,
        };
        let last = match self.until_ms {
            Some(until_ms) => checkpoint::last_until(conn, until_ms)?,
            None => i64::MAX,
        };
        let (after, before) = self.bounds();
        Ok((first.max(after), last.min(before)))
    }

    /// Returns the first and the last cursor that the page may have.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let after = self.after.map_or(0, |after| after.saturating_add(1));
        (after, self.before.map_or(i64::MAX, |before| before.saturating_sub(1)))
    }

    /// Returns its times, the first included and the last not.
    pub(super) fn times_ms(&self) -> (i64, i64) {
        (self.since_ms.unwrap_or(i64::MIN), self.until_ms.unwrap_or(i64::MAX))
    }

    /// Returns its order in SQL.
    pub(super) const fn sql_order(&self) -> &'static str {
        match self.order {
            EventOrder::OldestFirst => "ASC",
            EventOrder::NewestFirst => "DESC",
        }
    }
}

/// Returns the row ids that a name has had, oldest first.
pub(super) fn agent_ids(conn: &Connection, name: &str) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT id FROM agents WHERE name = ?1 ORDER BY id";
    conn.prepare_cached(sql)?.query_map([name], |row| row.get(0))?.collect()
}
