//! A `control.db` that is removed or replaced while the collector runs.

use std::path::Path;

use rusqlite::Connection;

use crate::store::copy;
use crate::store::file;
use crate::store::place::FileFault;

/// Tells operators once what happened to the file, and saves what is still open.
#[derive(Debug, Default)]
pub(super) struct FileWatch {
    reported: Option<FileFault>,
}

impl FileWatch {
    /// Returns the sentence for a banner when it changes; within, `None` when all is well again.
    pub(super) fn sentence(
        &mut self,
        fault: Option<FileFault>,
        conn: &Connection,
        path: &Path,
        now_ms: i64,
    ) -> Option<Option<String>> {
        if fault == self.reported {
            return None;
        }
        self.reported = fault;
        let Some(fault) = fault else { return Some(None) };
        let what = match fault {
            FileFault::Removed => format!("{} was removed", path.display()),
            FileFault::Replaced => format!("{} was replaced", path.display()),
            FileFault::Emptied => format!("{} was emptied", path.display()),
            FileFault::WalRemoved => format!("{}-wal was removed", path.display()),
        };
        let copy = copy::daily_path(path, &file::stamp(now_ms)[..8]);
        let saved = match copy::make_from(conn, path, &copy) {
            Ok(()) => format!(
                "what it held is in {0}: put the file back, or stop heartlined, run \
                 `rm -f {1}-wal {1}-shm; cp -p {0} {1}`, and start it again",
                copy.display(),
                path.display()
            ),
            Err(error) => format!(
                "it could not be saved ({error}): put the file back, or restart heartlined, which says \
                 how to restore it"
            ),
        };
        Some(Some(format!("{what} while heartlined runs: no kill and no resume is taken; {saved}")))
    }
}
