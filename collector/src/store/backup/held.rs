//! Both databases, each held at a moment.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::BackupError;
use crate::store::commit_number::{CommitNumbers, LostCommits};
use crate::store::file::{self, CONTROL_FILE, HISTORY_FILE};

/// How often both are held anew until they agree. A commit comes in between in one of thousands.
const ATTEMPTS: usize = 100;

/// Both databases as of one moment: neither knows of a commit of the other that is missing.
pub(super) struct HeldDatabases {
    pub(super) control: HeldDatabase,
    pub(super) history: HeldDatabase,
}

/// A connection in a read transaction: what is committed meanwhile is not seen, and delays no writer.
pub(super) struct HeldDatabase {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
}

impl HeldDatabases {
    pub(super) fn open(data_dir: &Path) -> Result<Self, BackupError> {
        let open = |name| HeldDatabase::open(data_dir.join(name));
        let held = Self { control: open(CONTROL_FILE)?, history: open(HISTORY_FILE)? };
        for _ in 1..ATTEMPTS {
            if held.hold()? == LostCommits::default() {
                return Ok(held);
            }
            held.control.run("ROLLBACK")?;
            held.history.run("ROLLBACK")?;
            std::thread::yield_now();
        }
        held.hold()?;
        Ok(held)
    }

    /// Begins both transactions; returns what either lacks of what the other knows. The first look at a
    /// database holds it: `control.db` goes first.
    fn hold(&self) -> Result<LostCommits, BackupError> {
        self.control.run("BEGIN")?;
        self.history.run("BEGIN")?;
        let read = CommitNumbers::read(&self.control.conn, &self.history.conn);
        read.map(|(_, lost)| lost).map_err(|source| self.control.failed(source))
    }
}

impl HeldDatabase {
    fn open(path: PathBuf) -> Result<Self, BackupError> {
        match file::open_reader(&path) {
            Ok(conn) => Ok(Self { path, conn }),
            Err(source) => Err(BackupError::Sqlite { what: "open", path, source }),
        }
    }

    /// Returns the name of its file.
    pub(super) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Returns its length in bytes.
    pub(super) fn bytes(&self) -> Result<u64, BackupError> {
        Ok(self.number("page_count")? * self.page_bytes()?)
    }

    pub(super) fn page_bytes(&self) -> Result<u64, BackupError> {
        self.number("page_size")
    }

    fn number(&self, pragma: &str) -> Result<u64, BackupError> {
        let read = self.conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        read.map(|number| u64::try_from(number).unwrap_or(0)).map_err(|source| self.failed(source))
    }

    fn run(&self, sql: &str) -> Result<(), BackupError> {
        self.conn.execute_batch(sql).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> BackupError {
        BackupError::Sqlite { what: "read", path: self.path.clone(), source }
    }
}
