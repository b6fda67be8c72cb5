//! The table `meta` of both databases: numbers by name.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::sql::execute;

/// Returns a number; `None` if it was never written.
pub(super) fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Writes a number.
pub(super) fn set(conn: &Connection, key: &str, value: i64) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    execute(conn, sql, params![key, value])
}
