//! Agent ids.

use std::fmt;

use crate::limits::AGENT_MAX;

/// An agent id: 1 to 63 bytes of `[a-z0-9._-]`, of which the first is neither `-` nor `.`
/// (`SPEC.md`, "Agent ids").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(Box<str>);

/// Error of an agent id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("an agent id must not be empty; use 1 to 63 of a-z 0-9 . _ -")]
    Empty,
    /// The text has more than 63 bytes.
    #[error("an agent id has at most 63 bytes, this one has {0}")]
    TooLong(usize),
    /// A byte is not in the alphabet.
    #[error("byte {at} of the agent id ({byte:#04x}) is not one of a-z 0-9 . _ -")]
    BadByte {
        /// Position, counted from 1.
        at: usize,
        /// The invalid byte.
        byte: u8,
    },
    /// It starts with `-`, which commands take for a flag, or with `.`, which file systems hide.
    #[error("an agent id must not start with `{0}`; let it begin with one of a-z 0-9 _")]
    BadStart(char),
}

impl AgentName {
    /// Validates an agent id.
    ///
    /// # Errors
    /// [`NameError`]
    pub fn new(text: &str) -> Result<Self, NameError> {
        check(text.as_bytes()).map(|name| Self(name.into()))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

/// Validates the bytes of an agent id, and returns them as text.
///
/// # Errors
/// [`NameError`]
pub fn check(bytes: &[u8]) -> Result<&str, NameError> {
    if bytes.is_empty() {
        return Err(NameError::Empty);
    }
    if bytes.len() > AGENT_MAX {
        return Err(NameError::TooLong(bytes.len()));
    }
    match bytes.iter().position(|&byte| !is_name_byte(byte)) {
        Some(at) => Err(NameError::BadByte { at: at + 1, byte: bytes[at] }),
        None if matches!(bytes[0], b'-' | b'.') => Err(NameError::BadStart(bytes[0].into())),
        None => Ok(std::str::from_utf8(bytes).expect("the alphabet is ASCII")),
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::ops::Deref for AgentName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
