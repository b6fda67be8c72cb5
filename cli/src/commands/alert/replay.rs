//! `heartline alerts replay`: what a config file would have told of the past.

use heartline_operator::message::{IncidentReport, NoticeReport};
use heartline_operator::{json, text};
use heartline_vocabulary::NoticeKind;

use super::incident::{scope_text, status_text};
use super::{or_dash, print_table};
use crate::alert_replay::{self, AlertHistory, ReplayOutcome, ReplayedIncident};
use crate::args::ReplayArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};
use crate::table::{Table, TableColumn};
use crate::time_range::TimeRangeExpression;

/// The default of `--since`.
const SINCE_MS: i64 = 7 * 24 * 3_600_000;

/// Runs the command.
pub(crate) async fn run(
    args: &ReplayArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let range = TimeRangeExpression::parse(args.since.as_deref(), args.until.as_deref())?;
    let config = settings.config.file.resolve(&[], settings.directories(&environment)?);
    let client = settings.connect().await?;
    // By the collector's clock: the one of this machine may be wrong.
    let now_ms = client.greeting().collector.at_ms;
    let range = range.lookup(&client, SINCE_MS).await?;
    let ends = (range.since_ms, range.until_ms.unwrap_or(now_ms));
    let history = AlertHistory::read(&client, ends, settings.is_incident()).await?;
    drop(client);
    let outcome = alert_replay::judge(&history, &config);
    if args.json {
        console.print(&json::pretty(&outcome.document()))?;
        return Ok(CommandExit::Success);
    }
    print(&outcome, console)?;
    if config.alerts.routes.is_empty() {
        console.say("nobody is told: there is no [[route]] in the config file");
    }
    Ok(CommandExit::Success)
}

const INCIDENT_COLUMNS: [TableColumn; 9] = [
    TableColumn::right("#", 0),
    TableColumn::left("WHAT", 0),
    TableColumn::left("SINCE", 0),
    TableColumn::left("UNTIL", 3),
    TableColumn::right("MEMBERS", 4),
    TableColumn::left("ROUTES", 5),
    TableColumn::left("NOTICES", 0),
    TableColumn::left("SINKS", 1),
    TableColumn::left("WAS", 2),
];

const UNTOLD_COLUMNS: [TableColumn; 4] = [
    TableColumn::left("INCIDENT", 0),
    TableColumn::left("WHAT", 0),
    TableColumn::left("SINCE", 0),
    TableColumn::left("TOLD THEN", 0),
];

const DAY_COLUMNS: [TableColumn; 3] = [
    TableColumn::left("DAY", 0),
    TableColumn::right("WOULD SEND", 0),
    TableColumn::right("WAS", 0),
];

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

fn print(outcome: &ReplayOutcome, console: &mut Console) -> Result<(), CliError> {
    let (since, until) = (text::timestamp_s(outcome.since_ms), text::timestamp_s(outcome.until_ms));
    console
        .print(&format!("what would have been told from {since} to {until}; nothing is sent"))?;
    if !outcome.incidents.is_empty() {
        let mut table = Table::new(&INCIDENT_COLUMNS);
        outcome.incidents.iter().for_each(|incident| table.push(&incident_row(incident)));
        console.print("")?;
        print_table(&table, outcome.incidents.len(), console)?;
    }
    if !outcome.untold.is_empty() {
        console.print("\ntold then, and not by this config:")?;
        let mut table = Table::new(&UNTOLD_COLUMNS);
        outcome.untold.iter().for_each(|report| table.push(&untold_row(report)));
        print_table(&table, outcome.untold.len(), console)?;
    }
    print_totals(outcome, console)
}

fn print_totals(outcome: &ReplayOutcome, console: &mut Console) -> Result<(), CliError> {
    let was = |count: u32| match outcome.is_compared {
        true => count.to_string(),
        false => "-".to_owned(),
    };
    if !outcome.days.is_empty() {
        let mut table = Table::new(&DAY_COLUMNS);
        for (day, total) in &outcome.days {
            let day = text::timestamp_s(day * DAY_MS);
            table.push(&[
                day.split(' ').next().unwrap_or_default().to_owned(),
                total.would.to_string(),
                was(total.was),
            ]);
        }
        console.print("")?;
        print_table(&table, outcome.days.len(), console)?;
    }
    console.print("")?;
    for (sink, storm) in &outcome.storms {
        let (lists, longest) = (storm.lists, storm.longest);
        console.print(&format!(
            "{sink}: {lists} lists of what was beyond its ceiling, of {longest} incidents at most"
        ))?;
    }
    for (sink, total) in &outcome.sinks {
        let was = if outcome.is_compared { format!(" (was {})", total.was) } else { String::new() };
        console.print(&format!("would have sent {}{was} to {sink}", total.would))?;
    }
    if outcome.sinks.is_empty() {
        console.print("would have sent nothing")?;
    }
    for what in &outcome.unknown {
        console.print(&format!("not known: {what}"))?;
    }
    Ok(())
}

fn incident_row(incident: &ReplayedIncident) -> [String; INCIDENT_COLUMNS.len()] {
    let mut sinks: Vec<&str> =
        incident.notices.iter().flat_map(|it| &it.sinks).map(String::as_str).collect();
    sinks.sort_unstable();
    sinks.dedup();
    let routes: Vec<String> = incident.routes.iter().map(ToString::to_string).collect();
    let was: Vec<String> = incident.was.iter().map(ToString::to_string).collect();
    let what = format!("{}: {}", scope_text(&incident.scope), status_text(incident.worst));
    let ended = incident.ended_ms.map(text::timestamp_s);
    [
        incident.number.to_string(),
        what,
        text::timestamp_s(incident.opened_ms),
        ended.unwrap_or_else(|| "-".to_owned()),
        incident.members.len().to_string(),
        or_dash(&routes.join(", ")).to_owned(),
        or_dash(&kinds(incident.notices.iter().map(|notice| notice.kind))).to_owned(),
        or_dash(&sinks.join(", ")).to_owned(),
        or_dash(&was.join(", ")).to_owned(),
    ]
}

fn untold_row(report: &IncidentReport) -> [String; UNTOLD_COLUMNS.len()] {
    let IncidentReport { incident, notices } = report;
    let deliveries = notices.iter().flat_map(|notice: &NoticeReport| &notice.deliveries);
    let mut sinks: Vec<&str> = deliveries.map(|it| it.sink.as_str()).collect();
    sinks.sort_unstable();
    sinks.dedup();
    let kinds = kinds(notices.iter().map(|notice| notice.kind));
    [
        incident.id.to_string(),
        format!("{}: {}", scope_text(&incident.scope), status_text(incident.worst)),
        text::timestamp_s(incident.opened_ms),
        format!("{}: {kinds}", sinks.join(", ")),
    ]
}

/// Returns kinds of notices in the order in which they were sent, those that follow each other once with their
/// number.
fn kinds(notices: impl Iterator<Item = NoticeKind>) -> String {
    let mut runs: Vec<(NoticeKind, u32)> = Vec::new();
    for kind in notices {
        match runs.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => runs.push((kind, 1)),
        }
    }
    let text = |(kind, count): &(NoticeKind, u32)| match count {
        1 => kind.name().to_owned(),
        count => format!("{count} {}", kind.name()),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}
