//! Single numbers: when the collector was last alive, and whether it ended in order.

use rusqlite::{Connection, OptionalExtension as _, params};

const ALIVE_AT: &str = "alive_at_ms";
const CLEAN: &str = "clean";

fn set(conn: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])?;
    Ok(())
}

fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Notes that the collector was alive.
pub(super) fn set_alive(conn: &Connection, wall_ms: i64) -> rusqlite::Result<()> {
    set(conn, ALIVE_AT, wall_ms)
}

/// When the collector was last known to be alive, in ms of Unix time.
pub(crate) fn alive_at(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    get(conn, ALIVE_AT)
}

/// Notes that the file is in use, or that it was left in order.
pub(super) fn set_clean(conn: &Connection, is_clean: bool) -> rusqlite::Result<()> {
    set(conn, CLEAN, i64::from(is_clean))
}

/// Whether the file was left in order.
pub(super) fn is_clean(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(get(conn, CLEAN)? == Some(1))
}
