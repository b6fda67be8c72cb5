//! Commands about the program itself.

use std::path::PathBuf;
#[cfg(feature = "demo")]
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
#[cfg(feature = "demo")]
use heartline_operator::text::parse_duration;

/// `demo`
#[cfg(feature = "demo")]
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoRunArgs {
    /// Without the terminal app: print what happens, a line each
    #[arg(long)]
    pub(crate) headless: bool,
    /// Stop after this time [default: 60s with --headless, else never]
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub(crate) lasting: Option<Duration>,
    /// How many agents
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u16).range(8..=200))]
    pub(crate) agents: u16,
}

/// `doctor`
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Check that the token covers this agent, too
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the config file; errors name file, line and column
    Check,
    /// Write a config file with every setting, commented out
    Init,
    /// Print the settings in force: flags, environment, file and defaults
    Show(ConfigShowArgs),
    /// Print where the config file is, or would be
    Path,
}

/// `config show`
#[derive(Args, Debug)]
pub(crate) struct ConfigShowArgs {
    /// Only this part
    #[arg(value_enum)]
    pub(crate) section: Option<ConfigSection>,
}

/// A part of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigSection {
    /// The keys of the terminal app, by command.
    Keys,
}

/// `completions`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

/// `man`
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write the page of every command to this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}
