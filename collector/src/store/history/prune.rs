//! Removal of history that is older than its retention.

use std::time::Duration;

use heartline_config::Retention;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::fold::FoldCursors;
use super::resolution::RollupResolution;
use super::{checkpoint, outbox, state_day, strip, text};
use crate::store::meta;
use crate::store::prune::{CHUNK_ROWS, oldest_kept_ms, prune_forgotten};
use crate::store::sql::execute;

/// Least retention of minutes, which the last hour's work is read from.
pub(super) const MINUTES_MIN: Duration = Duration::from_secs(2 * 3_600);
/// Least retention of hours, which today's cost is read from.
pub(super) const HOURS_MIN: Duration = Duration::from_secs(48 * 3_600);

/// Events are removed once a day…
const PRUNE_SLACK: Duration = Duration::from_secs(24 * 3_600);
/// …or, when they are kept for a short time, so often in it.
const PRUNES_PER_RETENTION: u32 = 8;
/// Key of the table `meta`: the cursor through which events are being removed.
const PRUNED_THROUGH: &str = "pruned_through";

const DELETE_SESSIONS: &str = "DELETE FROM sessions WHERE agent_id = ?1";

/// Removes one chunk of old rows; rollups must be folded. Returns whether there may be more.
pub(super) fn step(
    conn: &mut Connection,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let minutes_ms = oldest_kept_ms(now_ms, retention.minutes.max(MINUTES_MIN));
    let hours_ms = oldest_kept_ms(now_ms, retention.hours.max(HOURS_MIN));
    let day = RollupResolution::Day.slot(oldest_kept_ms(now_ms, retention.days));
    let events_ms = oldest_kept_ms(now_ms, retention.events);
    let slack = PRUNE_SLACK.min(retention.events / PRUNES_PER_RETENTION);
    let slack_ms = i64::try_from(slack.as_millis()).unwrap_or(i64::MAX);
    Ok(remove_rollups(conn, minutes_ms, hours_ms)?
        || RollupResolution::Day.prune(conn, day, CHUNK_ROWS)? > 0
        || prune_sessions(conn, hours_ms)? > 0
        || remove_events(conn, events_ms, slack_ms)?
        || prune_texts(conn)? > 0
        || outbox::prune(conn, events_ms)? > 0
        || prune_forgotten(conn, DELETE_SESSIONS, retention, now_ms)?)
}

/// Removes a chunk of the minutes and hours before two times that are folded; returns whether there may be more.
pub(super) fn remove_rollups(
    conn: &Connection,
    minutes_ms: i64,
    hours_ms: i64,
) -> rusqlite::Result<bool> {
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
        || RollupResolution::Hour.prune(conn, hour, CHUNK_ROWS)? > 0)
}

/// Removes a chunk of the first events, those of `length_ms`, if they are before a time; returns whether it did.
pub(super) fn remove_first_day(
    conn: &mut Connection,
    length_ms: i64,
    before_ms: i64,
) -> rusqlite::Result<bool> {
    let sql = "SELECT at_ms FROM events ORDER BY cursor LIMIT 1";
    let first: Option<i64> =
        conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    match first {
        Some(first_ms) if first_ms < before_ms => {
            remove_events(conn, first_ms.saturating_add(length_ms).min(before_ms), 0)
        }
        _ => Ok(false),
    }
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

/// Removes texts that were those of events which are removed.
fn prune_texts(conn: &Connection) -> rusqlite::Result<usize> {
    match meta::get(conn, PRUNED_THROUGH)? {
        Some(through) => text::prune(conn, through, CHUNK_ROWS),
        None => Ok(0),
    }
}

/// Removes a chunk of the events before a time, with what was derived from them; returns whether there
/// may be more. A checkpoint takes their place. Some slack goes by until that is written again.
fn remove_events(conn: &mut Connection, before_ms: i64, slack_ms: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT cursor, at_ms FROM events ORDER BY cursor LIMIT 1";
    let first: Option<(i64, i64)> =
        conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((first, first_ms)) = first else { return Ok(false) };
    let tx = conn.transaction()?;
    // One that was written for this, and whose events are not all removed yet.
    let under_way = meta::get(&tx, PRUNED_THROUGH)?.filter(|through| *through >= first);
    let through = match under_way {
        Some(through) => through,
        None => {
            if first_ms >= before_ms.saturating_sub(slack_ms) {
                return Ok(false);
            }
            let Some(through) = checkpoint::write_before(&tx, before_ms)? else { return Ok(false) };
            meta::set(&tx, PRUNED_THROUGH, through)?;
            through
        }
    };
    for table in ["event_details", "events", "gaps"] {
        let sql = format!(
            "DELETE FROM {table} WHERE cursor IN \
             (SELECT cursor FROM {table} WHERE cursor <= ?1 ORDER BY cursor LIMIT ?2)"
        );
        execute(&tx, &sql, params![through, CHUNK_ROWS])?;
    }
    // An outage that went on, or goes on, stays until it ends before everything else.
    let sql = "DELETE FROM outages WHERE cursor IN (SELECT cursor FROM outages \
               WHERE cursor <= ?1 AND end_ms < ?2 LIMIT ?3)";
    execute(&tx, sql, params![through, before_ms, CHUNK_ROWS])?;
    strip::prune(&tx, before_ms, CHUNK_ROWS)?;
    state_day::prune(&tx, before_ms, CHUNK_ROWS)?;
    let sql = "DELETE FROM notes WHERE outage <= ?1 AND outage NOT IN (SELECT cursor FROM outages)";
    execute(&tx, sql, [through])?;
    for table in ["checkpoints", "checkpoint_fleets"] {
        execute(&tx, &format!("DELETE FROM {table} WHERE cursor < ?1"), [through])?;
    }
    tx.commit()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::open;

    const DAY_MS: i64 = 86_400_000;

    fn count(conn: &Connection, table: &str) -> i64 {
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn everything_older_than_its_retention_is_removed_in_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        // One row a day in each table, for 2,000 days. All agents but the last were forgotten.
        conn.execute_batch(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n(day) AS \
                (SELECT 0 UNION ALL SELECT day + 1 FROM n LIMIT 2000) SELECT day FROM n;
             INSERT INTO events (at_ms, kind) SELECT day * 86400000, 9 FROM n;
             INSERT INTO sessions (agent_id, session, started_ms, ended_ms) \
                SELECT day + 1, 1, day * 86400000, iif(day % 2, day * 86400000, NULL) FROM n;
             INSERT INTO days SELECT day, day + 1, 1, 0, 0, 0, 0, 0, 0, x'' FROM n;
             INSERT INTO agents (id, name, first_seen_ms, forgotten_ms) \
                SELECT day + 1, '', 0, day * 86400000 FROM n;
             UPDATE agents SET forgotten_ms = NULL WHERE id = 2000",
        )
        .unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let retention =
            Retention { minutes: days(2), hours: days(90), days: days(1_000), events: days(365) };
        let now_ms = 2_000 * DAY_MS;
        let mut steps = 0;
        while step(&mut conn, &retention, now_ms).unwrap() {
            steps += 1;
        }
        assert!(steps >= 9, "{steps} chunks of at most 500 rows");
        let kept = ["days", "events", "agents"].map(|table| count(&conn, table));
        assert_eq!(kept, [1_000, 365, 1_000], "an agent stays as long as anything may refer to it");
        assert_eq!(count(&conn, "sessions"), 500 + 45, "all of those agents that did not end, too");
    }

    #[test]
    fn the_highest_id_outlives_its_agent() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.execute_batch(
            "INSERT INTO agents (id, name, first_seen_ms, forgotten_ms) \
             VALUES (1, 'a', 0, 1), (2, 'b', 0, 1)",
        )
        .unwrap();
        let now_ms = 100_000 * DAY_MS;
        while step(&mut conn, &Retention::default(), now_ms).unwrap() {}
        let id: i64 = conn.query_row("SELECT id FROM agents", [], |row| row.get(0)).unwrap();
        assert_eq!(id, 2);
    }
}
