//! Copies of `control.db`: one a day, and one before each migration.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use rusqlite::Connection;

use super::file;
use crate::private;

/// Number of daily copies that are kept.
const DAILY_COPIES: usize = 7;
/// Infix between the name of the database and the date.
const DAILY_INFIX: &str = ".copy-";

/// The reason why a copy could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseCopyError {
    #[error("can't copy {} to {}: {source}", from.display(), to.display())]
    Sqlite { from: PathBuf, to: PathBuf, source: rusqlite::Error },
    #[error("{} is empty: an older copy of it is kept as it is", from.display())]
    Empty { from: PathBuf },
    #[error("can't put the copy {} in place: {source}", to.display())]
    File { to: PathBuf, source: io::Error },
}

/// Makes the daily copy on a thread of its own, so that no command waits for it.
#[derive(Default)]
pub(super) struct DailyCopy {
    /// The day of the last attempt, `YYYYMMDD`.
    day: String,
    thread: Option<thread::JoinHandle<()>>,
}

impl DailyCopy {
    pub(super) fn start_if_due(&mut self, database: &Path, now_ms: i64) {
        let today = file::stamp(now_ms)[..8].to_owned();
        if today == self.day {
            return;
        }
        self.join();
        let copy = daily_path(database, &today);
        self.day = today;
        if copy.exists() {
            return;
        }
        let database = database.to_owned();
        let make = move || {
            if let Err(error) = make(&database, &copy) {
                tracing::warn!(%error, "the daily copy failed; the next one is due tomorrow");
            }
        };
        match thread::Builder::new().name("control-copy".into()).spawn(make) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "can't start the thread of the daily copy"),
        }
    }

    pub(super) fn join(&mut self) {
        if let Some(Err(_)) = self.thread.take().map(thread::JoinHandle::join) {
            tracing::error!("the thread of the daily copy panicked");
        }
    }
}

/// Returns the path of the copy of a day, `YYYYMMDD`.
pub(super) fn daily_path(database: &Path, day: &str) -> PathBuf {
    file::sibling(database, &format!("{DAILY_INFIX}{day}"))
}

/// Returns the path of the copy that is made before a migration from this version.
pub(super) fn migration_path(database: &Path, version: usize) -> PathBuf {
    file::sibling(database, &format!(".before-migration-{version}"))
}

/// Copies a database as of its last commit, while its writer goes on; the copy appears whole or not
/// at all. Then removes daily copies beyond the newest seven.
pub(super) fn make(database: &Path, to: &Path) -> Result<(), DatabaseCopyError> {
    let copying =
        |source| DatabaseCopyError::Sqlite { from: database.into(), to: to.into(), source };
    let conn = file::open_reader(database).map_err(copying)?;
    make_from(&conn, database, to)
}

/// Copies what a connection has open, which need not be under its path any more.
pub(super) fn make_from(
    conn: &Connection,
    database: &Path,
    to: &Path,
) -> Result<(), DatabaseCopyError> {
    let partial = file::sibling(to, ".partial");
    let placing = |source| DatabaseCopyError::File { to: to.into(), source };
    remove_if_there(&partial).map_err(placing)?;
    // SQLite fills an empty file; made here so that only its owner can read it.
    private::create_new(&partial).and_then(|_| fill(conn, &partial)).map_err(placing)?.map_err(
        |source| DatabaseCopyError::Sqlite { from: database.into(), to: to.into(), source },
    )?;
    if !is_ours(&partial) {
        remove_if_there(&partial).map_err(placing)?;
        return Err(DatabaseCopyError::Empty { from: database.into() });
    }
    fs::rename(&partial, to).and_then(|()| private::sync_dir_of(to)).map_err(placing)?;
    for old in daily_copies(database).into_iter().skip(DAILY_COPIES) {
        remove_if_there(&old).map_err(placing)?;
    }
    Ok(())
}

fn fill(conn: &Connection, partial: &Path) -> io::Result<rusqlite::Result<()>> {
    let target = partial.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    let copied = conn.execute("VACUUM INTO ?1", [target]).map(|_| ());
    fs::File::open(partial)?.sync_all()?;
    Ok(copied)
}

/// Returns whether a database is of this program, which marks every one when it begins it.
fn is_ours(path: &Path) -> bool {
    let id = file::open_reader(path).and_then(|conn| {
        conn.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))
    });
    id.is_ok_and(|id| id != 0)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the daily copies of a database, newest first.
pub(super) fn daily_copies(database: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(name)) = (database.parent(), database.file_name()) else {
        return Vec::new();
    };
    let prefix = format!("{}{DAILY_INFIX}", name.to_string_lossy());
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let day = name.as_deref().and_then(|name| name.strip_prefix(&prefix));
        day.is_some_and(|day| day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut copies: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_copy).collect();
    copies.sort_unstable_by(|a, b| b.cmp(a));
    copies
}

/// Returns the newest daily copy without damage.
pub(super) fn newest_undamaged(database: &Path) -> Option<PathBuf> {
    daily_copies(database).into_iter().filter(|copy| is_ours(copy)).find(|copy| {
        file::open_reader(copy)
            .and_then(|conn| file::find_damage(&conn))
            .is_ok_and(|found| found.is_none())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn seven_days_are_kept_and_the_newest_good_one_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join(file::CONTROL_FILE);
        let conn = file::open_writer(&database).unwrap();
        file::make_durable(&conn).unwrap();
        conn.execute_batch(
            "PRAGMA application_id = 7; CREATE TABLE a (x); INSERT INTO a VALUES (42)",
        )
        .unwrap();
        for day in 20_260_401..=20_260_409 {
            make(&database, &daily_path(&database, &day.to_string())).unwrap();
        }
        let copies = daily_copies(&database);
        assert_eq!(copies.len(), DAILY_COPIES);
        assert_eq!(copies[0], daily_path(&database, "20260409"));
        assert_eq!(fs::metadata(&copies[0]).unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(&copies[0], "not a database at all, but long enough to have a header").unwrap();
        assert_eq!(newest_undamaged(&database), Some(copies[1].clone()));
        let copied = file::open_reader(&copies[1]).unwrap();
        let x: i64 = copied.query_row("SELECT x FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(x, 42, "what was committed, though the WAL was not yet checkpointed");
    }

    #[test]
    fn an_empty_database_is_no_copy_and_takes_the_place_of_none() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join(file::CONTROL_FILE);
        let conn = file::open_writer(&database).unwrap();
        file::make_durable(&conn).unwrap();
        conn.execute_batch("PRAGMA application_id = 7; CREATE TABLE a (x)").unwrap();
        let copy = daily_path(&database, "20260401");
        make(&database, &copy).unwrap();
        let empty = dir.path().join("empty");
        fs::write(&empty, "").unwrap();
        let error = make(&empty, &copy).unwrap_err();
        assert!(matches!(error, DatabaseCopyError::Empty { .. }), "{error}");
        fs::write(daily_path(&database, "20260402"), "").unwrap();
        assert_eq!(newest_undamaged(&database), Some(copy));
    }
}
