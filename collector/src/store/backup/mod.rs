//! A backup: both databases as they were at one moment, copied while their writers go on.
//!
//! A connection of its own holds each database at a moment, and SQLite's online backup copies that page by
//! page. `control.db` is held first, then `history.db`, and again until neither knows of a commit of the
//! other that is missing: a restore then finds nothing lost. If they never agreed, `history.db` would be the
//! one that knows more, from which a start takes the kills that `control.db` lacks. Work and the segments
//! that it came in are in one transaction of `history.db`, so no copy counts any twice.
//!
//! It is written to a directory under another name, which gets its own when everything is on disk.

mod draft;
mod held;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heartline_operator::message::BackupFile;
use heartline_operator::text;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::progress::{Cancelled, JobProgress};
use super::{disk, file};
use crate::keys::MASTER_FILE;
use draft::DraftDirectory;
use held::{HeldDatabase, HeldDatabases};

/// Pages between two looks at whether the backup is still wanted: 1 MiB.
const STEP_PAGES: i32 = 256;
/// Bytes after which the copy is synced: much at once would hold up the commits of the collector.
const SYNC_BYTES: u64 = 32 << 20;
/// Instructions of SQLite's virtual machine between two such looks during a check.
const CHECK_INTERVAL: i32 = 10_000;
/// Name of the file that says what a backup is.
const README_FILE: &str = "README";

/// What is copied, and where to.
#[derive(Clone, Debug)]
pub struct BackupJob {
    pub data_dir: PathBuf,
    /// An absolute path.
    pub dir: PathBuf,
    /// The moment of the backup, for its README.
    pub at_ms: i64,
    /// The text of the file with the master keys; `None`: it is left out.
    pub master_keys: Option<String>,
}

/// The reason why there is no backup. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is no absolute path", dir.display())]
    Relative { dir: PathBuf },
    #[error("{} is there already and is not empty: name a directory that does not exist", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{} is there already and is no directory: name one that does not exist", dir.display())]
    NotADirectory { dir: PathBuf },
    #[error(
        "{} is where a file system is mounted, and is not replaced: name a directory in it that does not \
         exist",
        dir.display()
    )]
    MountPoint { dir: PathBuf },
    #[error(
        "{} is in the data directory, with which it would be lost: name a directory elsewhere",
        dir.display()
    )]
    InDataDir { dir: PathBuf },
    #[error(
        "there is no room in {}: the backup takes {}, and {} are free there; some of that stays free for kills",
        dir.display(), text::size(*needed), text::size(*free)
    )]
    NoRoom { dir: PathBuf, needed: u64, free: u64 },
    #[error(
        "{} is damaged ({damage}), and so is a copy of it: restart heartlined, which says what to do",
        path.display()
    )]
    Damaged { path: PathBuf, damage: String },
    #[error("can't {what} {}: {source}{}", path.display(), hint(source))]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("can't {what} {}: {source}", path.display())]
    Sqlite { what: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("the backup was cancelled")]
    Cancelled(#[from] Cancelled),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; the user of heartlined must be able to write there",
        io::ErrorKind::NotFound => "; make the directory that it is in first",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space there",
        _ => "",
    }
}

impl BackupJob {
    /// Makes the backup, whole or not at all; returns its files.
    ///
    /// # Errors [`BackupError`]
    pub fn run(&self, progress: &Arc<JobProgress>) -> Result<Vec<BackupFile>, BackupError> {
        self.check_place()?;
        progress.step()?;
        let held = HeldDatabases::open(&self.data_dir)?;
        let needed = held.control.bytes()? + held.history.bytes()?;
        // Each byte is copied, then checked.
        progress.set_total(2 * needed);
        self.check_room(needed)?;
        let draft = DraftDirectory::create(&self.dir)?;
        for database in [&held.control, &held.history] {
            self.copy(database, &draft, progress)?;
        }
        if let Some(keys) = &self.master_keys {
            draft.write(MASTER_FILE, keys)?;
        }
        draft.write(README_FILE, &self.readme())?;
        let files = draft.files()?;
        draft.put_in_place(&self.dir)?;
        Ok(files)
    }

    /// Refuses a place in which a backup would not be whole, or not be found again.
    fn check_place(&self) -> Result<(), BackupError> {
        let dir = || self.dir.clone();
        if !self.dir.is_absolute() || self.dir.file_name().is_none() {
            return Err(BackupError::Relative { dir: dir() });
        }
        let looking = |what| move |source| BackupError::File { what, path: dir(), source };
        let parent = self.dir.parent().unwrap_or(Path::new("/"));
        let parent_is = fs::metadata(parent).map_err(looking("make"))?;
        let canonical = fs::canonicalize(parent).map_err(looking("make"))?;
        let data_dir = fs::canonicalize(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
        if canonical.starts_with(&data_dir) {
            return Err(BackupError::InDataDir { dir: dir() });
        }
        let found = match fs::symlink_metadata(&self.dir) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(looking("make")(error)),
        };
        if !found.is_dir() {
            return Err(BackupError::NotADirectory { dir: dir() });
        }
        let mut entries = fs::read_dir(&self.dir).map_err(looking("look into"))?;
        if entries.next().is_some() {
            return Err(BackupError::NotEmpty { dir: dir() });
        }
        if found.dev() != parent_is.dev() {
            return Err(BackupError::MountPoint { dir: dir() });
        }
        Ok(())
    }

    fn check_room(&self, needed: u64) -> Result<(), BackupError> {
        let parent = self.dir.parent().unwrap_or(Path::new("/"));
        match disk::free_beside_reserve(parent) {
            Some(free) if free < needed => {
                Err(BackupError::NoRoom { dir: parent.into(), needed, free })
            }
            _ => Ok(()),
        }
    }

    /// Copies a database, and checks the copy.
    fn copy(
        &self,
        database: &HeldDatabase,
        draft: &DraftDirectory,
        progress: &Arc<JobProgress>,
    ) -> Result<(), BackupError> {
        let path = draft.path.join(database.name());
        let failed = |what| {
            let path = path.clone();
            move |source| BackupError::Sqlite { what, path, source }
        };
        let file = draft.create_file(database.name())?;
        let mut into = open(&path).map_err(failed("open"))?;
        // Whoever looks finds it under its name or not at all: no journal is needed, and it is synced here.
        into.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))
            .and_then(|()| into.pragma_update(None, "synchronous", "OFF"))
            .map_err(failed("prepare"))?;
        let page_bytes = database.page_bytes()?;
        let copying = Backup::new(&database.conn, &mut into).map_err(failed("write"))?;
        let (mut copied, mut unsynced) = (0, 0);
        loop {
            let step = copying.step(STEP_PAGES).map_err(|error| self.failed_step(error, &path))?;
            let at = copying.progress();
            let now = u64::try_from(at.pagecount - at.remaining).unwrap_or(0) * page_bytes;
            progress.add(now.saturating_sub(copied));
            unsynced += now.saturating_sub(copied);
            copied = now;
            progress.step()?;
            if unsynced >= SYNC_BYTES {
                let syncing =
                    |source| BackupError::File { what: "sync", path: path.clone(), source };
                file.sync_data().map_err(syncing)?;
                let remaining = u64::try_from(at.remaining).unwrap_or(0) * page_bytes;
                self.check_room(remaining + 1)?;
                unsynced = 0;
            }
            if step == StepResult::Done {
                break;
            }
        }
        drop(copying);
        drop(into);
        check(&path, &database.path, copied, progress)?;
        file.sync_all().map_err(|source| BackupError::File { what: "sync", path, source })
    }

    fn failed_step(&self, source: rusqlite::Error, path: &Path) -> BackupError {
        if source.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            let parent = self.dir.parent().unwrap_or(Path::new("/"));
            let free = disk::free_beside_reserve(parent).unwrap_or(0);
            return BackupError::NoRoom { dir: parent.into(), needed: file::len(path), free };
        }
        BackupError::Sqlite { what: "write", path: path.into(), source }
    }

    fn readme(&self) -> String {
        let (at, version) = (text::timestamp(self.at_ms), env!("CARGO_PKG_VERSION"));
        let key = match self.master_keys {
            Some(_) => {
                "master.key is in it: with it one can impersonate every agent, and make tokens. Keep \
                 it as secret as the\ndata directory."
            }
            None => {
                "master.key is not in it: put it back from where you keep it before the first start. \
                 Without it every token\nmust be handed out anew."
            }
        };
        format!(
            "A backup of a Heartline collector, of {at}, by heartlined {version}.\n\n\
             To restore it, end the collector that it is of, and copy it into a data directory in which \
             nothing is yet:\n\n    \
             mkdir -m 700 DATA_DIR\n    \
             cp control.db history.db{} DATA_DIR\n    \
             heartlined --data-dir DATA_DIR\n\n\
             {key}\n",
            if self.master_keys.is_some() { " master.key" } else { "" }
        )
    }
}

/// Opens a copy.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// Looks for damage in a copy, which is one file from then on: it says no more that it has a `-wal`.
fn check(
    copy: &Path,
    of: &Path,
    bytes: u64,
    progress: &Arc<JobProgress>,
) -> Result<(), BackupError> {
    let failed = |source| BackupError::Sqlite { what: "check", path: copy.into(), source };
    let mut conn = open(copy).map_err(failed)?;
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(failed)?;
    let seen = Arc::clone(progress);
    conn.progress_handler(CHECK_INTERVAL, Some(move || seen.step().is_err())).map_err(failed)?;
    let found = file::find_damage(&conn);
    progress.step()?;
    match found.map_err(failed)? {
        None => {
            progress.add(bytes);
            Ok(())
        }
        Some(damage) => Err(BackupError::Damaged { path: of.into(), damage }),
    }
}
