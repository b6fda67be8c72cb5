//! Room on a disk that is nearly full: history gives up its oldest rows before their time, so that it goes on
//! within the file that it has. A removed row frees space in the file, none on the disk.
//!
//! 1. Minutes that are folded into hours, down to the last two hours.
//! 2. Hours that are folded into days, down to the last two days.
//! 3. Events with what follows from them, a day at a time, down to the last week.
//!
//! Days are kept: they are few. This begins while there is twice the space that history leaves to `control.db`
//! ([`disk::find_shortage`](crate::store::disk::find_shortage)), because removing rows takes space in the log.

use rusqlite::Connection;

use super::prune::{self, HOURS_MIN, MINUTES_MIN};
use super::resolution::DAY_MS;
use crate::store::prune::oldest_kept_ms;

/// Events that are kept in any case.
const EVENTS_MIN_MS: i64 = 7 * DAY_MS;

/// What was done for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoomStep {
    /// There is enough.
    Enough,
    /// A chunk was removed.
    Removed,
    /// There is too little, and nothing that may be removed.
    NothingLeft,
}

/// Removes a chunk of the oldest rows, unless so many bytes of the file are free.
pub(super) fn step(
    conn: &mut Connection,
    now_ms: i64,
    wanted_bytes: u64,
) -> rusqlite::Result<RoomStep> {
    if free_bytes(conn)? >= wanted_bytes {
        return Ok(RoomStep::Enough);
    }
    let minutes_ms = oldest_kept_ms(now_ms, MINUTES_MIN);
    let hours_ms = oldest_kept_ms(now_ms, HOURS_MIN);
    let has_removed = prune::remove_rollups(conn, minutes_ms, hours_ms)?
        || prune::remove_first_day(conn, DAY_MS, now_ms.saturating_sub(EVENTS_MIN_MS))?;
    Ok(if has_removed { RoomStep::Removed } else { RoomStep::NothingLeft })
}

/// Returns how much of the file is free.
fn free_bytes(conn: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("freelist_count")? * pragma("page_size")?).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn count(conn: &Connection, sql: &str) -> i64 {
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Ten days of ten agents, folded up to now.
    fn filled(now_ms: i64) -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        let (minute, hour) = (now_ms / 60_000, now_ms / HOUR_MS);
        conn.execute_batch(&format!(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS \
                (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 2400) SELECT i FROM n;
             INSERT INTO minutes SELECT {minute} - i, id, 1, 0, 1, 0, 0, 0, 0, zeroblob(100) \
                FROM n, (SELECT i AS id FROM n WHERE i BETWEEN 1 AND 10);
             INSERT INTO hours SELECT {hour} - i / 10, i % 10, 1, 0, 1, 0, 0, 0, 0, zeroblob(100) FROM n;
             INSERT INTO days SELECT {hour} / 24 - i / 240, i % 10, 1, 0, 1, 0, 0, 0, 0, zeroblob(100) \
                FROM n WHERE i % 240 < 10;
             INSERT INTO events (at_ms, agent_id, kind) \
                SELECT {now_ms} - (2400 - i) * 360000, 1 + i % 10, 9 FROM n;
             INSERT INTO folds VALUES ('hours', {hour}, 0), ('days', {hour} / 24, 0)",
        ))
        .unwrap();
        (dir, conn)
    }

    /// The oldest minutes go first, then hours, then events; and each only down to what is always kept.
    #[test]
    fn the_oldest_goes_first_and_the_newest_stays() {
        let now_ms = 20_000 * DAY_MS + 5 * HOUR_MS;
        let (_dir, mut conn) = filled(now_ms);
        let days = count(&conn, "SELECT count(*) FROM days");
        assert_eq!(step(&mut conn, now_ms, 0).unwrap(), RoomStep::Enough);
        assert_eq!(step(&mut conn, now_ms, 40_000).unwrap(), RoomStep::Removed);
        let oldest = "SELECT min(slot) FROM minutes";
        assert!(count(&conn, oldest) > now_ms / 60_000 - 2_400, "the oldest of them");
        assert_eq!(count(&conn, "SELECT count(*) FROM hours"), 2_400, "and no hour yet");
        while step(&mut conn, now_ms, 40_000).unwrap() == RoomStep::Removed {}
        assert_eq!(step(&mut conn, now_ms, 40_000).unwrap(), RoomStep::Enough);
        assert!(count(&conn, "SELECT count(*) FROM minutes") > 20_000, "no more than was needed");
        let mut sizes = vec![count(&conn, "PRAGMA page_count")];
        while step(&mut conn, now_ms, u64::MAX).unwrap() == RoomStep::Removed {
            sizes.push(count(&conn, "PRAGMA page_count"));
        }
        assert_eq!(step(&mut conn, now_ms, u64::MAX).unwrap(), RoomStep::NothingLeft);
        let grown = sizes[sizes.len() - 1] - sizes[0];
        assert!(grown < 4, "removing takes no space on the disk: {grown} pages");
        // What is not folded is kept as well: the hours of today.
        assert_eq!(count(&conn, oldest), now_ms / 60_000 - 120);
        let kept_hours = now_ms / HOUR_MS - count(&conn, "SELECT min(slot) FROM hours");
        assert_eq!(kept_hours, 48);
        let oldest_event_ms = now_ms - count(&conn, "SELECT min(at_ms) FROM events");
        assert!((6 * DAY_MS..=7 * DAY_MS).contains(&oldest_event_ms), "{oldest_event_ms}");
        assert_eq!(count(&conn, "SELECT count(*) FROM days"), days);
        assert_eq!(count(&conn, "SELECT count(*) FROM checkpoints"), 1, "in place of the events");
    }
}
