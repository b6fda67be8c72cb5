//! Source of the token.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use heartline_engine::AgentKeys;
use heartline_protocol::{AgentName, Token, TokenChecksum};

use crate::problem::EmitterProblem;

/// Longer than any token.
const LEN_MAX: u64 = 1_024;

/// What a token gives its agent.
pub(crate) struct Credentials {
    pub(crate) keys: AgentKeys,
    pub(crate) fleet: FleetTag,
}

/// Short name of a fleet, to tell its files from those of others: the checksum of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FleetTag(pub(crate) TokenChecksum);

impl fmt::Display for FleetTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Source of the token.
#[derive(Clone)]
pub(crate) enum TokenSource {
    Text(String),
    /// The file may be created later, and may change.
    File(PathBuf),
    /// No token is set, and there is no default path.
    Unknown,
}

impl TokenSource {
    /// Derives the credentials of `agent` from the token as it is now.
    pub(crate) fn credentials(&self, agent: &AgentName) -> Result<Credentials, EmitterProblem> {
        let token = match self {
            Self::Text(text) => Token::decode(text)?,
            Self::File(path) => Token::decode(&read(path)?)?,
            Self::Unknown => return Err(EmitterProblem::NoTokenPath),
        };
        Ok(Credentials { keys: AgentKeys::new(&token, agent)?, fleet: FleetTag(token.checksum()) })
    }

    /// Returns whether a later call may find another token.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

fn read(path: &Path) -> Result<String, EmitterProblem> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LEN_MAX).read_to_string(&mut text))
        .map(|_| text)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EmitterProblem::NoToken { path: path.to_owned() },
            _ => {
                EmitterProblem::TokenUnreadable { path: path.to_owned(), reason: error.to_string() }
            }
        })
}

#[cfg(test)]
mod tests {
    use heartline_protocol::{KeyEpoch, MasterKey, TokenError, TokenScope};

    use super::*;

    fn token(scope: &str) -> String {
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), scope);
        Token { epoch: KeyEpoch(1), scope: TokenScope::new(scope).unwrap(), key }.encode()
    }

    #[test]
    fn a_file_is_read_once_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.token");
        let (source, agent) = (TokenSource::File(path.clone()), AgentName::new("mail").unwrap());
        assert!(matches!(source.credentials(&agent), Err(EmitterProblem::NoToken { .. })));
        std::fs::write(&path, "hl1.half").unwrap();
        assert!(matches!(
            source.credentials(&agent),
            Err(EmitterProblem::BadToken(TokenError::Damaged))
        ));
        std::fs::write(&path, format!("{}\n", token(""))).unwrap();
        assert!(source.credentials(&agent).is_ok());
    }

    #[test]
    fn an_error_names_the_scope_and_not_the_secret() {
        let source = TokenSource::Text(token("mail."));
        let problem = source.credentials(&AgentName::new("mailer").unwrap()).err().unwrap();
        assert!(problem.to_string().contains("\"mail.\""), "{problem}");
        assert!(!problem.to_string().contains(&token("mail.")[4..]));
    }
}
