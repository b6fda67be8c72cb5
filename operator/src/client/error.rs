//! The errors between an operator and a collector.

use std::path::PathBuf;
use std::time::Duration;

use crate::frame::FrameError;
use crate::message::{ErrorCode, VERSION};

/// The first request, as errors name it.
pub(super) const GREETING: &str = "the greeting";

/// Why the collector was not reached, or refused a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the socket.
    #[error(
        "no collector answers on {}: start `heartlined`, or pass --socket-dir ({source})",
        path.display()
    )]
    NoCollector { path: PathBuf, source: std::io::Error },
    /// The socket's permissions exclude this user.
    #[error(
        "{} may not be opened by this user: ask to be named in the collector's [access]",
        path.display()
    )]
    NotPermitted { path: PathBuf },
    #[error("can't run {}: {source}", program.display())]
    NoSsh { program: PathBuf, source: std::io::Error },
    /// ssh would read it as an option.
    #[error("\"{host}\" is not a host name: it must not be empty or start with a dash")]
    BadHost { host: String },
    #[error("{}", explain_version(*theirs))]
    Version {
        /// [`VERSION`] of the collector, if it could be read.
        theirs: Option<u16>,
    },
    /// The collector refused the request; the connection goes on.
    #[error("{message}")]
    Refused {
        code: ErrorCode,
        /// What was wrong and what to do.
        message: String,
    },
    #[error("the collector did not answer {what} within {} s", waited.as_secs_f32())]
    TimedOut { what: &'static str, waited: Duration },
    #[error(
        "nothing came through ssh from {host} within {} s{}: check that the host is up, that \
         `ssh {host}` logs in, and that `heartline` is in the PATH there",
        waited.as_secs(), said.as_ref().map_or_else(String::new, |said| format!(" (ssh says: {said})"))
    )]
    SshSilent {
        host: String,
        waited: Duration,
        /// What ssh printed so far.
        said: Option<String>,
    },
    #[error("the connection to the collector ended: {why}")]
    Closed { why: String },
    /// The protocol allows no such reply there.
    #[error("the collector sent an unexpected answer to {what}")]
    Unexpected { what: &'static str },
    /// The request does not fit a frame.
    #[error("the request can't be sent: {0}")]
    Frame(#[from] FrameError),
    #[error("{limit} requests are in flight already; wait for one to be answered")]
    Busy { limit: usize },
}

impl ClientError {
    /// Returns true when no collector was reached (exit code 3), as opposed to one that refused.
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
