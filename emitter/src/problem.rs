//! What can be wrong with an emitter.

use std::path::PathBuf;
use std::time::Duration;

use heartline_protocol::{NameError, TokenError};

use crate::engine::OutOfScope;

/// What is wrong, and what to do about it. None of these ever reaches the agent as an error: they
/// are in [`Status::problems`](crate::Status::problems).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// `HEARTLINE_DISABLE` says so.
    #[error("HEARTLINE_DISABLE is set: nothing is sent")]
    Disabled,
    /// The name is no agent id.
    #[error("{name:?} can't be an agent's name: {reason}")]
    BadName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// An agent that it depends on can't exist.
    #[error("the dependency {name:?} is left out: {reason}")]
    BadDependency {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// The interval can't be read.
    #[error(
        "the interval {text:?} is not a whole number and a unit, such as 30s or 500ms; using {used_ms} ms"
    )]
    BadInterval {
        /// The interval as it was given.
        text: String,
        /// What is used instead, in ms.
        used_ms: u32,
    },
    /// The interval is outside of 100 ms to 1 h.
    #[error("the interval of {asked_ms} ms is outside of 100 ms to 1 h; using {used_ms} ms")]
    IntervalOutOfRange {
        /// The interval as it was given, in ms.
        asked_ms: u64,
        /// What is used instead, in ms.
        used_ms: u32,
    },
    /// Texts, labels or dependencies had to be cut or left out.
    #[error("the identity is too large or has characters that can't be shown; it was shortened")]
    IdentityShortened,
    /// There is no token yet; it is looked for again every second.
    #[error("no token at {}: start heartlined as the same user, or set HEARTLINE_TOKEN", path.display())]
    NoToken {
        /// Where it would be.
        path: PathBuf,
    },
    /// No token was given, and no default place for one is known.
    #[error(
        "no token: set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE (neither XDG_STATE_HOME nor HOME is set)"
    )]
    NoTokenPlace,
    /// The file with the token can't be read; it is tried again every second.
    #[error("can't read the token at {}: {reason}", path.display())]
    TokenUnreadable {
        /// Where it is.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// The token is damaged.
    #[error("{0}")]
    BadToken(#[from] TokenError),
    /// The token is for other agents.
    #[error("{0}")]
    OutOfScope(#[from] OutOfScope),
    /// The collector's name can't be resolved.
    #[error("can't find the collector {collector}: {reason}")]
    Unresolved {
        /// `host:port`, as it was given.
        collector: String,
        /// The system's word.
        reason: String,
    },
    /// The socket refused to open, to send or to receive.
    #[error("can't {action} {collector}: {reason}")]
    Link {
        /// `reach`, `send to`, `hear`.
        action: &'static str,
        /// `host:port`, as it was given.
        collector: String,
        /// The system's word.
        reason: String,
    },
    /// Nobody answers.
    #[error(
        "no answer from {collector} for {} s: is heartlined running there, does UDP get through, \
         is the token still valid?", silent.as_secs()
    )]
    Unanswered {
        /// `host:port`, as it was given.
        collector: String,
        /// Since the first message that was not answered.
        silent: Duration,
    },
    /// Answers come, but say that our messages are not live.
    #[error(
        "{collector} answers, but takes none of our beats as live: is another machine replaying, or answering, in its place?"
    )]
    NeverLive {
        /// `host:port`, as it was given.
        collector: String,
    },
    /// The remembered kill can't be read: it counts as none.
    #[error("the remembered state at {} can't be read ({reason}); until the collector is heard this agent works", path.display())]
    MemoryUnreadable {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A kill or resume can't be remembered. It is obeyed all the same.
    #[error("can't remember the desired state at {}: {reason}; a restart would forget it", path.display())]
    MemoryUnwritable {
        /// Where it would be.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// There is no place to remember a kill in.
    #[error(
        "a kill would be forgotten at a restart: set HEARTLINE_STATE_DIR (neither XDG_STATE_HOME nor HOME is set)"
    )]
    NoMemoryPlace,
    /// The sender's thread could not be started.
    #[error("can't start the sender's thread: {0}")]
    NoThread(String),
    /// This process is a fork of the one that started the emitter.
    #[error(
        "this process was forked from the one that started the emitter: start one here, under a name of its own"
    )]
    Forked,
}
