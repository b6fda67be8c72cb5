//! Why a store could not be opened.

use std::io;
use std::path::PathBuf;

/// Why a store could not be opened. Each says what was attempted, on which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `control.db` can't be trusted. Without it nobody knows who was killed, so the collector does
    /// not start.
    #[error("{} can't be trusted: {why}. heartlined does not start with an empty kill list. {how_to_restore}", path.display())]
    ControlRefused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do, with the newest good copy by name.
        how_to_restore: String,
    },
    /// A database was written by a newer program.
    #[error(
        "{} is of version {found}, and this heartlined knows versions up to {known}; start the newer \
         heartlined that wrote it, or move the file away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest version that is known here.
        known: usize,
    },
    /// A database is another program's.
    #[error("{} is not a database of heartlined; move it away or use another --data-dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("can't {what} {}: {source}; check its disk and its permissions", path.display())]
    Sqlite {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file system failed.
    #[error("can't {what} {}: {source}; check its disk and its permissions", path.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("can't start the thread that writes {}: {source}; raise the limit on processes", path.display())]
    Thread {
        /// The file it was to write.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StoreError {
    /// The exit code of a collector that ends for it: 4 when stored data was refused, 3 when
    /// something could not be opened.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ControlRefused { .. } | Self::Newer { .. } | Self::Foreign { .. } => 4,
            Self::Sqlite { .. } | Self::File { .. } | Self::Thread { .. } => 3,
        }
    }
}
