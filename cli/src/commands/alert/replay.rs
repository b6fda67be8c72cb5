//! `heartline alerts replay`: what a config file would have told of the past.

use heartline_operator::message::{IncidentReport, NoticeReport};
use heartline_operator::{json, text};
use heartline_vocabulary::NoticeKind;

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
    let what =
        format!("{}: {}", text::incident_scope(&incident.scope), text::status_text(incident.worst));
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
    let IncidentReport { incident, notices, .. } = report;
    let deliveries = notices.iter().flat_map(|notice: &NoticeReport| &notice.deliveries);
    let mut sinks: Vec<&str> = deliveries.map(|it| it.sink.as_str()).collect();
    sinks.sort_unstable();
    sinks.dedup();
    let kinds = kinds(notices.iter().map(|notice| notice.kind));
    [
        incident.id.to_string(),
        text::incident_what(incident),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_config::{Config, ConfigFile, ConfigText};
    use heartline_operator::CollectorDirectories;
    use heartline_operator::message::{Event, EventKind};
    use heartline_operator::sample::{self, NOW_MS};
    use heartline_vocabulary::{GapCause, Reason, State};

    use super::*;
    use crate::alert_replay::ToldAlerts;
    use crate::console::tests::console;

    const MINUTE: i64 = 60_000;
    const CONFIG: &str = "[[sink]]\nname = \"chat\"\ntype = \"command\"\ncommand = [\"/bin/true\"]\n\
        [[route]]\nto = [\"chat\"]\nrepeat = \"30m\"\n\
        [[window]]\nmatch = \"agent:quiet\"\nfrom = \"00:00\"\nto = \"00:00\"\nreason = \"all day\"\n";

    fn config() -> Config {
        let text = ConfigText::new(Path::new("h.toml"), CONFIG.to_owned());
        let file = <ConfigFile>::parse(&text).unwrap();
        file.resolve(&[], CollectorDirectories { data: "/d".into(), sockets: "/s".into() })
    }

    fn event(agent: Option<&str>, at_ms: i64, kind: EventKind) -> Event {
        Event { cursor: at_ms, at_ms, agent: agent.map(str::to_owned), kind }
    }

    fn transition(agent: &str, at_ms: i64, to: State, reason: Option<Reason>) -> Event {
        let kind = EventKind::Transition {
            from: State::Healthy,
            from_reason: None,
            to,
            reason,
            lasted_ms: None,
            by: None,
            cause: reason.map(|_| "10 beats missed (interval 30s)".to_owned()),
            last_lines: Vec::new(),
        };
        event(Some(agent), at_ms, kind)
    }

    /// The last three hours: two agents fell silent, one of them in a window of maintenance, and a gap. A sample of
    /// what was told.
    fn history() -> AlertHistory {
        let since_ms = NOW_MS - 180 * MINUTE;
        let at = |minute: i64| since_ms + minute * MINUTE;
        let silent = Some(Reason::Silent);
        let gap = EventKind::Gap { from_ms: at(40), to_ms: at(42), cause: GapCause::Frozen };
        let events = vec![
            event(Some("mail.7"), at(1), EventKind::Registered),
            event(Some("quiet"), at(1), EventKind::Registered),
            transition("mail.7", at(20), State::Unreachable, silent),
            transition("quiet", at(21), State::Unreachable, silent),
            event(None, at(42), gap),
            transition("mail.7", at(100), State::Healthy, None),
        ];
        let told = ToldAlerts { incidents: sample::alert_report().incidents, silences: Vec::new() };
        AlertHistory {
            since_ms,
            until_ms: NOW_MS,
            from_ms: since_ms,
            first_ms: Some(at(1)),
            events,
            told: Some(told),
            ..AlertHistory::default()
        }
    }

    #[test]
    fn what_would_have_been_told_stands_beside_what_was() {
        let outcome = alert_replay::judge(&history(), &config());
        let (mut console, out, _) = console(None);
        print(&outcome, &mut console).unwrap();
        let document = json::pretty(&outcome.document());
        insta::assert_snapshot!(format!("{}\n{document}", out.text()));
    }

    #[test]
    fn without_notices_of_then_nothing_is_compared() {
        let history = AlertHistory { told: None, ..history() };
        let outcome = alert_replay::judge(&history, &config());
        let (mut console, out, _) = console(None);
        print(&outcome, &mut console).unwrap();
        assert!(out.text().contains("would have sent 4 to chat\n"), "{}", out.text());
        assert!(out.text().contains("not known: an incident file has no notices"));
    }
}
