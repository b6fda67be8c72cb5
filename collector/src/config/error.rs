//! Why there is no configuration to run with.

use std::path::PathBuf;

/// Why there is no configuration to run with. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the config file {path}: {source}; expected a TOML file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what is expected; names the line and what was expected.
    #[error("{path}, line {line}, column {column}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// A value is out of its range.
    #[error("{0}")]
    BadValue(String),
    /// There is no home to keep data in.
    #[error("{0}")]
    NoDirectory(String),
}
