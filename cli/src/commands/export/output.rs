//! Where an export goes: standard output, or a file that is there when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::console::Console;
use crate::error::CliError;

/// Names of a draft that are tried.
const DRAFT_NAMES: u32 = 16;

/// The output of an export.
pub(super) enum ExportOutput<'a> {
    Stdout(&'a mut dyn Write),
    File(DraftFile),
}

impl<'a> ExportOutput<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// As [`DraftFile::create`].
    pub(super) fn open(path: Option<&Path>, console: &'a mut Console) -> Result<Self, CliError> {
        match path {
            Some(path) => Ok(Self::File(DraftFile::create(path)?)),
            None => Ok(Self::Stdout(console.plain())),
        }
    }

    /// Writes a part of it.
    pub(super) fn write(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => {
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Output)
            }
            Self::File(draft) => draft.write(text.as_bytes()),
        }
    }

    /// Ends it: a file gets its name.
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::File(draft) => draft.put_in_place(),
        }
    }
}

/// A file beside the one that it is to be. It is removed unless it was put in place.
pub(super) struct DraftFile {
    path: PathBuf,
    draft: PathBuf,
    file: File,
    is_in_place: bool,
}

impl DraftFile {
    /// Creates one, for its owner alone. A file that is there already stays until it is replaced.
    ///
    /// # Errors
    /// [`CliError::Usage`] for what is no regular file, [`CliError::File`].
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::File { what: "write", path: path.into(), source };
        let Some(name) = path.file_name() else {
            return Err(CliError::Usage(format!("{} is no name of a file", path.display())));
        };
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            let path = path.display();
            return Err(CliError::Usage(format!("{path} is there already and is no regular file")));
        }
        for _ in 0..DRAFT_NAMES {
            let mut number = [0; 8];
            getrandom::fill(&mut number).map_err(io::Error::other).map_err(failed)?;
            let number = u64::from_le_bytes(number);
            let draft =
                path.with_file_name(format!(".{}.partial-{number:016x}", name.to_string_lossy()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft) {
                Ok(file) => {
                    return Ok(Self { path: path.into(), draft, file, is_in_place: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.file.write_all(bytes).map_err(|source| self.failed(source))
    }

    /// Gives it its name once it is on disk.
    pub(super) fn put_in_place(mut self) -> Result<(), CliError> {
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.draft, &self.path));
        placed.map_err(|source| self.failed(source))?;
        self.is_in_place = true;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> CliError {
        CliError::File { what: "write", path: self.path.clone(), source }
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _gone = fs::remove_file(&self.draft);
        }
    }
}
