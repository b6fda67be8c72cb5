//! An incident file, served within the process to the operators' client: whatever shows a collector's fleet shows
//! that of a file as well. Nothing in it can be changed, and its time stands still at its end.
//!
//! - `server`: connections of clients
//! - `fleet`: the fleet as it was at the end
//!
//! The package stands between `cli/` and `collector/`, which has the readers of history: so only programs that
//! open such files come to SQLite.

mod fleet;
mod server;

use std::path::Path;

use heartline_collector::store::{IncidentFile, IncidentFileError, ReadError};
use heartline_operator::client::LocalServer;

/// The reason why an incident file is not served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    File(#[from] IncidentFileError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Opens and checks an incident file, which may come from a stranger, and returns a server for it. Its
/// connections are served by the tokio runtime in which they are made.
///
/// # Errors
/// [`OpenError`]
pub fn open(path: &Path) -> Result<LocalServer, OpenError> {
    server::start(IncidentFile::open(path)?, path)
}
