//! Texts of events and of outages: each stored once, by number. A fleet has few causes and steps, and tells
//! them again with every transition.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::sql::execute;

/// Events between two notes that a text is in use: what is used all the time is not written all the time.
const USE_INTERVAL: i64 = 65_536;

/// The texts that were met in one transaction.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    /// The number of each, and the cursor of the event that noted its use.
    known: HashMap<Box<str>, (i64, i64)>,
}

impl TextTable {
    /// Returns the number of a text of the event at a cursor; it gets one when it is new.
    pub(super) fn intern(
        &mut self,
        conn: &Connection,
        text: &str,
        cursor: i64,
    ) -> rusqlite::Result<i64> {
        if let Some(&(id, used)) = self.known.get(text)
            && cursor <= used + USE_INTERVAL
        {
            return Ok(id);
        }
        let found = conn
            .prepare_cached("SELECT id, used FROM texts WHERE text = ?1")?
            .query_row([text], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let known = match found {
            Some((id, used)) if cursor <= used + USE_INTERVAL => (id, used),
            Some((id, _)) => {
                execute(conn, "UPDATE texts SET used = ?2 WHERE id = ?1", [id, cursor])?;
                (id, cursor)
            }
            None => {
                let sql = "INSERT INTO texts (used, text) VALUES (?1, ?2)";
                execute(conn, sql, params![cursor, text])?;
                (conn.last_insert_rowid(), cursor)
            }
        };
        self.known.insert(text.into(), known);
        Ok(known.0)
    }
}

/// Removes texts that no event after a cursor has, and no outage that goes on since before; at most `limit`.
/// The events up to the cursor must have been removed. Returns how many.
pub(super) fn prune(conn: &Connection, through: i64, limit: u32) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE used <= ?1 \
                  AND id NOT IN (SELECT cause FROM outages WHERE cursor <= ?2 AND cause IS NOT NULL) \
                  AND id NOT IN (SELECT step FROM outages WHERE cursor <= ?2 AND step IS NOT NULL) \
               ORDER BY used LIMIT ?3)";
    execute(conn, sql, params![through.saturating_sub(USE_INTERVAL), through, limit])
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    #[test]
    fn a_text_is_stored_once_and_lives_as_long_as_its_last_use() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let intern = |table: &mut TextTable, text, cursor| table.intern(&conn, text, cursor);
        let mut table = TextTable::default();
        let often = intern(&mut table, "often", 1).unwrap();
        let once = intern(&mut table, "once", 2).unwrap();
        assert_ne!(often, once);
        for cursor in (3..200_000).step_by(1_000) {
            assert_eq!(intern(&mut table, "often", cursor).unwrap(), often);
        }
        let mut other = TextTable::default();
        assert_eq!(intern(&mut other, "often", 200_000).unwrap(), often, "in any transaction");
        assert_eq!(
            prune(&conn, 2 + USE_INTERVAL - 1, 10).unwrap(),
            0,
            "it may have been used since"
        );
        let sql = "INSERT INTO outages (cursor, agent_id, start_ms, worst, cause) \
                   VALUES (2, 1, 0, 3, ?1)";
        conn.execute(sql, [once]).unwrap();
        assert_eq!(prune(&conn, 150_000, 10).unwrap(), 0, "an outage of then goes on");
        conn.execute("DELETE FROM outages", []).unwrap();
        assert_eq!(prune(&conn, 150_000, 10).unwrap(), 1);
        let left: Vec<String> = conn
            .prepare("SELECT text FROM texts")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(left, ["often"]);
    }
}
