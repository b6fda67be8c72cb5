//! Problems of an emitter.

use std::path::PathBuf;
use std::time::Duration;

use heartline_engine::{AddressError, OutOfScopeError};
use heartline_protocol::{NameError, TokenError};

/// Problem of an emitter; its text says what to do. None reaches the agent as an error: they are in
/// [`EmitterStatus::problems`](crate::EmitterStatus::problems).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitterProblem {
    /// `HEARTLINE_DISABLE` is set.
    #[error("HEARTLINE_DISABLE is set: nothing is sent")]
    Disabled,
    /// The name is not a valid agent id.
    #[error("{name:?} can't be an agent's name: {reason}")]
    BadName {
        /// Name asked for.
        name: String,
        /// Reason why it is invalid.
        reason: NameError,
    },
    /// The name of a dependency is not a valid agent id.
    #[error("the dependency {name:?} is left out: {reason}")]
    BadDependency {
        /// Name asked for.
        name: String,
        /// Reason why it is invalid.
        reason: NameError,
    },
    /// A collector's address is left out.
    #[error("{0}")]
    BadCollector(#[from] AddressError),
    /// The interval can't be parsed.
    #[error(
        "the interval {text:?} is not a whole number and a unit, such as 30s or 500ms; using {used_ms} ms"
    )]
    BadInterval {
        /// Text of the interval.
        text: String,
        /// Interval in use, in ms.
        used_ms: u32,
    },
    /// The interval is outside of 100 ms to 1 h.
    #[error("the interval of {asked_ms} ms is outside of 100 ms to 1 h; using {used_ms} ms")]
    IntervalOutOfRange {
        /// Interval asked for, in ms.
        asked_ms: u64,
        /// Interval in use, in ms.
        used_ms: u32,
    },
    /// The time until a stall is none.
    #[error("the stall_after of 0 ms is no time; using the collector's setting")]
    BadStallAfter,
    /// The time until a stall is outside of 1 s to 720 h.
    #[error("the stall_after of {asked_ms} ms is outside of 1 s to 720 h; using {used_ms} ms")]
    StallAfterOutOfRange {
        /// Time asked for, in ms.
        asked_ms: u64,
        /// Time in use, in ms.
        used_ms: u32,
    },
    /// Texts, labels or dependencies were cut or dropped.
    #[error("the identity is too large or has characters that can't be shown; it was shortened")]
    IdentityShortened,
    /// There is no token yet; it is read again every second.
    #[error("no token at {}: start heartlined as the same user, or set HEARTLINE_TOKEN", path.display())]
    NoToken {
        /// Path of the token.
        path: PathBuf,
    },
    /// No token was given, and there is no default path.
    #[error(
        "no token: set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE (neither XDG_STATE_HOME nor HOME is set)"
    )]
    NoTokenPath,
    /// The token file can't be read; it is tried again every second.
    #[error("can't read the token at {}: {reason}", path.display())]
    TokenUnreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        reason: String,
    },
    /// The token is damaged.
    #[error("{0}")]
    BadToken(#[from] TokenError),
    /// The token is for other agents.
    #[error("{0}")]
    OutOfScope(#[from] OutOfScopeError),
    /// The collector's name can't be resolved.
    #[error("can't find the collector {collector}: {reason}")]
    Unresolved {
        /// `host:port` of the collector.
        collector: String,
        /// Error of the system.
        reason: String,
    },
    /// The socket can't be opened, or can't send or receive.
    #[error("can't {action} {collector}: {reason}")]
    Socket {
        /// `reach`, `send to` or `receive from`.
        action: &'static str,
        /// `host:port` of the collector.
        collector: String,
        /// Error of the system.
        reason: String,
    },
    /// The collector does not answer.
    #[error(
        "no answer from {collector} for {} s: is heartlined running there, does UDP get through, \
         is the token still valid?", silent.as_secs()
    )]
    Unanswered {
        /// `host:port` of the collector.
        collector: String,
        /// Time since the first message that was not answered.
        silent: Duration,
    },
    /// The collector answers, but takes no message as live.
    #[error(
        "{collector} answers, but takes none of our beats as live: is another machine replaying, or answering, in its place?"
    )]
    NeverConfirmed {
        /// `host:port` of the collector.
        collector: String,
    },
    /// The stored state can't be read; it counts as not killed.
    #[error("can't read the desired state at {}: {reason}; until the collector answers, the agent runs", path.display())]
    StateUnreadable {
        /// Path of the file.
        path: PathBuf,
        /// Reason why it can't be read.
        reason: String,
    },
    /// A kill is stored that does not say of which fleet. It holds, as it may be of this one.
    #[error("the agent is killed by {}, which does not say of which fleet: resume it; if the kill is of another fleet, remove the file", path.display())]
    UnattributedKill {
        /// Path of the file.
        path: PathBuf,
    },
    /// A kill or resume can't be stored. It is applied all the same.
    #[error("can't store the desired state at {}: {reason}; it would be lost at a restart", path.display())]
    StateUnwritable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        reason: String,
    },
    /// There is no directory to store a kill in.
    #[error(
        "a kill would be lost at a restart: set HEARTLINE_STATE_DIR (neither XDG_STATE_HOME nor HOME is set)"
    )]
    NoStateDir,
    /// The sender's thread could not be started.
    #[error("can't start the sender's thread: {0}")]
    ThreadNotStarted(String),
    /// The sender's thread has failed, by a bug of this crate.
    #[error("the emitter has failed: nothing is sent any more; please report this")]
    SenderFailed,
    /// This process is a fork of the one that started the emitter.
    #[error(
        "this process was forked from the one that started the emitter, and its work is not counted: start one here, under a name of its own"
    )]
    Forked,
}
