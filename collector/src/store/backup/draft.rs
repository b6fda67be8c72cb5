//! The directory in which a backup is written, under another name than its own.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use heartline_operator::message::BackupFile;

use super::BackupError;
use crate::private;

/// A directory that is removed with all that is in it, unless it was put in place.
pub(super) struct DraftDirectory {
    pub(super) path: PathBuf,
    is_in_place: bool,
}

impl DraftDirectory {
    /// Creates one beside a directory, for its owner alone.
    pub(super) fn create(dir: &Path) -> Result<Self, BackupError> {
        match private::create_draft_dir(dir) {
            Ok(path) => Ok(Self { path, is_in_place: false }),
            Err(source) => Err(BackupError::File { what: "make", path: dir.into(), source }),
        }
    }

    /// Creates an empty file in it, for its owner alone.
    pub(super) fn create_file(&self, name: &str) -> Result<File, BackupError> {
        private::create_new(&self.path.join(name)).map_err(self.failed("create", name))
    }

    /// Writes a file into it, durably.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), BackupError> {
        let mut file = self.create_file(name)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(self.failed("write", name))
    }

    /// Returns the files in it by their names.
    pub(super) fn files(&self) -> Result<Vec<BackupFile>, BackupError> {
        let read = || -> io::Result<Vec<BackupFile>> {
            let mut files = Vec::new();
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                files.push(BackupFile { name, bytes: entry.metadata()?.len() });
            }
            files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            Ok(files)
        };
        read().map_err(self.failed("look into", ""))
    }

    /// Gives it its name. An empty directory of that name is replaced; one that somebody has filled
    /// meanwhile is not.
    pub(super) fn put_in_place(mut self, dir: &Path) -> Result<(), BackupError> {
        let failed = |source| BackupError::File { what: "make", path: dir.into(), source };
        File::open(&self.path).and_then(|draft| draft.sync_all()).map_err(failed)?;
        fs::rename(&self.path, dir).map_err(failed)?;
        self.is_in_place = true;
        private::sync_dir_of(dir).map_err(failed)
    }

    fn failed(&self, what: &'static str, name: &str) -> impl FnOnce(io::Error) -> BackupError {
        let path = self.path.join(name);
        move |source| BackupError::File { what, path, source }
    }
}

impl Drop for DraftDirectory {
    fn drop(&mut self) {
        if self.is_in_place {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(
                "can't remove {}, which is part of a backup: {error}",
                self.path.display()
            );
        }
    }
}
