//! The file of an operators' socket: made, watched, removed.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::ServeError;
use crate::private::FileId;

/// A socket's file, under the path at which operators find it. It is removed when this is dropped,
/// unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: Option<FileId>,
}

impl SocketFile {
    /// Binds a socket with these permission bits. A socket that a dead collector left behind is
    /// replaced: the lock on the data directory says that no other collector lives. Anything else is
    /// left alone.
    ///
    /// # Errors
    /// [`ServeError`] names the path and the cause.
    pub(super) fn bind(path: &Path, mode: u32) -> Result<(Self, UnixListener), ServeError> {
        let bind = |source| ServeError::Bind { path: path.to_owned(), source };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(bind(error)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ServeError::NotASocket { path: path.to_owned() });
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                let answers = "another collector answers there";
                return Err(bind(io::Error::new(io::ErrorKind::AddrInUse, answers)));
            }
            Ok(_) => fs::remove_file(path).map_err(bind)?,
        }
        let listener = UnixListener::bind(path).map_err(bind)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(bind)?;
        Ok((Self { path: path.to_owned(), id: FileId::at(path) }, listener))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether operators still find this socket under its path.
    pub(super) fn is_in_place(&self) -> bool {
        self.id.is_some() && FileId::at(&self.path) == self.id
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_answers_on_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (file, listener) = SocketFile::bind(&path, 0o600).unwrap();
        assert!(file.is_in_place());
        let error = SocketFile::bind(&path, 0o600).unwrap_err();
        assert!(error.to_string().contains("another collector answers"), "{error}");
        drop((file, listener));
        assert!(!path.exists(), "it is removed at the end");

        fs::write(&path, "notes").unwrap();
        let error = SocketFile::bind(&path, 0o600).unwrap_err();
        assert!(matches!(error, ServeError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(SocketFile::bind(&path, 0o600), Err(ServeError::NotASocket { .. })));
    }

    #[tokio::test]
    async fn a_file_that_took_its_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (file, _listener) = SocketFile::bind(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!file.is_in_place());
        fs::write(&path, "notes").unwrap();
        drop(file);
        assert!(path.exists());
    }
}
