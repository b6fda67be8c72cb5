//! `heartline export`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use heartline_operator::text::parse_duration;

use crate::completion;

/// What stands below the flags.
const TIMES: &str = "\
Times are those of `heartline events --help`, a duration with its sign: -2h. They are in UTC unless
they end with an offset.";

/// `export`
#[derive(Args, Debug)]
#[command(after_help = TIMES)]
pub(crate) struct ExportArgs {
    /// What: events, outages or rollups; with --incident the file to be written
    #[arg(value_name = "WHAT", add = completion::export_tables())]
    pub(crate) what: String,
    /// Write one file with all that is known of the range, for `heartline --open`
    ///
    /// It has events, outages, notes, sessions and work, of every agent, and no keys and no tokens. What is in it
    /// is listed before it is written.
    #[arg(long, conflicts_with_all = ["format", "output", "agent", "filter", "step"])]
    pub(crate) incident: bool,
    /// Replace names, hosts, labels and texts in it by words that stand for them
    #[arg(long, requires = "incident")]
    pub(crate) redact: bool,
    /// Do not ask before it is written
    #[arg(long, short, requires = "incident")]
    pub(crate) yes: bool,
    /// From A to B: 14:05..14:20, -2h..-1h, yesterday..today, or 14:05/15m; first..now is everything
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(crate) between: String,
    /// The format: a JSON object a line, or CSV with a line of titles
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// Write to this file, which only you can read, as a whole or not at all [default: standard output]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Only this agent
    #[arg(long, value_name = "NAME", add = completion::agent_names())]
    pub(crate) agent: Option<String>,
    /// Only events or outages that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
    /// Length of a rollup: whole minutes that divide a day, or days [default: 1h]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub(crate) step: Option<Duration>,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportTable {
    /// Transitions, commands, starts, and time not observed
    Events,
    /// Outages that overlap the range
    Outages,
    /// What each agent did, and in which states it was, step by step
    Rollups,
}

impl FromStr for ExportTable {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "events" => Ok(Self::Events),
            "outages" => Ok(Self::Outages),
            "rollups" => Ok(Self::Rollups),
            _ => Err("expected events, outages or rollups, or --incident and the name of a file"),
        }
    }
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Jsonl,
    Csv,
}
