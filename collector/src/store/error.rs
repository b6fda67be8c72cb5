//! Errors of opening the store.

use std::io;
use std::path::PathBuf;

/// The reason why a store could not be opened: what was attempted, on which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `control.db` can't be trusted. Without it killed agents would run, so nothing is started.
    #[error("{} can't be trusted: {why}. heartlined does not start with an empty kill list. {how_to_restore}", path.display())]
    ControlRefused {
        path: PathBuf,
        why: String,
        /// What to do, with the path of the newest good copy.
        how_to_restore: String,
    },
    /// A database was written by a newer program.
    #[error(
        "{} is of version {found}, and this heartlined knows versions up to {known}; start the newer \
         heartlined that wrote it, or move the file away",
        path.display()
    )]
    Newer { path: PathBuf, found: usize, known: usize },
    /// A database belongs to another program.
    #[error("{} is not a database of heartlined; move it away or use another --data-dir", path.display())]
    Foreign { path: PathBuf },
    #[error("can't {what} {}: {source}; check its disk and its permissions", path.display())]
    Sqlite { what: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("can't {what} {}: {source}; check its disk and its permissions", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("can't start the thread that writes {}: {source}; raise the limit on processes", path.display())]
    Thread { path: PathBuf, source: io::Error },
}

impl StoreError {
    /// Returns the exit code of the collector: 4 when stored data was refused, 3 when something
    /// could not be opened.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ControlRefused { .. } | Self::Newer { .. } | Self::Foreign { .. } => 4,
            Self::Sqlite { .. } | Self::File { .. } | Self::Thread { .. } => 3,
        }
    }
}
