//! Whether the files that a connection writes are still those under the database's path.
//!
//! A file that is removed or replaced stays open, and SQLite goes on writing to it: everything would
//! be lost with the process, and nobody would be told.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ffi};

use super::file;
use crate::private::FileId;

/// The files of an open database, as they were when it was opened.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFiles {
    path: PathBuf,
    database: Option<FileId>,
    wal: Option<FileId>,
    /// Whether the database has had a length: everything is in the WAL at first.
    has_len: Cell<bool>,
}

/// What happened to the files of an open database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFault {
    /// Nothing is under the path of the database.
    Removed,
    /// Another file is.
    Replaced,
    /// The database was cut off to nothing. A shorter one may have been vacuumed.
    Emptied,
    /// The database is in place, and its write-ahead log is not.
    WalRemoved,
}

impl DatabaseFiles {
    /// Reads the identities of a database that was just opened in WAL mode, which has made its WAL.
    pub(super) fn of(path: &Path) -> Self {
        let has_len = Cell::new(file::len(path) > 0);
        Self { path: path.into(), database: FileId::behind(path), wal: wal_id(path), has_len }
    }

    /// Returns what happened to the files, if anything did.
    pub(super) fn fault(&self) -> Option<FileFault> {
        match FileId::behind(&self.path) {
            None => Some(FileFault::Removed),
            found if found != self.database => Some(FileFault::Replaced),
            _ if self.is_emptied() => Some(FileFault::Emptied),
            _ if wal_id(&self.path) != self.wal => Some(FileFault::WalRemoved),
            _ => None,
        }
    }

    fn is_emptied(&self) -> bool {
        let has_len = file::len(&self.path) > 0;
        self.has_len.replace(self.has_len.get() || has_len) && !has_len
    }

    /// Returns an error of SQLite unless the files are in place.
    pub(super) fn check(&self) -> rusqlite::Result<()> {
        self.fault().map_or(Ok(()), |fault| Err(moved(fault)))
    }
}

fn wal_id(path: &Path) -> Option<FileId> {
    FileId::behind(&file::sibling(path, "-wal"))
}

/// Returns the error that SQLite itself has for this.
fn moved(fault: FileFault) -> rusqlite::Error {
    let message = match fault {
        FileFault::Removed => "it was removed while heartlined runs",
        FileFault::Replaced => "it was replaced while heartlined runs",
        FileFault::Emptied => "it was emptied while heartlined runs",
        FileFault::WalRemoved => "its -wal file was removed while heartlined runs",
    };
    let code = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
    rusqlite::Error::SqliteFailure(code, Some(message.into()))
}

/// Moves everything from a write-ahead log that was removed, but is still open, into the database,
/// and opens that again.
pub(super) fn reopen_without_wal(conn: &Connection, path: &Path) -> rusqlite::Result<Connection> {
    let is_busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        return Err(moved(FileFault::WalRemoved));
    }
    let conn = file::open_writer(path)?;
    file::make_durable(&conn)?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn created() -> (tempfile::TempDir, PathBuf, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file::HISTORY_FILE);
        let conn = file::open_writer(&path).unwrap();
        file::make_durable(&conn).unwrap();
        conn.execute_batch("CREATE TABLE a (x); INSERT INTO a VALUES (1)").unwrap();
        (dir, path, conn)
    }

    #[test]
    fn what_happened_to_the_files_is_told_apart() {
        let (dir, path, conn) = created();
        let files = DatabaseFiles::of(&path);
        assert_eq!(files.fault(), None);
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO a VALUES (2)").unwrap();
        assert_eq!(files.fault(), None, "SQLite itself replaces no file");
        let sql = "INSERT INTO a VALUES (zeroblob(1000000)); DELETE FROM a WHERE x != 1; \
                   PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
        file::open_writer(&path).unwrap().execute_batch(sql).unwrap();
        assert_eq!(files.fault(), None, "one that is vacuumed is shorter");
        let aside = dir.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!(files.fault(), Some(FileFault::Removed));
        fs::copy(&aside, &path).unwrap();
        assert_eq!(files.fault(), Some(FileFault::Replaced));
        let error = files.check().unwrap_err().to_string();
        assert!(error.contains("replaced while"), "{error}");
        fs::rename(&aside, &path).unwrap();
        assert_eq!(files.fault(), None, "the same file is back");
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert_eq!(files.fault(), Some(FileFault::Emptied));
    }

    #[test]
    fn a_removed_wal_is_written_to_the_database() {
        let (_dir, path, conn) = created();
        let files = DatabaseFiles::of(&path);
        let reader = file::open_reader(&path).unwrap();
        let count = |conn: &Connection| -> i64 {
            conn.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&reader), 1);
        fs::remove_file(file::sibling(&path, "-wal")).unwrap();
        assert_eq!(files.fault(), Some(FileFault::WalRemoved));
        conn.execute("INSERT INTO a VALUES (2)", []).unwrap();
        let again = reopen_without_wal(&conn, &path).unwrap();
        drop(conn);
        let files = DatabaseFiles::of(&path);
        again.execute("INSERT INTO a VALUES (3)", []).unwrap();
        assert_eq!(files.fault(), None);
        let reader = file::open_reader(&path).unwrap();
        assert_eq!(count(&reader), 3);
    }
}
