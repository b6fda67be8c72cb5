//! Commands about the program itself.

use std::path::PathBuf;
#[cfg(feature = "demo")]
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
#[cfg(feature = "demo")]
use heartline_operator::text::parse_duration;

use crate::completion;

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
    /// Check the config file, and say which way an alert would take
    ///
    /// Errors name file, line and column. What looks wrong in alerts is a warning: a route that nothing reaches, a sink
    /// that no route leads to, and, where the collector answers, what matches none of its agents.
    Check(ConfigCheckArgs),
    /// Write a config file with every setting, commented out
    Init,
    /// Print the settings in force: flags, environment, file and defaults
    Show(ConfigShowArgs),
    /// Print where the config file is, or would be
    Path,
}

/// `config check`
#[derive(Args, Debug, Default)]
pub(crate) struct ConfigCheckArgs {
    /// Explain which routes an alert of this agent takes, who is told, and what keeps it quiet
    #[arg(long, value_name = "NAME", add = completion::agent_names())]
    pub(crate) agent: Option<String>,
    /// The state or reason that it is in, such as stalled [default: unreachable]
    #[arg(long, value_name = "STATE", requires = "agent")]
    pub(crate) state: Option<String>,
    /// The host that it runs on, where the collector does not know it, or another one
    #[arg(long, value_name = "HOST", requires = "agent")]
    pub(crate) host: Option<String>,
    /// Likewise its group
    #[arg(long, value_name = "GROUP", requires = "agent")]
    pub(crate) group: Option<String>,
    /// Likewise a label, as key=value
    #[arg(long, value_name = "KEY=VALUE", requires = "agent", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ConfigCheckArgs {
    /// Returns whether the flags say what the agent is.
    pub(crate) fn says_what_it_is(&self) -> bool {
        self.host.is_some() || self.group.is_some() || !self.label.is_empty()
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected key=value, such as env=test".to_owned()),
    }
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
