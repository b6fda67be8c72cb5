//! Secrets, and the places that they are read from.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// Longest secret, in bytes. It also ends the reading of a device.
const LENGTH_MAX: u64 = 8 << 10;

/// Characters of a secret URL that are shown: enough to tell two apart.
const SHOWN_TAIL: usize = 4;

/// Shortest path of a URL whose end is shown.
const SHOWN_PATH_MIN: usize = 12;

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// It stands in the config file itself.
    Inline(Secret),
    File(PathBuf),
    Variable(String),
}

/// A secret that can't be had. Says where it was to come from, and nothing of what is there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "can't read {path}, the {setting} of {owner}: {source}; the collector's user must be able to \
         read it"
    )]
    Unreadable { owner: String, setting: &'static str, path: PathBuf, source: io::Error },
    #[error("the environment variable {variable}, the {setting} of {owner}, is not set")]
    Unset { owner: String, setting: &'static str, variable: String },
    #[error("{place}, the {setting} of {owner}: expected {expected}")]
    Malformed { owner: String, setting: &'static str, place: String, expected: &'static str },
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the value, to be sent and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the value as the URL that it is, without what makes it one: `https://host/…3kJ9`.
    pub fn redacted_url(&self) -> String {
        redacted_url(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SecretSource {
    /// Reads the secret for this setting of its owner, such as `sink "ops"`, without the blanks around it.
    ///
    /// # Errors
    /// [`SecretError`].
    pub(crate) fn read(
        &self,
        owner: &str,
        setting: &'static str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Secret, SecretError> {
        let malformed = |expected| SecretError::Malformed {
            owner: owner.to_owned(),
            setting,
            place: self.to_string(),
            expected,
        };
        let bytes = match self {
            Self::Inline(secret) => return Ok(secret.clone()),
            Self::File(path) => {
                let mut bytes = Vec::new();
                let read = |file: File| file.take(LENGTH_MAX + 1).read_to_end(&mut bytes);
                File::open(path).and_then(read).map_err(|source| SecretError::Unreadable {
                    owner: owner.to_owned(),
                    setting,
                    path: path.clone(),
                    source,
                })?;
                bytes
            }
            Self::Variable(name) => variable(name)
                .ok_or_else(|| SecretError::Unset {
                    owner: owner.to_owned(),
                    setting,
                    variable: name.clone(),
                })?
                .into_encoded_bytes(),
        };
        if bytes.len() as u64 > LENGTH_MAX {
            return Err(malformed("at most 8 KiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| malformed("UTF-8"))?;
        match text.trim() {
            "" => Err(malformed("a value; there is none")),
            text => Ok(Secret::new(text)),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("the config file"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// Returns a URL with scheme, host, and the last characters of a long path: what follows a host may be
/// a credential, and what precedes it, too.
fn redacted_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_bare = path.trim_end_matches('/').is_empty() && !authority.contains('@');
    let count = path.chars().count();
    match (is_bare, count >= SHOWN_PATH_MIN) {
        (true, _) => format!("{scheme}://{host}"),
        (false, true) => {
            let tail: String = path.chars().skip(count - SHOWN_TAIL).collect();
            format!("{scheme}://{host}/…{tail}")
        }
        (false, false) => format!("{scheme}://{host}/…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_scheme_host_and_end_are_shown() {
        let table = [
            (
                "https://hooks.slack.com/services/T0/B0/abcdefgh1234",
                "https://hooks.slack.com/…1234",
            ),
            ("https://user:pass@am.example:9093/", "https://am.example:9093/…"),
            ("http://am.example:9093", "http://am.example:9093"),
            ("http://am.example:9093/", "http://am.example:9093"),
            ("http://h/short", "http://h/…"),
            ("https://h?token=abcdefghijkl", "https://h/…ijkl"),
            ("nonsense", "…"),
        ];
        for (url, shown) in table {
            assert_eq!(redacted_url(url), shown);
        }
        assert_eq!(format!("{:?}", Secret::new("key")), "Secret(…)");
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_by_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let read = |source: &SecretSource| {
            let variable = |name: &str| (name == "KEY").then(|| OsString::from(" v \n"));
            source.read("sink \"ops\"", "key", variable)
        };
        let file = SecretSource::File(path.clone());
        let error = |source: &SecretSource| read(source).unwrap_err().to_string();
        assert!(error(&file).contains("/key, the key of sink \"ops\": No such file"));
        std::fs::write(&path, " \n").unwrap();
        assert!(error(&file).ends_with("expected a value; there is none"), "{}", error(&file));
        std::fs::write(&path, b"hidden\xff").unwrap();
        assert!(error(&file).ends_with("expected UTF-8") && !error(&file).contains("hidden"));
        std::fs::write(&path, "x".repeat(9_000)).unwrap();
        assert!(error(&file).ends_with("at most 8 KiB"));
        std::fs::write(&path, "value\n").unwrap();
        assert_eq!(read(&file).unwrap().expose(), "value");
        assert_eq!(read(&SecretSource::Variable("KEY".into())).unwrap().expose(), "v");
        let unset = error(&SecretSource::Variable("NONE".into()));
        assert_eq!(unset, "the environment variable NONE, the key of sink \"ops\", is not set");
    }
}
