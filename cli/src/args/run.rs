//! `heartline run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use heartline_operator::text::parse_duration;

/// `run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The agent's id [default: the name of the program]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// The group that it is one of many of
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// A label to filter and group by; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_label)]
    pub(crate) label: Vec<(String, String)>,
    /// Time between beats [env: HEARTLINE_INTERVAL] [default: 30s]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub(crate) interval: Option<Duration>,
    /// What follows the end of the program
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnExit::Stay)]
    pub(crate) on_exit: OnExit,
    /// Count it as stalled after this time without output
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub(crate) stall_after: Option<Duration>,
    /// A file that the program touches while it makes progress, in place of output
    #[arg(long, value_name = "FILE", requires = "stall_after", value_hint = ValueHint::FilePath)]
    pub(crate) progress_file: Option<PathBuf>,
    /// Time between SIGTERM and SIGKILL when the agent is killed
    #[arg(long, value_name = "DUR", value_parser = parse_duration, default_value = "10s")]
    pub(crate) kill_grace: Duration,
    /// Report the last lines of standard error with a crash
    #[arg(long)]
    pub(crate) report_stderr: bool,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// What follows the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExit {
    /// This command ends with it, and passes its exit code on
    Stay,
    /// It is started again, after 1 s that double up to 1 min
    Restart,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
