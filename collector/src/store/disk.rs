//! Failures of SQLite and of the disk, and free space.

use std::path::Path;

use heartline_operator::message::DiskSpace;
use rusqlite::{Error, ErrorCode, ffi};

/// The kind of a failure of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SqliteFault {
    /// Nothing was written, and a retry may succeed: a full disk, a lock held too long.
    Transient,
    Corrupt,
    /// An fsync failed. It can't be retried: a second one succeeds although the pages of the first
    /// are lost.
    SyncFailed,
}

/// Free space that history leaves to `control.db`, so that kills are stored on a full disk: so many
/// bytes, or a share of a small disk.
const RESERVE_MAX: u64 = 64 << 20;
const RESERVE_SHARE: u64 = 50;

/// Classifies a failure.
pub(super) fn classify(error: &Error) -> SqliteFault {
    let Error::SqliteFailure(failure, _) = error else { return SqliteFault::Transient };
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => SqliteFault::SyncFailed,
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => SqliteFault::Corrupt,
        _ => SqliteFault::Transient,
    }
}

/// Aborts the process if an fsync failed.
pub(super) fn abort_if_sync_failed(error: &Error, path: &Path) {
    if classify(error) == SqliteFault::SyncFailed {
        crate::log::fail(&format_args!(
            "syncing {} failed ({error}); what is on the disk is unknown, so heartlined ends here. \
             Check the disk, then start it again.",
            path.display()
        ));
        std::process::abort();
    }
}

/// Returns a sentence for operators about a write that failed, with what to do.
pub(super) fn failure_message(what: &str, path: &Path, error: &Error) -> String {
    let is_moved = |error: &ffi::Error| error.extended_code == ffi::SQLITE_READONLY_DBMOVED;
    let hint = match error.sqlite_error_code() {
        _ if error.sqlite_error().is_some_and(is_moved) => {
            "put back the file that was there, or restart heartlined, which says what to do"
        }
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

/// Returns whether history may be written without using up the reserve of `control.db`. A disk that
/// can't be asked has room: a failed write is handled, too.
pub(super) fn has_room(dir: &Path) -> bool {
    has_free(dir, 1)
}

/// Returns whether half of the reserve is free: what was judged is spilled into the other half.
pub(super) fn has_room_for_spill(dir: &Path) -> bool {
    has_free(dir, 2)
}

/// Returns how many bytes of its file history should keep free, where the disk is nearly full: it has less than
/// twice the reserve. `None` where there is enough.
pub(super) fn find_shortage(dir: &Path) -> Option<u64> {
    let (free, reserve) = free_and_reserve(dir)?;
    (free <= 2 * reserve).then_some(reserve)
}

/// Returns how many bytes are free on the disk of a directory beside the reserve; `None` where it can't be
/// asked.
pub(super) fn free_beside_reserve(dir: &Path) -> Option<u64> {
    free_and_reserve(dir).map(|(free, reserve)| free.saturating_sub(reserve))
}

/// Returns whether this part of the reserve is free.
fn has_free(dir: &Path, divisor: u64) -> bool {
    free_and_reserve(dir).is_none_or(|(free, reserve)| free > reserve / divisor)
}

/// Returns the free space of a disk, and how much of it is left to `control.db`.
fn free_and_reserve(dir: &Path) -> Option<(u64, u64)> {
    disk_space(dir).map(|disk| (disk.free, disk.reserve))
}

/// Returns the space of the disk that a directory is on; `None`: it can't be asked.
pub fn disk_space(dir: &Path) -> Option<DiskSpace> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let size = disk.f_blocks.saturating_mul(disk.f_frsize);
    Some(DiskSpace { free, size, reserve: RESERVE_MAX.min(size / RESERVE_SHARE) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended_code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(extended_code), None)
    }

    #[test]
    fn failures_are_classified() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, SqliteFault::Transient),
            (ffi::SQLITE_IOERR_WRITE, SqliteFault::Transient),
            (ffi::SQLITE_BUSY, SqliteFault::Transient),
            (ffi::SQLITE_IOERR_FSYNC, SqliteFault::SyncFailed),
            (ffi::SQLITE_IOERR_DIR_FSYNC, SqliteFault::SyncFailed),
            (ffi::SQLITE_CORRUPT, SqliteFault::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, SqliteFault::Corrupt),
            (ffi::SQLITE_NOTADB, SqliteFault::Corrupt),
        ] {
            assert_eq!(classify(&failure(code)), expected, "{code}");
        }
    }
}
