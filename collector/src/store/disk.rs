//! What a failed write means: to wait, to set a file aside, or to end the process.

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

/// What is to be done about a failure of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing was written; it may go better later: a full disk, a lock held too long.
    Passing,
    /// The file is not what it should be.
    Damaged,
    /// The kernel could not bring data to the disk. Whatever it says next can't be believed: a
    /// second fsync succeeds although the first one's pages are lost.
    Unsynced,
}

/// Bytes on the disk that history leaves to `control.db`, so that kills go on when it is full…
const RESERVE_MAX: u64 = 64 << 20;
/// …or this share of a small disk.
const RESERVE_SHARE: u64 = 50;

/// Sorts a failure.
pub(super) fn fault(error: &Error) -> Fault {
    let Error::SqliteFailure(failure, _) = error else { return Fault::Passing };
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Fault::Unsynced,
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Fault::Damaged,
        _ => Fault::Passing,
    }
}

/// Ends the process if the failure was one of fsync: what a second fsync reports is not to be trusted.
pub(super) fn end_if_unsynced(error: &Error, path: &Path) {
    if fault(error) == Fault::Unsynced {
        eprintln!(
            "heartlined: syncing {} failed ({error}); what is on the disk is unknown, so heartlined \
             ends here. Check the disk, then start it again.",
            path.display()
        );
        std::process::abort();
    }
}

/// A sentence about a write that failed and is tried again, for an operator's banner.
pub(super) fn sentence(what: &str, path: &Path, error: &Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some space on its disk",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds it locked; end that program"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "make it writable for the user of heartlined"
        }
        _ => "check its disk",
    };
    format!("can't {what} {}: {error}; {hint}", path.display())
}

/// Whether the disk has more room than what is kept for `control.db`. A disk that can't be asked
/// counts as having room: the write itself will tell.
pub(super) fn has_room(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).map_or(true, |disk| {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let size = disk.f_blocks.saturating_mul(disk.f_frsize);
        free > RESERVE_MAX.min(size / RESERVE_SHARE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended_code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(extended_code), None)
    }

    #[test]
    fn only_fsync_ends_the_process_and_only_damage_sets_aside() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, Fault::Passing),
            (ffi::SQLITE_IOERR_WRITE, Fault::Passing),
            (ffi::SQLITE_BUSY, Fault::Passing),
            (ffi::SQLITE_IOERR_FSYNC, Fault::Unsynced),
            (ffi::SQLITE_IOERR_DIR_FSYNC, Fault::Unsynced),
            (ffi::SQLITE_CORRUPT, Fault::Damaged),
            (ffi::SQLITE_CORRUPT_INDEX, Fault::Damaged),
            (ffi::SQLITE_NOTADB, Fault::Damaged),
        ] {
            assert_eq!(fault(&failure(code)), expected, "{code}");
        }
    }
}
