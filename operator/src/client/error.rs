//! What can go wrong between an operator and a collector.

use std::path::PathBuf;
use std::time::Duration;

use crate::frame::FrameError;
use crate::message::{ErrorCode, VERSION};

/// What is asked first, as errors name it.
pub(super) const GREETING: &str = "the greeting";

/// Why the collector was not reached, or did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no collector answers on {}: start `heartlined`, or pass --socket-dir ({source})",
        path.display()
    )]
    NoCollector {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket is there, but not for this user.
    #[error(
        "{} may not be opened by this user: ask to be named in the collector's [access]",
        path.display()
    )]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// ssh did not start.
    #[error("can't run {}: {source}", program.display())]
    NoSsh {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// This would be read as an option by ssh.
    #[error("\"{host}\" is no host name: it must not be empty or start with a dash")]
    BadHost {
        /// What was given.
        host: String,
    },
    /// Collector and client are of different versions.
    #[error("{}", explain_version(*theirs))]
    Version {
        /// [`VERSION`] of the collector, if it could be read.
        theirs: Option<u16>,
    },
    /// The collector refused the request; the connection goes on.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: ErrorCode,
        /// What was wrong and what to do.
        message: String,
    },
    /// No answer in time.
    #[error("the collector did not answer {what} within {} s", waited.as_secs_f32())]
    TimedOut {
        /// What was asked.
        what: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// Nothing came through ssh in time.
    #[error(
        "nothing came through ssh from {host} within {} s{}: check that the host is up, that \
         `ssh {host}` logs in, and that `heartline` is in the PATH there",
        waited.as_secs(), said.as_ref().map_or_else(String::new, |said| format!(" (ssh says: {said})"))
    )]
    SshSilent {
        /// The host.
        host: String,
        /// How long was waited.
        waited: Duration,
        /// What ssh said so far.
        said: Option<String>,
    },
    /// The connection ended.
    #[error("the connection to the collector ended: {why}")]
    Closed {
        /// Why, as far as it is known.
        why: String,
    },
    /// What came is not what the protocol allows there.
    #[error("the collector sent an unexpected answer to {what}")]
    Unexpected {
        /// What was asked.
        what: &'static str,
    },
    /// The request does not fit a frame.
    #[error("the request can't be sent: {0}")]
    Frame(#[from] FrameError),
    /// Too many requests wait for their answer.
    #[error("{limit} requests are under way already; wait for one to be answered")]
    Busy {
        /// The limit.
        limit: usize,
    },
}

impl ClientError {
    /// Whether there is no collector to talk to (exit code 3), as opposed to one that refused.
    #[must_use]
    pub fn is_no_collector(&self) -> bool {
        matches!(
            self,
            Self::NoCollector { .. }
                | Self::NotPermitted { .. }
                | Self::NoSsh { .. }
                | Self::Version { .. }
                | Self::Closed { .. }
                | Self::SshSilent { .. }
                | Self::TimedOut { what: GREETING, .. }
        )
    }
}

fn explain_version(theirs: Option<u16>) -> String {
    let (who, what) = match theirs {
        Some(theirs) if theirs > VERSION => (format!("version {theirs}"), "upgrade `heartline`"),
        Some(theirs) => (format!("version {theirs}"), "upgrade `heartlined`"),
        None => ("another version".into(), "upgrade the older of `heartline` and `heartlined`"),
    };
    format!("the collector speaks {who} of the operators' protocol and this is {VERSION}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_error_names_the_side_to_upgrade() {
        let text = |theirs| ClientError::Version { theirs }.to_string();
        assert!(text(Some(VERSION + 1)).ends_with("upgrade `heartline`"));
        assert!(text(Some(0)).ends_with("upgrade `heartlined`"));
    }
}
