//! Database files: opening, checking, renaming.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::private;

pub(super) const CONTROL_FILE: &str = "control.db";
pub(super) const HISTORY_FILE: &str = "history.db";

/// How long a writer waits for a lock of another process before it fails.
pub(super) const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps: more than either writer has.
const STATEMENTS: usize = 64;
/// Pages of the WAL that cause a checkpoint: a page that many commits change is then written to the
/// database once.
pub(super) const AUTOCHECKPOINT_PAGES: i64 = 8_192;
/// Size to which a longer WAL is truncated after a checkpoint, in bytes.
const WAL_SIZE_LIMIT: i64 = 64 << 20;
/// Page cache of a writer, in KiB (negative, as SQLite wants it).
const CACHE_KIB: i64 = -65_536;

/// Databases that are set aside within one second, at most.
const NAMES_MAX: usize = 1_000;

/// Opens a database for its one writer; makes an empty file, readable by its owner only, if there
/// is none. Changes nothing in it.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    // SQLite gives the WAL and its index the permissions of the file, but makes files for
    // everybody. Failures show when SQLite opens the file.
    let _ = private::create_new(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(WRITER_BUSY_TIMEOUT)?;
    keep_statements(&conn)?;
    Ok(conn)
}

/// Prepares each statement once. By default SQLite does so again for each value that is bound where a table has
/// an index of some of its rows, in case it would then plan otherwise: for ten thousand agents that takes longer
/// than their rows do.
pub(super) fn keep_statements(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Configures a writer's connection: WAL, and an fsync for each commit.
pub(super) fn make_durable(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_SIZE_LIMIT, |_| Ok(()))?;
    Ok(())
}

/// Opens a database that exists, for reading only.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(READER_BUSY_TIMEOUT)?;
    keep_statements(&conn)?;
    Ok(conn)
}

/// Checks all pages; returns a description of the first damage.
pub(super) fn find_damage(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Describes what is under the path of a database, or beside it, if it is there and must not be used:
/// something that is no regular file, or is another user's, who can change it.
pub(super) fn find_wrong_file(path: &Path) -> Option<String> {
    if fs::symlink_metadata(path).is_ok() {
        // The database itself may be a link, to another disk for example.
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Some("it is a directory".into()),
            Ok(found) if !found.is_file() => return Some("it is no regular file".into()),
            Ok(found) if private::is_foreign(found.uid()) => {
                return Some(format!("it belongs to uid {}", found.uid()));
            }
            Ok(_) => {}
            Err(_) => return Some("it is a link to nothing".into()),
        }
    }
    ["-wal", "-shm", "-journal"].into_iter().find_map(|suffix| {
        let found = fs::symlink_metadata(sibling(path, suffix)).ok()?;
        let is_ours = found.is_file() && !private::is_foreign(found.uid());
        (!is_ours).then(|| format!("its {suffix} file is no regular file, or another user's"))
    })
}

/// Returns the length of a file in bytes; 0 if it does not exist.
pub(super) fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Returns the path of a file beside a database, with a suffix to its name.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Renames a damaged database with its WAL, so that it can be examined later.
pub(super) fn set_aside(path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let names = (1..).map(|n| match n {
        1 => sibling(path, &format!(".corrupt-{stamp}")),
        n => sibling(path, &format!(".corrupt-{stamp}-{n}")),
    });
    let is_free = |aside: &PathBuf| fs::symlink_metadata(aside).is_err();
    let aside = names.take(NAMES_MAX).find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(sibling(path, suffix), sibling(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    private::sync_dir_of(path)?;
    Ok(aside)
}

/// Formats a time for file names, in UTC. The first eight characters are the date.
pub(super) fn stamp(wall_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_owner_can_read_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(HISTORY_FILE);
        let conn = open_writer(&path).unwrap();
        make_durable(&conn).unwrap();
        conn.execute_batch("CREATE TABLE a (x)").unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let meta = fs::metadata(sibling(&path, suffix)).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{suffix}");
        }
    }

    #[test]
    fn stamps_are_utc() {
        assert_eq!(stamp(1_775_053_802_120), "20260401T143002Z");
    }
}
