//! Directories and files that belong to the collector's user alone: keys, tokens, databases, sockets.
//!
//! Nothing here follows what another user may have prepared. A directory that others can write is
//! refused, a draft has a random name and must not exist, and a secret is used only if its owner
//! and its mode are right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Bytes of a secret that are read at most.
const SECRET_MAX: u64 = 64 << 10;
/// Names of a draft that are tried.
const DRAFT_NAMES: usize = 16;

/// The reason why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("can't use the directory {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the directory {0} can be written by others (mode {mode:03o}): they could replace its keys, \
         databases and sockets; run `chmod go-w {0}`, or choose another one with {flag}",
        path.display()
    )]
    WritableByOthers { path: PathBuf, mode: u32, flag: &'static str },
    #[error(
        "the directory {} belongs to uid {owner}, and heartlined runs as uid {user}: its owner could \
         replace keys, databases and sockets; change its owner, or choose another one with {flag}",
        path.display()
    )]
    ForeignOwner { path: PathBuf, owner: u32, user: u32, flag: &'static str },
}

/// The reason why a secret is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Others can read or write it.
    #[error("others can use it (mode {mode:03o})")]
    Exposed { mode: u32 },
    #[error("it belongs to uid {owner}")]
    ForeignOwner { owner: u32 },
}

/// Makes a directory for its owner alone, or checks the one that is there. `flag` is the one that
/// chooses another.
///
/// # Errors
/// [`DirectoryError`] says what is wrong with it, and what to do.
pub(crate) fn private_dir(path: &Path, flag: &'static str) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io { path: path.to_owned(), source };
    if !path.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    }
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_dir() {
        return Err(io(io::ErrorKind::NotADirectory.into()));
    }
    let (owner, user) = (metadata.uid(), user());
    if is_foreign(owner) {
        return Err(DirectoryError::ForeignOwner { path: path.to_owned(), owner, user, flag });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(DirectoryError::WritableByOthers { path: path.to_owned(), mode, flag });
    }
    Ok(())
}

/// Reads a file that its owner alone may read and write.
///
/// # Errors
/// [`SecretError`]; one of kind `NotFound` when there is no such file.
pub(crate) fn read_secret(path: &Path) -> Result<String, SecretError> {
    // What is checked is the open file: another one can't take its place in between. A pipe must
    // not hold up the start.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file").into());
    }
    if is_foreign(metadata.uid()) {
        return Err(SecretError::ForeignOwner { owner: metadata.uid() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { mode });
    }
    let mut text = String::new();
    file.take(SECRET_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file that its owner alone may read, as a whole or not at all, and durably. What is at
/// the path is replaced, not followed.
///
/// # Errors
/// Those of the system.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let (draft, mut file) = create_draft(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| sync_dir_of(path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Creates a draft beside a file, under a name that nobody can know before.
fn create_draft(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    for _ in 0..DRAFT_NAMES {
        let draft = path.with_file_name(format!(".{name}.{:016x}", random_number()?));
        match create_new(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (draft, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Creates a directory beside another, for its owner alone, under a name that nobody can know before.
///
/// # Errors
/// Those of the system.
pub(crate) fn create_draft_dir(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    for _ in 0..DRAFT_NAMES {
        let draft = path.with_file_name(format!(".{name}.partial-{:016x}", random_number()?));
        match fs::DirBuilder::new().mode(0o700).create(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|()| draft),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Creates a file that is not there yet, for its owner alone. A symbolic link is not followed.
///
/// # Errors
/// Those of the system.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)
}

/// Syncs the directory of a file, which makes new names in it durable.
///
/// # Errors
/// Those of the system.
pub(crate) fn sync_dir_of(path: &Path) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

/// Device and inode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Returns the identity of what is at a path; `None` if nothing is.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// Returns the identity of the file that a path leads to, symbolic links followed.
    pub(crate) fn behind(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns whether an owner is neither this process's user nor root.
pub(crate) fn is_foreign(owner: u32) -> bool {
    owner != 0 && owner != user()
}

fn random_number() -> io::Result<u64> {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_secret_replaces_a_link_and_leaves_its_target_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (target, secret) = (dir.path().join("target"), dir.path().join("secret"));
        fs::write(&target, "of somebody else").unwrap();
        symlink(&target, &secret).unwrap();
        for name in ["secret.new", ".secret.new"] {
            symlink(&target, dir.path().join(name)).unwrap();
        }
        write_secret(&secret, "ours").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
        assert_eq!(read_secret(&secret).unwrap(), "ours");
        assert!(fs::symlink_metadata(&secret).unwrap().is_file());
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 4, "no draft is left");
    }

    #[test]
    fn a_draft_is_never_a_file_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path().join("nowhere"), &link).unwrap();
        assert_eq!(create_new(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        private_dir(&path, "--data-dir").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for allowed in [0o700, 0o750, 0o755, 0o711] {
            mode(allowed);
            private_dir(&path, "--data-dir").unwrap();
        }
        for refused in [0o770, 0o777, 0o1777, 0o702] {
            mode(refused);
            let error = private_dir(&path, "--data-dir").unwrap_err();
            assert!(matches!(error, DirectoryError::WritableByOthers { .. }), "{error}");
            assert!(error.to_string().contains("chmod go-w"), "{error}");
        }
    }

    #[test]
    fn a_secret_that_others_can_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_secret(&path, "x").unwrap();
        for mode in [0o644, 0o640, 0o602, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_secret(&path).unwrap_err();
            assert!(matches!(error, SecretError::Exposed { mode: found } if found == mode));
        }
        let missing = read_secret(&dir.path().join("none")).unwrap_err();
        assert!(
            matches!(missing, SecretError::Io(error) if error.kind() == io::ErrorKind::NotFound)
        );
        assert!(matches!(read_secret(dir.path()).unwrap_err(), SecretError::Io(_)));
    }
}
