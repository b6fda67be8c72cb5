//! `heartlined` on the command line: raw arguments, and the configuration that they resolve to.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use heartline_operator::{Directories, Given};

use crate::config::{Config, ConfigError, FileConfig, Overrides};

/// Receives the heartbeats of AI agents, judges them, remembers, and answers operators.
#[derive(Clone, Debug, Parser)]
#[command(name = "heartlined", version, about, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to run with.
    #[command(flatten)]
    pub run: RunArgs,
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<ArgsCommand>,
}

/// What to run with.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RunArgs {
    /// Config file (TOML)
    #[arg(long, value_name = "FILE", env = "HEARTLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address to receive heartbeats on; may be repeated [default: 127.0.0.1:4327]
    #[arg(long, value_name = "ADDR:PORT", env = "HEARTLINE_LISTEN", value_delimiter = ',')]
    pub listen: Vec<String>,
    /// Where keys and databases are [default: ~/.local/state/heartline]
    #[arg(long, value_name = "DIR", env = "HEARTLINE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the operators' sockets are
    #[arg(long, value_name = "DIR", env = "HEARTLINE_SOCKET_DIR")]
    pub socket_dir: Option<PathBuf>,
    /// How the log on standard error looks
    #[arg(long, value_name = "FORMAT", env = "HEARTLINE_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Say more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// What to do instead of running.
#[derive(Clone, Debug, Subcommand)]
pub enum ArgsCommand {
    /// Check the config file and say what it comes to
    Check {
        /// Config file (TOML)
        #[arg(long, value_name = "FILE", env = "HEARTLINE_CONFIG")]
        config: Option<PathBuf>,
    },
}

impl RunArgs {
    /// What flags, environment and file come to.
    ///
    /// # Errors
    /// [`ConfigError`]: exit code 2.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => FileConfig::read(path)?,
            None => FileConfig::default(),
        };
        let data = self.data_dir.as_deref().or(file.data_dir.as_deref());
        let sockets = self.socket_dir.as_deref().or(file.socket_dir.as_deref());
        let environment = |name: &str| std::env::var_os(name);
        let directories = Directories::resolve(Given { data, sockets }, environment)
            .map_err(|error| ConfigError::NoDirectory(error.to_string()))?;
        let overrides = Overrides { listen: self.listen.clone(), ..Overrides::default() };
        file.resolve(&overrides, (directories.data, directories.sockets))
    }
}
