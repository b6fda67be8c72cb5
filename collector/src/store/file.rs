//! Opening a database file, and putting one aside.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// The roster and the kill list.
pub(super) const CONTROL_FILE: &str = "control.db";
/// What happened, and the work.
pub(super) const HISTORY_FILE: &str = "history.db";

/// How long a writer waits for a lock that somebody else holds, before it reports that.
const WRITER_PATIENCE: Duration = Duration::from_secs(1);
/// How long a reader does.
const READER_PATIENCE: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared: more than either writer has.
const STATEMENTS: usize = 64;
/// The WAL is brought into the database when it has so many pages: a page that many commits write
/// is then written there once.
const WAL_PAGES: i64 = 8_192;
/// A WAL that a burst has made longer is cut back to this, in bytes.
const WAL_KEPT: i64 = 64 << 20;
/// Pages that a writer keeps in memory, in KiB (negative: so SQLite wants it).
const CACHE_KIB: i64 = -65_536;

/// Opens a database for its one writer; makes an empty file, readable by its owner only, if there
/// is none. FleetDelta nothing in it.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    // SQLite gives the WAL and its index the permissions of the file, but makes files for everybody.
    // Failures show when SQLite opens the file.
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(WRITER_PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Sets a writer's connection to log ahead and to sync every commit.
pub(super) fn make_durable(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT, |_| Ok(()))?;
    Ok(())
}

/// Opens a database that exists, for reading only.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(READER_PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Looks through all pages; says what is wrong, if anything is.
pub(super) fn find_damage(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Length in bytes; 0 if it is not there.
pub(super) fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// The companions that SQLite keeps beside a database.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Renames a damaged database, with its companions, so that it can be looked at later and a new
/// one begun.
pub(super) fn set_aside(path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let aside = companion(path, &format!(".corrupt-{stamp}"));
    for suffix in ["-wal", "-shm"] {
        match fs::rename(companion(path, suffix), companion(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    sync_dir(path)?;
    Ok(aside)
}

/// Makes renames beside a file durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    fs::File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

/// A moment as it stands in file names, in UTC: its first eight characters are the date.
pub(super) fn stamp(wall_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_owner_reads_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(HISTORY_FILE);
        let conn = open_writer(&path).unwrap();
        make_durable(&conn).unwrap();
        conn.execute_batch("CREATE TABLE a (x)").unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let meta = fs::metadata(companion(&path, suffix)).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{suffix}");
        }
    }

    #[test]
    fn stamps() {
        assert_eq!(stamp(1_775_053_802_120), "20260401T143002Z");
    }
}
