//! Removal of history that is older than its retention.

use std::time::Duration;

use heartline_config::Retention;
use rusqlite::{Connection, params};

use super::fold::FoldCursors;
use super::resolution::RollupResolution;
use crate::store::sql::execute;

/// Least retention of minutes, which the last hour's work is read from.
const MINUTES_MIN: Duration = Duration::from_secs(2 * 3_600);
/// Least retention of hours, which today's cost is read from.
const HOURS_MIN: Duration = Duration::from_secs(48 * 3_600);

/// Rows of one transaction.
const CHUNK_ROWS: u32 = 500;

/// Removes one chunk of old rows, rollups only once they are folded; returns whether there may be more.
pub(super) fn step(
    conn: &Connection,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let minutes_ms = oldest_kept_ms(now_ms, retention.minutes.max(MINUTES_MIN));
    let hours_ms = oldest_kept_ms(now_ms, retention.hours.max(HOURS_MIN));
    let cursors = FoldCursors::read(conn)?;
    let folded = |slot: i64, from: RollupResolution, into| slot.saturating_mul(from.slots_in(into));
    let minute = RollupResolution::Minute.slot(minutes_ms).min(folded(
        cursors.hours.slot,
        RollupResolution::Minute,
        RollupResolution::Hour,
    ));
    let hour = RollupResolution::Hour.slot(hours_ms).min(folded(
        cursors.days.slot,
        RollupResolution::Hour,
        RollupResolution::Day,
    ));
    Ok(RollupResolution::Minute.prune(conn, minute, CHUNK_ROWS)? > 0
        || RollupResolution::Hour.prune(conn, hour, CHUNK_ROWS)? > 0
        || prune_sessions(conn, hours_ms)? > 0)
}

/// Removes sessions that ended long ago: no recording of them can be live any more.
fn prune_sessions(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    execute(
        conn,
        "DELETE FROM sessions WHERE (agent_id, session) IN (SELECT agent_id, session \
         FROM sessions WHERE ended_ms IS NOT NULL AND ended_ms < ?1 LIMIT ?2)",
        params![before_ms, CHUNK_ROWS],
    )
}

fn oldest_kept_ms(now_ms: i64, retention: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
}
