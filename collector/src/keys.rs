//! The collector's master keys, and the file with the token that agents of the same user read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use heartline_protocol::{KeyEpoch, MasterKey, Token, TokenScope};
use ring::rand::{SecureRandom as _, SystemRandom};

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
    /// Other users can read the file.
    #[error(
        "{path} can be read by others (mode {mode:03o}): with it one can impersonate every agent; \
         if it was not disclosed, run `chmod 600 {path}`; otherwise remove it and {LOCAL_TOKEN_FILE}, \
         restart, and hand out new tokens"
    )]
    Exposed {
        path: PathBuf,
        /// Permission bits of the file.
        mode: u32,
    },
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
        if matches!(self, Self::Malformed { .. }) { 4 } else { 3 }
    }
}

impl CollectorKeys {
    /// Reads the master keys of a data directory. Creates missing files.
    ///
    /// # Errors
    /// [`KeyError`] names the file, the cause and the remedy.
    pub fn load(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join(MASTER_FILE);
        let mut created_files = Vec::new();
        if !path.exists() {
            let line = format!("1 {}\n", hex(&random_key()?));
            write_private(&path, &line)?;
            created_files.push(path.clone());
        }
        let masters = read_masters(&path)?;
        let keys = Self { masters, created_files };
        let token = keys.token("").map(|token| format!("{}\n", token.encode()));
        let token_path = data_dir.join(LOCAL_TOKEN_FILE);
        let current = fs::read_to_string(&token_path).ok();
        match token {
            Some(token) if current.as_ref() != Some(&token) => {
                write_private(&token_path, &token)?;
                let created_files = [keys.created_files, vec![token_path]].concat();
                Ok(Self { created_files, ..keys })
            }
            _ => Ok(keys),
        }
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

fn read_masters(path: &Path) -> Result<Vec<(KeyEpoch, MasterKey)>, KeyError> {
    let io = |verb| move |source| KeyError::Io { verb, path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(io("inspect"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(io("read"))?;
    let mut masters = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = || KeyError::Malformed { path: path.to_owned(), line: number + 1 };
        let (epoch, key) = line.trim().split_once(' ').ok_or_else(malformed)?;
        let epoch = epoch.parse().map_err(|_| malformed())?;
        let key = unhex(key.trim()).ok_or_else(malformed)?;
        masters.push((KeyEpoch(epoch), MasterKey::new(key)));
    }
    if masters.is_empty() || masters.len() > 2 {
        return Err(KeyError::Malformed { path: path.to_owned(), line: masters.len() + 1 });
    }
    Ok(masters)
}

/// Writes a file that only its owner can read, atomically.
fn write_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let io = |source| KeyError::Io { verb: "write", path: path.to_owned(), source };
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)?;
    debug_assert!(file.metadata().is_ok_and(|it| it.mode() & 0o077 == 0));
    fs::rename(&draft, path).map_err(io)
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
    use super::*;

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
    fn an_exposed_or_damaged_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        CollectorKeys::load(dir.path()).unwrap();
        let path = dir.path().join(MASTER_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = CollectorKeys::load(dir.path()).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode: 0o644, .. }), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in ["", "1", "1 abc", "300 00", &"1 00\n".repeat(3)] {
            fs::write(&path, damaged).unwrap();
            let error = CollectorKeys::load(dir.path()).unwrap_err();
            assert!(matches!(error, KeyError::Malformed { .. }), "{damaged:?}: {error}");
            assert_eq!(error.exit_code(), 4);
        }
    }
}
