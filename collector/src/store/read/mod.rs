//! Reading both databases, beside their writers.

mod agent;
mod command;
mod event;
mod quantile;
mod work;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::file::{self, CONTROL_FILE, HISTORY_FILE};

/// Reads both databases, on connections of its own that can't write. For one thread: each opens its
/// own. A read sees what was committed before it began, and delays no writer.
pub struct Reader {
    control: Database,
    history: Database,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A database can't be opened.
    #[error("can't open {} for reading: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A question failed.
    #[error("can't read {what} from {}: {source}", path.display())]
    Query {
        /// What was asked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// One database, open for reading.
struct Database {
    path: PathBuf,
    conn: Connection,
    /// Which file that is: a damaged history is replaced while running.
    inode: u64,
}

impl Reader {
    /// Opens both databases of a data directory. They must exist: [`super::Store::open`] first.
    ///
    /// # Errors
    /// [`ReadError::Open`]
    pub fn open(data_dir: &Path) -> Result<Self, ReadError> {
        Ok(Self {
            control: Database::open(data_dir.join(CONTROL_FILE))?,
            history: Database::open(data_dir.join(HISTORY_FILE))?,
        })
    }
}

impl Database {
    fn open(path: PathBuf) -> Result<Self, ReadError> {
        let inode = inode(&path);
        match file::open_reader(&path) {
            Ok(conn) => Ok(Self { path, conn, inode }),
            Err(source) => Err(ReadError::Open { path, source }),
        }
    }

    /// Answers a question from one moment's state of the database.
    fn read<T>(
        &mut self,
        what: &'static str,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        if inode(&self.path) != self.inode {
            *self = Self::open(self.path.clone())?;
        }
        let answer = self.conn.transaction().and_then(|tx| question(&tx));
        answer.map_err(|source| ReadError::Query { what, path: self.path.clone(), source })
    }
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.ino())
}
