//! Checkpoints: what is in the write-ahead log (WAL) is written back to the database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use heartline_fleet::MonoTime;
use rusqlite::Connection;

use super::file;

/// How often a long WAL is looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Pages that wait to be written back, above which something holds them up: they are written back from
/// [`file::AUTOCHECKPOINT_PAGES`] on.
const BACKLOG_PAGES: u64 = 10_240;
/// Checks in a row that find such a backlog before it is reported: a query of ours may be reading.
const CHECKS: u32 = 2;
const PAGE_LEN: u64 = 4_096;

/// Writes everything back that can be, and empties the WAL if nobody reads from it. Waits for nobody.
pub(super) fn checkpoint(conn: &Connection) -> rusqlite::Result<CheckpointResult> {
    conn.busy_timeout(Duration::ZERO)?;
    let result = try_checkpoint(conn);
    conn.busy_timeout(file::WRITER_BUSY_TIMEOUT)?;
    result
}

/// Pages of the WAL that could not be written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CheckpointResult {
    pub(super) pages_left: u64,
    /// Whether the WAL was emptied as well.
    pub(super) is_empty: bool,
}

fn try_checkpoint(conn: &Connection) -> rusqlite::Result<CheckpointResult> {
    // Without the lock of the readers, so that one that reads holds up as little as possible.
    let (pages, written): (i64, i64) =
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    let pages_left = u64::try_from(pages - written).unwrap_or(0);
    let is_empty = pages_left == 0
        && !conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
    Ok(CheckpointResult { pages_left, is_empty })
}

/// Writes a long WAL back between two commits. SQLite would do so in the commit that makes it long, and whoever
/// waits for that one would wait for it, too.
#[derive(Debug, Default)]
pub(super) struct DeferredCheckpoint {
    /// Pages of the WAL after the last commit; 0 once they were written back.
    pages: Arc<AtomicI64>,
}

impl DeferredCheckpoint {
    /// Takes the checkpoints of a writer over from SQLite.
    pub(super) fn attach(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let pages = Arc::clone(&self.pages);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, len| {
            pages.store(i64::from(len), Ordering::Relaxed);
            Ok(())
        }))
    }

    /// Writes the WAL back, as far as nobody reads from it, where it has become long since the last time.
    pub(super) fn run_if_due(&self, conn: &Connection) -> rusqlite::Result<()> {
        if self.pages.load(Ordering::Relaxed) < file::AUTOCHECKPOINT_PAGES {
            return Ok(());
        }
        self.pages.store(0, Ordering::Relaxed);
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}

/// Finds out that a WAL grows because somebody reads an old state for long.
#[derive(Debug)]
pub(super) struct WalBacklog {
    checked: MonoTime,
    checks: u32,
    is_reported: bool,
}

impl WalBacklog {
    pub(super) fn new() -> Self {
        Self { checked: MonoTime::NEVER_YET, checks: 0, is_reported: false }
    }

    /// Returns a sentence for operators when the WAL can't be written back any more; within, `None`
    /// when it can be again. Looks every few seconds, which costs nothing while the WAL is short.
    pub(super) fn check(
        &mut self,
        conn: &Connection,
        path: &Path,
        now: MonoTime,
    ) -> rusqlite::Result<Option<Option<String>>> {
        if now.since(self.checked) < CHECK_INTERVAL {
            return Ok(None);
        }
        self.checked = now;
        let wal_len = file::len(&file::sibling(path, "-wal"));
        let is_long = wal_len > BACKLOG_PAGES * PAGE_LEN;
        let pages_left = if is_long { checkpoint(conn)?.pages_left } else { 0 };
        self.checks = if pages_left > BACKLOG_PAGES { self.checks.saturating_add(1) } else { 0 };
        let is_pinned = self.checks >= CHECKS;
        if is_pinned == std::mem::replace(&mut self.is_reported, is_pinned) {
            return Ok(None);
        }
        Ok(Some(is_pinned.then(|| {
            format!(
                "a program has been reading {0} for long, so that {0}-wal can't be written back: it has \
                 {1} MiB and grows; end that program (`fuser {0}` names it)",
                path.display(),
                wal_len >> 20
            )
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wal_is_written_back_after_the_commit_and_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file::HISTORY_FILE);
        let mut conn = file::open_writer(&path).unwrap();
        file::make_durable(&conn).unwrap();
        let deferred = DeferredCheckpoint::default();
        deferred.attach(&mut conn).unwrap();
        conn.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE a (x)").unwrap();
        deferred.run_if_due(&conn).unwrap();
        assert!(file::len(&path) < 4 * PAGE_LEN, "a short one is left for later");
        conn.execute_batch("INSERT INTO a VALUES (zeroblob(40000000))").unwrap();
        assert!(file::len(&path) < 4 * PAGE_LEN, "the commit itself writes nothing back");
        deferred.run_if_due(&conn).unwrap();
        assert!(file::len(&path) > 40_000_000);
        let wal = file::sibling(&path, "-wal");
        let long = file::len(&wal);
        conn.execute_batch("INSERT INTO a VALUES (zeroblob(20000000))").unwrap();
        assert!(file::len(&wal) <= long, "it begins anew");
    }

    #[test]
    fn a_wal_that_a_reader_pins_is_reported_until_the_reader_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file::HISTORY_FILE);
        let conn = file::open_writer(&path).unwrap();
        file::make_durable(&conn).unwrap();
        conn.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE a (x)").unwrap();
        let fill = || {
            conn.execute_batch(
                "INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 24) \
                 SELECT zeroblob(2000000) FROM n",
            )
            .unwrap();
        };
        let mut backlog = WalBacklog::new();
        let mut at_s = 0;
        let mut check = || {
            at_s += 5;
            backlog.check(&conn, &path, MonoTime::from_millis(at_s * 1_000)).unwrap()
        };
        fill();
        assert_eq!(check(), None, "long, and written back");
        assert_eq!(file::len(&file::sibling(&path, "-wal")), 0, "and emptied");
        let reader = file::open_reader(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM a").unwrap();
        fill();
        assert_eq!(check(), None, "it may pass");
        let sentence = check().unwrap().expect("it does not pass");
        assert_eq!(check(), None, "once");
        assert!(sentence.contains("history.db-wal") && sentence.contains("46 MiB"), "{sentence}");
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(check(), Some(None));
    }
}
