//! Where the token comes from.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use heartline_protocol::{AgentName, Token};

use crate::engine::Keys;
use crate::problem::Problem;

/// Longer than any token.
const LEN_MAX: u64 = 1_024;

/// Where the token comes from.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// It was given as text.
    Text(String),
    /// It is in a file, which may come later, and may change.
    File(PathBuf),
    /// No token was given, and there is no default place.
    Nowhere,
}

impl TokenSource {
    /// The keys of `agent` by the token as it is now.
    pub(crate) fn keys(&self, agent: &AgentName) -> Result<Keys, Problem> {
        let token = match self {
            Self::Text(text) => Token::decode(text)?,
            Self::File(path) => Token::decode(&read(path)?)?,
            Self::Nowhere => return Err(Problem::NoTokenPlace),
        };
        Ok(Keys::new(&token, agent)?)
    }

    /// Whether looking again later may find something else.
    pub(crate) fn may_change(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LEN_MAX).read_to_string(&mut text))
        .map(|_| text)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Problem::NoToken { path: path.to_owned() },
            _ => Problem::TokenUnreadable { path: path.to_owned(), reason: error.to_string() },
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
    fn a_file_is_read_once_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.token");
        let (source, agent) = (TokenSource::File(path.clone()), AgentName::new("mail").unwrap());
        assert!(matches!(source.keys(&agent), Err(Problem::NoToken { .. })));
        std::fs::write(&path, "hl1.half").unwrap();
        assert!(matches!(source.keys(&agent), Err(Problem::BadToken(TokenError::Damaged))));
        std::fs::write(&path, format!("{}\n", token(""))).unwrap();
        assert!(source.keys(&agent).is_ok());
    }

    #[test]
    fn a_token_for_somebody_else_says_so_and_not_its_secret() {
        let source = TokenSource::Text(token("mail."));
        let problem = source.keys(&AgentName::new("mailer").unwrap()).unwrap_err();
        assert!(problem.to_string().contains("\"mail.\""), "{problem}");
        assert!(!problem.to_string().contains(&token("mail.")[4..]));
    }
}
