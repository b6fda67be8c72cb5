//! What is old enough goes, a little at a time, and never before it is folded.

use heartline_config::Retention;
use rusqlite::{Connection, params};

use super::fold::Marks;
use super::level::Level;

/// Rows of one transaction.
const ROWS: u32 = 500;
/// Never kept shorter: the last hour's work is read from the minutes…
const MINUTES_MIN_MS: i64 = 2 * 3_600_000;
/// …and today's cost from the hours.
const HOURS_MIN_MS: i64 = 48 * 3_600_000;

/// Removes one chunk, if one is due; says whether there may be more.
pub(super) fn step(
    conn: &Connection,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let kept_ms = |span: std::time::Duration, least: i64| {
        i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(least)
    };
    let (minutes_ms, hours_ms) =
        (kept_ms(retention.minutes, MINUTES_MIN_MS), kept_ms(retention.hours, HOURS_MIN_MS));
    let marks = Marks::read(conn)?;
    let folded = |slot: i64, per_slot: i64| slot.saturating_mul(per_slot);
    let minutes_before = Level::Minute
        .slot(now_ms.saturating_sub(minutes_ms))
        .min(folded(marks.hours.slot, Level::Minute.slots_in(Level::Hour)));
    let hours_before = Level::Hour
        .slot(now_ms.saturating_sub(hours_ms))
        .min(folded(marks.days.slot, Level::Hour.slots_in(Level::Day)));
    let removed = Level::Minute.prune(conn, minutes_before, ROWS)?;
    if removed > 0 {
        return Ok(true);
    }
    let removed = Level::Hour.prune(conn, hours_before, ROWS)?;
    if removed > 0 {
        return Ok(true);
    }
    Ok(prune_sessions(conn, now_ms.saturating_sub(hours_ms))? > 0)
}

/// Sessions that ended before this time: nothing that was recorded of them can be live any more.
fn prune_sessions(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "DELETE FROM sessions WHERE (agent_id, session) IN (SELECT agent_id, session \
         FROM sessions WHERE ended_ms IS NOT NULL AND ended_ms < ?1 LIMIT ?2)",
    )?
    .execute(params![before_ms, ROWS])
}
