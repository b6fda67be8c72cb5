//! Commands that look at the fleet.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use heartline_operator::text::parse_duration;
use heartline_vocabulary::State;

use crate::completion;

/// `tui`
#[derive(Args, Debug, Default)]
pub(crate) struct TuiArgs {
    /// Only agents that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// `status`
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// As it was at this time: -2h, 14:05, yesterday 14:05, 2026-11-20 14:05, in UTC
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Only agents that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
    /// Exit with 1 if an agent that is shown is in one of these states; `collector`: if the collector warns
    /// of something, or had a gap in the last five minutes
    #[arg(
        long, value_name = "STATE,…", value_delimiter = ',', value_parser = parse_failure,
        add = completion::failures()
    )]
    pub(crate) fail_on: Vec<Failure>,
}

/// What a command is to fail for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An agent in this state.
    State(State),
    /// Trouble of the collector itself.
    Collector,
}

/// The word for [`Failure::Collector`].
pub(crate) const COLLECTOR: &str = "collector";

impl StatusArgs {
    /// Returns whether an agent in this state is a failure.
    pub(crate) fn fails_on(&self, state: State) -> bool {
        self.fail_on.contains(&Failure::State(state))
    }

    /// Returns whether trouble of the collector is a failure.
    pub(crate) fn fails_on_collector(&self) -> bool {
        self.fail_on.contains(&Failure::Collector)
    }
}

/// `agent`
#[derive(Args, Debug)]
pub(crate) struct AgentArgs {
    /// The agent's id
    #[arg(add = completion::agent_names())]
    pub(crate) name: String,
    /// As it was at this time: -2h, 14:05, yesterday 14:05, 2026-11-20 14:05, in UTC
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// `collector`
#[derive(Args, Debug)]
pub(crate) struct CollectorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// `budgets`
#[derive(Args, Debug)]
pub(crate) struct BudgetsArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// `roster`
#[derive(Args, Debug)]
pub(crate) struct RosterArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// What stands below the flags of commands that take times.
const TIMES: &str = "\
Times: 2h (that long ago; units ms, s, m, h, d, w), 14:05 or 14:05:30 (the latest past one), today,
yesterday 14:05, mon 09:00, 2026-11-20, 11-20 14:05, 2026-11-20T14:05:00Z, @1761955200, first, now,
#7 (when outage 7 began). They are in UTC, as those that are printed, unless they end with an offset:
14:05+01:00.";

/// `events`
#[derive(Args, Debug)]
#[command(after_help = TIMES)]
pub(crate) struct EventsArgs {
    /// From this time on, e.g. 2h, 14:05 [default: 24h before the end; with --follow: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Before this time [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true, conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// Follow new events, across restarts of the collector
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Only events, or agents, that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// `outages`
#[derive(Args, Debug)]
pub(crate) struct OutagesArgs {
    /// Only those of this agent
    #[arg(add = completion::agent_names())]
    pub(crate) name: Option<String>,
    /// Ended after this time, or goes on: 7d, 14:05, yesterday, 2026-11-20 14:05, in UTC [default: 7d]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Began before this time [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print CSV with a line of titles
    #[arg(long)]
    pub(crate) csv: bool,
    /// Only outages whose agents matched then, in their worst state
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// `history`
#[derive(Args, Debug)]
#[command(after_help = TIMES)]
pub(crate) struct HistoryArgs {
    /// The agent's id [default: the whole fleet]
    #[arg(add = completion::agent_names())]
    pub(crate) name: Option<String>,
    /// Begin of the range: 2h, 14:05, yesterday, 2026-11-20 14:05, first, in UTC [default: 24h]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// End of the range [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Length of a step: whole minutes that divide a day, or days [default: what makes some 60]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub(crate) step: Option<Duration>,
    /// Only agents that matched then, by agent, host, group, version, framework or label
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
    /// Print one JSON document
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print CSV with a line of titles
    #[arg(long)]
    pub(crate) csv: bool,
    /// Write the latencies into a file, in the log format of HdrHistogram, an interval for each step
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    pub(crate) hdr: Option<PathBuf>,
}

/// `watch`
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// Plain lines without escape codes (there is no other form yet)
    #[arg(long)]
    pub(crate) plain: bool,
    /// Only events, or agents, that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// `snapshot`
#[derive(Args, Debug)]
pub(crate) struct SnapshotArgs {
    /// Which screen
    #[arg(long, value_enum, default_value_t = Screen::Fleet)]
    pub(crate) screen: Screen,
    /// The agent of the agent screen
    #[arg(
        long, value_name = "NAME", required_if_eq("screen", "agent"),
        add = completion::agent_names()
    )]
    pub(crate) agent: Option<String>,
    /// As it was at this time: -2h, 14:05, yesterday 14:05, 2026-11-20 14:05, in UTC
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Columns and rows
    #[arg(long, value_name = "WxH", default_value = "120x36")]
    pub(crate) size: ScreenSize,
    /// Only agents that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// A screen of the terminal app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Screen {
    /// All agents.
    Fleet,
    /// One agent.
    Agent,
    /// What happened.
    Transitions,
    /// States and outages over time.
    Timeline,
    /// Incidents, who was told, sinks.
    Alerts,
}

/// Columns and rows of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScreenSize {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

impl FromStr for ScreenSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected COLUMNSxROWS, such as 120x36, from 20x5 to 500x300";
        let (columns, rows) = text.split_once('x').ok_or(WANTED)?;
        let size = Self {
            columns: columns.parse().map_err(|_| WANTED)?,
            rows: rows.parse().map_err(|_| WANTED)?,
        };
        let fits = (20..=500).contains(&size.columns) && (5..=300).contains(&size.rows);
        fits.then_some(size).ok_or(WANTED)
    }
}

fn parse_failure(text: &str) -> Result<Failure, String> {
    if text.eq_ignore_ascii_case(COLLECTOR) {
        return Ok(Failure::Collector);
    }
    let found = State::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(text));
    found.map(Failure::State).ok_or_else(|| {
        let names = State::ALL.map(State::name).join(", ");
        format!("expected one of {names}, {COLLECTOR}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_bounded() {
        assert_eq!("80x24".parse(), Ok(ScreenSize { columns: 80, rows: 24 }));
        for text in ["80", "x", "80x", "80x24x1", "0x0", "65536x24", "19x5"] {
            assert!(text.parse::<ScreenSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn states_are_read_by_name() {
        assert_eq!(parse_failure("Degraded"), Ok(Failure::State(State::Degraded)));
        assert_eq!(parse_failure("collector"), Ok(Failure::Collector));
        assert!(parse_failure("sick").unwrap_err().contains("unreachable"));
    }
}
