//! Exit codes and errors of commands.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use heartline_operator::FilterError;
use heartline_operator::client::ClientError;
use heartline_operator::time::TimeError;

/// The exit of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandExit {
    /// Exit code 0.
    Success,
    /// The answer is bad. Exit code 1.
    Negative,
    /// The exit code of a program that was run.
    Program(u8),
}

/// The error of a command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line or the config file is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("--filter:\n{0}")]
    Filter(#[from] FilterError),
    #[error("{flags}: {error}")]
    Time { flags: &'static str, error: TimeError },
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The first connection of a link could not be made.
    #[error("{0}")]
    NoCollector(String),
    /// The command was refused or not confirmed, and nothing was done.
    #[error("{0}")]
    NotDone(String),
    #[error("can't {what} {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("can't {what}: {source}")]
    System { what: &'static str, source: io::Error },
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
            Self::Usage(_)
            | Self::Filter(_)
            | Self::Time { .. }
            | Self::Client(ClientError::BadHost { .. }) => ExitCode::from(2),
            Self::Client(error) if error.is_no_collector() => ExitCode::from(3),
            Self::NoCollector(_) => ExitCode::from(3),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }

    /// Returns true when the reader closed the pipe, as `head` and pagers do.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl CommandExit {
    pub(crate) fn negative_if(is_negative: bool) -> Self {
        if is_negative { Self::Negative } else { Self::Success }
    }

    /// Returns the exit code, as `heartline --help` lists them.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Success => ExitCode::SUCCESS,
            Self::Negative => ExitCode::from(1),
            Self::Program(code) => ExitCode::from(code),
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
