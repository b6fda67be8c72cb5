//! The collector's master keys, and the file with the token that agents of the same user read.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use heartline_protocol::{KeyEpoch, MasterKey, Token, TokenScope};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::private::{self, SecretError};

/// Name of the file with the master keys: at most two lines `EPOCH HEX`.
pub const MASTER_FILE: &str = "master.key";
/// Name of the file with the fleet-wide token.
pub const LOCAL_TOKEN_FILE: &str = "local.token";

/// A failure to read or create the keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file can't be read or written.
    #[error("can't {verb} {path}: {source}")]
    Io { verb: &'static str, path: PathBuf, source: io::Error },
    /// Other users can read or write the file.
    #[error(
        "{path} can be read or written by others (mode {mode:03o}): with it one can impersonate every \
         agent; if it was not disclosed, run `chmod 600 {path}`; otherwise remove {MASTER_FILE} and \
         {LOCAL_TOKEN_FILE}, restart, and hand out new tokens"
    )]
    Exposed {
        path: PathBuf,
        /// Permission bits of the file.
        mode: u32,
    },
    /// The file belongs to another user, who knows what is in it.
    #[error(
        "{path} belongs to uid {owner}, who can impersonate every agent with it; if you put it there \
         yourself, change its owner; otherwise remove {MASTER_FILE} and {LOCAL_TOKEN_FILE}, restart, \
         and hand out new tokens"
    )]
    ForeignOwner { path: PathBuf, owner: u32 },
    /// The file does not hold one or two keys.
    #[error(
        "{path}, line {line}: expected `EPOCH KEY` with an epoch of 0 to 255 and a key of 64 hex \
         digits; restore the file from a backup, or remove it to begin with a new key (every token \
         must then be handed out anew)"
    )]
    Malformed {
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// Two keys have one epoch, so that tokens of one of them would be refused.
    #[error(
        "{path}, line {line}: epoch {epoch} has a key already; give the new key an epoch of its own, \
         or remove the line that is wrong"
    )]
    DuplicateEpoch { path: PathBuf, line: usize, epoch: u8 },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: without them there are no keys")]
    NoRandomness,
}

/// The master keys of a data directory.
#[derive(Debug)]
pub struct CollectorKeys {
    /// Valid master keys. New tokens are derived from the last one.
    pub masters: Vec<(KeyEpoch, MasterKey)>,
    /// Key and token files that [`CollectorKeys::load`] created.
    pub created_files: Vec<PathBuf>,
}

impl KeyError {
    /// Returns the exit code of the process: 4 for invalid stored data, otherwise 3.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Malformed { .. } | Self::DuplicateEpoch { .. } => 4,
            _ => 3,
        }
    }
}

impl CollectorKeys {
    /// Reads the master keys of a data directory. Creates missing files.
    ///
    /// # Errors
    /// [`KeyError`] names the file, the cause and the remedy.
    pub fn load(data_dir: &Path) -> Result<Self, KeyError> {
        let mut created_files = Vec::new();
        let path = data_dir.join(MASTER_FILE);
        let text = match read(&path)? {
            Some(text) => text,
            None => {
                let line = format!("1 {}\n", hex(&random_key()?));
                write(&path, &line)?;
                created_files.push(path.clone());
                line
            }
        };
        let mut keys = Self { masters: parse_masters(&path, &text)?, created_files };
        let path = data_dir.join(LOCAL_TOKEN_FILE);
        let text = keys.local_token();
        if read(&path)?.as_deref() != Some(&text) {
            write(&path, &text)?;
            keys.created_files.push(path);
        }
        Ok(keys)
    }

    /// Returns the text of the file with the fleet-wide token.
    fn local_token(&self) -> String {
        self.token("").map_or_else(String::new, |token| format!("{}\n", token.encode()))
    }

    /// Returns the text of the file with the master keys.
    pub fn master_lines(&self) -> String {
        let mut text = String::new();
        for (epoch, key) in &self.masters {
            let _ = writeln!(text, "{} {}", epoch.0, hex(key.as_bytes()));
        }
        text
    }

    /// Returns whether a text has the same keys, however it is written.
    fn is_master_text(&self, path: &Path, text: &str) -> bool {
        let is_same = |((epoch, key), (own_epoch, own_key)): (&(_, MasterKey), &(_, MasterKey))| {
            epoch == own_epoch && key.as_bytes() == own_key.as_bytes()
        };
        parse_masters(path, text).is_ok_and(|masters| {
            masters.len() == self.masters.len() && masters.iter().zip(&self.masters).all(is_same)
        })
    }

    /// Writes the files again that are missing, and returns a sentence for operators about those
    /// that are not what they were.
    pub fn check_files(&self, data_dir: &Path) -> Option<String> {
        let files = [(MASTER_FILE, self.master_lines()), (LOCAL_TOKEN_FILE, self.local_token())];
        let faults = files.iter().filter_map(|(name, text)| {
            let path = data_dir.join(name);
            match read(&path) {
                Ok(Some(found)) if found == *text || self.is_master_text(&path, &found) => None,
                Ok(Some(_)) => Some(format!(
                    "{} was changed while heartlined runs, which goes on with the keys that it has \
                     read: restart it to use the new ones",
                    path.display()
                )),
                Ok(None) => Some(match write(&path, text) {
                    Ok(()) => format!("{} was removed, and is written again", path.display()),
                    Err(error) => format!("{} was removed, and {error}", path.display()),
                }),
                Err(error) => Some(error.to_string()),
            }
        });
        let faults: Vec<String> = faults.collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    /// Returns the token of a scope under the newest key, or `None` if the scope is invalid.
    pub fn token(&self, scope: &str) -> Option<Token> {
        let (epoch, master) = self.masters.last()?;
        let scope = TokenScope::new(scope).ok()?;
        let key = master.scope_key(*epoch, scope.as_str());
        Some(Token { epoch: *epoch, scope, key })
    }
}

/// Returns random bytes for a key.
///
/// # Errors
/// [`KeyError::NoRandomness`].
pub fn random_key() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

/// Reads a secret; `None` if it is missing.
fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let path = path.to_owned();
    match private::read_secret(&path) {
        Ok(text) => Ok(Some(text)),
        Err(SecretError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(SecretError::Io(source)) => Err(KeyError::Io { verb: "read", path, source }),
        Err(SecretError::Exposed { mode }) => Err(KeyError::Exposed { path, mode }),
        Err(SecretError::ForeignOwner { owner }) => Err(KeyError::ForeignOwner { path, owner }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), KeyError> {
    private::write_secret(path, text).map_err(|source| KeyError::Io {
        verb: "write",
        path: path.to_owned(),
        source,
    })
}

fn parse_masters(path: &Path, text: &str) -> Result<Vec<(KeyEpoch, MasterKey)>, KeyError> {
    let mut masters: Vec<(KeyEpoch, MasterKey)> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = || KeyError::Malformed { path: path.to_owned(), line: number + 1 };
        let (epoch, key) = line.trim().split_once(' ').ok_or_else(malformed)?;
        let epoch = epoch.parse().map_err(|_| malformed())?;
        let key = unhex(key.trim()).ok_or_else(malformed)?;
        if masters.iter().any(|(known, _)| known.0 == epoch) {
            return Err(KeyError::DuplicateEpoch {
                path: path.to_owned(),
                line: number + 1,
                epoch,
            });
        }
        masters.push((KeyEpoch(epoch), MasterKey::new(key)));
    }
    if masters.is_empty() || masters.len() > 2 {
        return Err(KeyError::Malformed { path: path.to_owned(), line: masters.len() + 1 });
    }
    Ok(masters)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_load_creates_the_keys_and_the_second_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let first = CollectorKeys::load(dir.path()).unwrap();
        assert_eq!(first.created_files.len(), 2);
        for file in &first.created_files {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let second = CollectorKeys::load(dir.path()).unwrap();
        assert!(second.created_files.is_empty());
        let token = fs::read_to_string(dir.path().join(LOCAL_TOKEN_FILE)).unwrap();
        assert_eq!(token.trim(), second.token("").unwrap().encode());
    }

    #[test]
    fn an_exposed_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        CollectorKeys::load(dir.path()).unwrap();
        for name in [MASTER_FILE, LOCAL_TOKEN_FILE] {
            let path = dir.path().join(name);
            set_mode(&path, 0o644);
            let error = CollectorKeys::load(dir.path()).unwrap_err();
            assert!(matches!(error, KeyError::Exposed { mode: 0o644, .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            set_mode(&path, 0o600);
        }
        CollectorKeys::load(dir.path()).unwrap();
    }

    #[test]
    fn a_damaged_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        CollectorKeys::load(dir.path()).unwrap();
        let path = dir.path().join(MASTER_FILE);
        for damaged in ["", "1", "1 abc", "300 00", &"1 00\n".repeat(3)] {
            fs::write(&path, damaged).unwrap();
            let error = CollectorKeys::load(dir.path()).unwrap_err();
            assert!(matches!(error, KeyError::Malformed { .. }), "{damaged:?}: {error}");
            assert_eq!(error.exit_code(), 4);
        }
    }

    #[test]
    fn two_keys_of_one_epoch_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MASTER_FILE);
        let [one, two] = ["11", "22"].map(|byte| byte.repeat(32));
        private::write_secret(&path, &format!("1 {one}\n2 {two}\n")).unwrap();
        assert_eq!(CollectorKeys::load(dir.path()).unwrap().masters.len(), 2);
        fs::write(&path, format!("7 {one}\n\n7 {two}\n")).unwrap();
        let error = CollectorKeys::load(dir.path()).unwrap_err();
        assert!(matches!(error, KeyError::DuplicateEpoch { line: 3, epoch: 7, .. }), "{error}");
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn prepared_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "of somebody else").unwrap();
        set_mode(&target, 0o600);
        for name in ["master.new", "local.new", LOCAL_TOKEN_FILE] {
            symlink(&target, dir.path().join(name)).unwrap();
        }
        CollectorKeys::load(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
    }

    #[test]
    fn a_key_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        CollectorKeys::load(dir.path()).unwrap();
        let path = dir.path().join(MASTER_FILE);
        // Only root can give a file away; another user's file is not readable for anybody else.
        if chown(&path, Some(65_534), None).is_ok() {
            let error = CollectorKeys::load(dir.path()).unwrap_err();
            assert!(matches!(error, KeyError::ForeignOwner { owner: 65_534, .. }), "{error}");
        } else {
            let error = private::read_secret(Path::new("/etc/shadow")).unwrap_err();
            assert!(matches!(error, SecretError::Io(_)), "{error}");
        }
    }

    #[test]
    fn removed_files_are_written_again_and_changed_ones_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let keys = CollectorKeys::load(dir.path()).unwrap();
        let [master, token] = [MASTER_FILE, LOCAL_TOKEN_FILE].map(|name| dir.path().join(name));
        assert_eq!(keys.check_files(dir.path()), None);
        let before = [&master, &token].map(|path| fs::read_to_string(path).unwrap());
        for path in [&master, &token] {
            fs::remove_file(path).unwrap();
            assert!(keys.check_files(dir.path()).unwrap().contains("written again"));
        }
        assert_eq!([&master, &token].map(|path| fs::read_to_string(path).unwrap()), before);
        assert_eq!(keys.check_files(dir.path()), None);
        fs::write(&master, before[0].to_uppercase()).unwrap();
        assert_eq!(keys.check_files(dir.path()), None, "the same key");
        fs::write(&token, "another").unwrap();
        let fault = keys.check_files(dir.path()).unwrap();
        assert!(fault.contains(LOCAL_TOKEN_FILE) && fault.contains("restart"), "{fault}");
    }
}
