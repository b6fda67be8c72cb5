//! The lock of a data directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// The exclusive lock of a data directory. The kernel releases it when the process ends, however it
/// ends; the file stays.
///
/// The directory itself is locked, too: a lock file that somebody removes lets nobody in. Where a
/// network file system can't lock directories, the file alone counts.
#[derive(Debug)]
pub struct DataDirLock {
    _dir: File,
    _file: File,
}

/// The reason why a data directory can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum DataDirLockError {
    #[error(
        "another heartlined{} uses the data directory {}; end it, or give this one a --data-dir of \
         its own",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        dir.display()
    )]
    Held {
        /// The process id of the other collector, if it has written one.
        pid: Option<u32>,
        dir: PathBuf,
    },
    /// The lock file can't be opened, locked or written.
    #[error("can't lock {}: {source}; it must be on a local disk and writable for this user", path.display())]
    File { path: PathBuf, source: io::Error },
}

const LOCK_FILE: &str = "heartlined.lock";

impl DataDirLock {
    /// Locks a data directory, and writes this process's id into the lock file.
    ///
    /// # Errors
    /// [`DataDirLockError`]
    pub fn acquire(data_dir: &Path) -> Result<Self, DataDirLockError> {
        let path = data_dir.join(LOCK_FILE);
        let failed = |source| DataDirLockError::File { path: path.clone(), source };
        let dir = File::open(data_dir)
            .map_err(|source| DataDirLockError::File { path: data_dir.into(), source })?;
        let is_dir_free =
            flock(&dir, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(is_dir_free).truncate(false).mode(0o600);
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let file = options.open(&path);
        let held = |file: Option<&mut File>| DataDirLockError::Held {
            pid: file.and_then(read_pid),
            dir: data_dir.into(),
        };
        if !is_dir_free {
            return Err(held(file.ok().as_mut()));
        }
        let mut file = file.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(held(Some(&mut file))),
            Err(errno) => return Err(failed(errno.into())),
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { _dir: dir, _file: file })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_with_the_holders_pid() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::acquire(dir.path()).unwrap();
        let refused = DataDirLock::acquire(dir.path()).unwrap_err();
        let me = std::process::id();
        assert!(matches!(refused, DataDirLockError::Held { pid: Some(pid), .. } if pid == me));
        assert!(refused.to_string().contains(&format!("process {me}")), "{refused}");
        drop(first);
        DataDirLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_file_of_a_dead_collector_does_not_lock() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(LOCK_FILE), "123456789012").unwrap();
        DataDirLock::acquire(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(LOCK_FILE)).unwrap();
        assert_eq!(text.trim(), std::process::id().to_string());
    }

    #[test]
    fn a_removed_lock_file_lets_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::acquire(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join(LOCK_FILE)).unwrap();
        let refused = DataDirLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(refused, DataDirLockError::Held { pid: None, .. }), "{refused}");
        assert!(!dir.path().join(LOCK_FILE).exists());
        drop(first);
        DataDirLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_link_in_place_of_the_lock_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "of somebody else").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join(LOCK_FILE)).unwrap();
        let refused = DataDirLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(refused, DataDirLockError::File { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "of somebody else");
    }
}
