//! Keys and tokens (`SPEC.md`, "Keys").
//!
//! ```text
//! master key ──scope──▶ scope key ──direction, agent id──▶ agent key
//!                         └─ in a token
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hkdf, hmac};

use crate::limits::AGENT_MAX;
use crate::name::{self, NameError};

/// Epoch of a master key: two may be valid at once, so that one can be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyEpoch(pub u8);

/// Direction of a message. Keys differ by direction, so that no message can be reflected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Agent to collector.
    Up = 0,
    /// Collector to agent.
    Down = 1,
}

/// Scope of a token: one agent id (`mail`), all ids with a prefix that ends in a dot (`mail.`), or
/// all ids (empty).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenScope(Box<str>);

impl TokenScope {
    /// Validates a scope.
    ///
    /// # Errors
    /// [`NameError`] when it is neither an agent id nor a prefix of one.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if !text.is_empty() {
            name::check(text.as_bytes())?;
        }
        Ok(Self(text.into()))
    }

    /// Returns the scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the scope covers `agent`.
    pub fn covers(&self, agent: &str) -> bool {
        agent.starts_with(&*self.0) && is_boundary(agent, self.0.len())
    }
}

/// Returns whether the first `len` bytes of `agent` are a scope that covers it. Without this rule
/// the token of `mail` would also be valid for `mailer`.
pub fn is_boundary(agent: &str, len: usize) -> bool {
    len == 0 || len == agent.len() || (len < agent.len() && agent.as_bytes()[len - 1] == b'.')
}

/// The collector's secret, from which all keys are derived: 32 random bytes.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// Secret of one scope: 32 bytes.
#[derive(Clone)]
pub struct ScopeKey([u8; 32]);

/// Secret of one agent in one direction, ready to sign and to verify.
#[derive(Clone)]
pub struct AgentKey(hmac::Key);

impl MasterKey {
    /// Creates a key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Derives a scope's key:
    /// `HKDF-SHA256(salt = "heartline/1 scope", ikm = master, info = epoch ‖ scope)`, 32 bytes.
    pub fn scope_key(&self, epoch: KeyEpoch, scope: &str) -> ScopeKey {
        ScopeKey(derive(b"heartline/1 scope", &self.0, &[&[epoch.0], scope.as_bytes()]))
    }
}

impl ScopeKey {
    /// Creates a key of the bytes in a token.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Derives the bytes of an agent's key:
    /// `HKDF-SHA256(salt = "heartline/1 agent", ikm = scope key, info = direction ‖ agent id)`.
    pub fn agent_key_bytes(&self, direction: Direction, agent: &str) -> [u8; 32] {
        derive(b"heartline/1 agent", &self.0, &[&[direction as u8], agent.as_bytes()])
    }

    /// Derives the agent's key in one direction.
    pub fn agent_key(&self, direction: Direction, agent: &str) -> AgentKey {
        AgentKey::new(&self.agent_key_bytes(direction, agent))
    }
}

impl AgentKey {
    /// Prepares a key for HMAC, at the price of two SHA-256 blocks.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, bytes);
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }

    pub(crate) fn verify(&self, bytes: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, bytes, tag).is_ok()
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .expect("HKDF can derive 32 bytes");
    out
}

/// Credential of an agent: as text, `hl1.` and the unpadded URL-safe base64 of `epoch (1) ‖ scope
/// length (1) ‖ scope ‖ scope key (32) ‖ checksum (4)`. The checksum is the start of the SHA-256 of
/// all before it, and detects a token that was copied badly.
#[derive(Clone)]
pub struct Token {
    /// Epoch of the master key.
    pub epoch: KeyEpoch,
    /// Scope of the token.
    pub scope: TokenScope,
    /// Secret of the scope.
    pub key: ScopeKey,
}

/// Error of a token. No variant repeats any part of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text does not start with `hl1.`.
    #[error("a token starts with \"hl1.\"; make one with `heartline token`")]
    NotAToken,
    /// The base64, a length or the checksum is wrong.
    #[error("the token is damaged (cut off or mistyped); copy it again from `heartline token`")]
    Damaged,
    /// The scope is neither an agent id nor a prefix of one.
    #[error("the token's scope is not valid: {0}")]
    BadScope(NameError),
}

const TOKEN_PREFIX: &str = "hl1.";
const CHECKSUM_LEN: usize = 4;

/// First bytes of the SHA-256 of a token's other bytes.
pub type TokenChecksum = [u8; CHECKSUM_LEN];

impl Token {
    /// Encodes the token as text.
    pub fn encode(&self) -> String {
        let mut bytes = self.covered_bytes();
        bytes.extend_from_slice(&checksum(&bytes));
        format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns the checksum that the token ends with, which tells it from others.
    pub fn checksum(&self) -> TokenChecksum {
        checksum(&self.covered_bytes())
    }

    /// Returns the bytes that the checksum covers.
    fn covered_bytes(&self) -> Vec<u8> {
        let scope = self.scope.as_str().as_bytes();
        let mut bytes = vec![self.epoch.0, scope.len() as u8];
        bytes.extend_from_slice(scope);
        bytes.extend_from_slice(self.key.as_bytes());
        bytes
    }

    /// Decodes a token; white space around it is ignored.
    ///
    /// # Errors
    /// [`TokenError`], without any part of the secret.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let encoded = text.trim().strip_prefix(TOKEN_PREFIX).ok_or(TokenError::NotAToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
        let [epoch, scope_len, rest @ ..] = bytes.as_slice() else {
            return Err(TokenError::Damaged);
        };
        let scope_len = usize::from(*scope_len);
        if scope_len > AGENT_MAX || rest.len() != scope_len + 32 + CHECKSUM_LEN {
            return Err(TokenError::Damaged);
        }
        let (covered, found) = bytes.split_at(bytes.len() - CHECKSUM_LEN);
        // It detects typos and authenticates nothing, so it need not run in constant time.
        if checksum(covered) != *found {
            return Err(TokenError::Damaged);
        }
        let scope = std::str::from_utf8(&rest[..scope_len]).map_err(|_| TokenError::Damaged)?;
        let key = rest[scope_len..scope_len + 32].try_into().expect("the length was checked");
        Ok(Self {
            epoch: KeyEpoch(*epoch),
            scope: TokenScope::new(scope).map_err(TokenError::BadScope)?,
            key: ScopeKey(key),
        })
    }
}

fn checksum(covered: &[u8]) -> TokenChecksum {
    let digest = digest::digest(&digest::SHA256, covered);
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

macro_rules! redact_debug {
    ($($secret:ident),*) => {$(
        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($secret), "(secret)"))
            }
        }
    )*};
}
redact_debug!(MasterKey, ScopeKey, AgentKey, Token);

#[cfg(test)]
mod tests {
    use super::*;

    fn token(scope: &str) -> Token {
        let master = MasterKey::new([7; 32]);
        let key = master.scope_key(KeyEpoch(1), scope);
        Token { epoch: KeyEpoch(1), scope: TokenScope::new(scope).unwrap(), key }
    }

    #[test]
    fn a_token_survives_its_text_and_not_a_typo() {
        for scope in ["", "mail", "mail."] {
            let text = token(scope).encode();
            let back = Token::decode(&format!(" {text}\n")).unwrap();
            assert_eq!(back.scope.as_str(), scope);
            assert_eq!(back.key.as_bytes(), token(scope).key.as_bytes());
            for at in TOKEN_PREFIX.len()..text.len() {
                let mut typo = text.clone().into_bytes();
                typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
                let typo = String::from_utf8(typo).unwrap();
                assert!(Token::decode(&typo).is_err(), "typo at {at} went unnoticed");
            }
        }
    }

    #[test]
    fn a_scope_covers_only_its_own() {
        let covers = |scope: &str, agent| TokenScope::new(scope).unwrap().covers(agent);
        assert!(covers("", "mail") && covers("mail", "mail") && covers("mail.", "mail.3"));
        assert!(!covers("mail", "mailer") && !covers("mail", "mail.3") && !covers("mail.", "mail"));
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", token("mail")), "Token(secret)");
    }
}
