//! How a command ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use heartline_operator::FilterError;
use heartline_operator::client::ClientError;

/// What a command found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandExit {
    /// Done, and all is as asked. Exit code 0.
    Good,
    /// Done, but the answer is bad. Exit code 1.
    Bad,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line or the config file can't be meant so.
    #[error("{0}")]
    Usage(String),
    /// A filter that can't be read.
    #[error("--filter:\n{0}")]
    Filter(#[from] FilterError),
    /// There is no collector, or it did not do as asked.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The first connection of a link could not be made.
    #[error("{0}")]
    NoCollector(String),
    /// Nothing was done, because it would not have been what was meant.
    #[error("{0}")]
    NotDone(String),
    /// A file could not be read or written.
    #[error("can't {what} {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something on this machine does not work.
    #[error("can't {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output takes no more. Whoever read it has gone: `head`, or a pager that was quit.
    #[error("can't write to standard output: {0}")]
    Output(io::Error),
}

impl CliError {
    /// Returns [`CliError::Usage`] for an error that names its place.
    pub(crate) fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// Returns the exit code, as `heartline --help` lists them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Filter(_) | Self::Client(ClientError::BadHost { .. }) => {
                ExitCode::from(2)
            }
            Self::Client(error) if error.is_no_collector() => ExitCode::from(3),
            Self::NoCollector(_) => ExitCode::from(3),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }

    /// Whether there is anything to say about it.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl CommandExit {
    /// Bad if this holds.
    pub(crate) fn bad_if(is_bad: bool) -> Self {
        if is_bad { Self::Bad } else { Self::Good }
    }

    /// Returns the exit code, as `heartline --help` lists them.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Good => ExitCode::SUCCESS,
            Self::Bad => ExitCode::from(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::ErrorCode;

    use super::*;

    fn code(failure: &CliError) -> String {
        format!("{:?}", failure.exit_code())
    }

    #[test]
    fn exit_codes_tell_usage_absence_and_refusal_apart() {
        let exit = |n: u8| format!("{:?}", ExitCode::from(n));
        let no_collector = ClientError::NoCollector {
            path: "/s/ctl.sock".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        let refused =
            ClientError::Refused { code: ErrorCode::NotAllowed, message: "look only".into() };
        assert_eq!(code(&CliError::Usage("x".into())), exit(2));
        assert_eq!(code(&no_collector.into()), exit(3));
        assert_eq!(code(&refused.into()), exit(1));
        assert_eq!(code(&CliError::NotDone("x".into())), exit(1));
        let pipe = CliError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((code(&pipe), pipe.is_quiet()), (exit(0), true));
    }
}
