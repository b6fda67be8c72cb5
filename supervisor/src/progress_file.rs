//! A file that the program touches while it makes progress.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::clock;

/// Watches the time at which a file was last modified.
#[derive(Debug)]
pub(crate) struct ProgressFile {
    path: PathBuf,
    last: Option<SystemTime>,
}

impl ProgressFile {
    /// Starts to watch. What was written before is no progress of this process.
    pub(crate) fn watch(path: PathBuf) -> Self {
        let last = Some(modified(&path).unwrap_or_else(clock::file_time));
        Self { path, last }
    }

    /// Returns whether it was modified since it was last asked. A file that is not there was not.
    pub(crate) fn was_touched(&mut self) -> bool {
        let Some(now) = modified(&self.path) else { return false };
        self.last.replace(now) != Some(now)
    }
}

fn modified(path: &PathBuf) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_touched_when_it_is_written_and_not_when_it_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("progress");
        let mut file = ProgressFile::watch(path.clone());
        assert!(!file.was_touched());
        fs::write(&path, "1").unwrap();
        assert!(file.was_touched());
        assert!(!file.was_touched());
        fs::remove_file(&path).unwrap();
        assert!(!file.was_touched());
    }
}
