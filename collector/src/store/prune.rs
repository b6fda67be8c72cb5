//! Retention of what both databases store.

use std::time::Duration;

use heartline_config::Retention;
use rusqlite::{Connection, params};

use super::sql::execute;

/// Rows that one transaction removes. The rows and commands that come meanwhile wait for it.
pub(super) const CHUNK_ROWS: u32 = 500;
/// Least retention of forgotten agents: a `control.db` that is restored from a copy of the last
/// days must not bring them back.
const FORGOTTEN_MIN: Duration = Duration::from_secs(30 * 86_400);

/// Returns the time of the oldest rows to keep, in ms of Unix time.
pub(super) fn oldest_kept_ms(now_ms: i64, retention: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
}

/// Removes a chunk of the agents that were forgotten before everything that is stored, with their
/// rows in another table; returns whether there may be more. The highest id stays, so that it is
/// not used again.
pub(super) fn prune_forgotten(
    conn: &mut Connection,
    delete_rows: &str,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let Retention { minutes, hours, days, events } = *retention;
    let longest = minutes.max(hours).max(days).max(events).max(FORGOTTEN_MIN);
    let tx = conn.transaction()?;
    let ids = tx
        .prepare_cached(
            "SELECT id FROM agents WHERE forgotten_ms IS NOT NULL AND forgotten_ms < ?1 \
             AND id < (SELECT max(id) FROM agents) LIMIT ?2",
        )?
        .query_map(params![oldest_kept_ms(now_ms, longest), CHUNK_ROWS], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for id in &ids {
        execute(&tx, delete_rows, [id])?;
        execute(&tx, "DELETE FROM agents WHERE id = ?1", [id])?;
    }
    tx.commit()?;
    Ok(!ids.is_empty())
}
