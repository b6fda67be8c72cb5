//! Arguments of commands about alerts.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use heartline_operator::text::parse_duration;
use heartline_vocabulary::IncidentId;

use crate::completion;

/// `alerts`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AlertsArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<AlertsCommand>,
}

/// What to do about alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Send a notice that tells of nothing to a sink, and say what it answered
    Test {
        /// The name of the sink in the config file
        #[arg(add = completion::sink_names())]
        sink: String,
    },
    /// Say what the config file (--config) would have told of the past, beside what was told; sends nothing
    ///
    /// History is judged again as it would be judged now: its transitions, gaps, acknowledgements and silences, with
    /// the routes, windows and times of the config file.
    Replay(ReplayArgs),
}

/// `alerts replay`
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// From when on: a time, or a duration before now [default: 7d]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Until when [default: now]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `incidents`
#[derive(Args, Debug)]
pub(crate) struct IncidentsArgs {
    /// Everything of this incident
    #[arg(value_name = "INCIDENT", conflicts_with = "since", add = completion::incident_ids())]
    pub(crate) incident: Option<IncidentId>,
    /// Also those that ended within this time, such as 24h or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `silence`
#[derive(Args, Debug)]
pub(crate) struct SilenceArgs {
    /// Which agents, by what they are: host:m3*, group:canary, label.env:test
    #[arg(
        value_name = "FILTER", requires = "duration", requires = "reason",
        add = completion::filter_parts()
    )]
    pub(crate) filter: Option<String>,
    /// For how long, such as 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, requires = "filter")]
    pub(crate) duration: Option<Duration>,
    /// Why; it is stored with your name
    #[arg(long, value_name = "TEXT", requires = "filter")]
    pub(crate) reason: Option<String>,
    /// End the silence of this number now
    #[arg(long, value_name = "NUMBER", conflicts_with = "filter", add = completion::silence_numbers())]
    pub(crate) end: Option<i64>,
    /// List silences as JSON
    #[arg(long, conflicts_with_all = ["filter", "end"])]
    pub(crate) json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("expected some time, such as 2h".to_owned()) } else { Ok(duration) }
}

/// Shortest id of an incident: they count on from the seconds since 1970.
const INCIDENT_LEN_MIN: usize = 6;

/// What is acknowledged: an outage by its number, `7` or `#7`, or an incident by its id, which begins with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckTarget {
    Outage(super::OutageNumber),
    Incident(IncidentId),
}

impl FromStr for AckTarget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an incident such as tp53gg, or an outage such as 7";
        if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            if text.len() < INCIDENT_LEN_MIN {
                return Err(EXPECTED);
            }
            return text.parse().map(Self::Incident).map_err(|_| EXPECTED);
        }
        text.parse().map(Self::Outage).map_err(|_| EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::OutageNumber;

    #[test]
    fn incidents_begin_with_a_letter_and_outages_with_a_digit() {
        assert_eq!("tp53gg".parse(), Ok(AckTarget::Incident(IncidentId(1_795_747_264))));
        assert_eq!("#7".parse(), Ok(AckTarget::Outage(OutageNumber(7))));
        for text in ["", "-7", "last", "tp-123", "zzzzzzzzzzzzzzzzzz"] {
            assert!(text.parse::<AckTarget>().is_err(), "{text}");
        }
    }
}
