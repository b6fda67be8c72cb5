//! `heartline alerts`, `incidents` and `silence`, and the acknowledgement of incidents.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{
    AlertQuery, AlertReport, ErrorCode, IncidentReport, IncidentScope, Reply, Request, Silence,
    SilenceCommand, SinkReport,
};
use heartline_operator::{json, text};
use heartline_vocabulary::{AgentStatus, DeliveryState, IncidentId, ScopeKind};

use crate::args::{AlertsArgs, AlertsCommand, IncidentsArgs, SilenceArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::{Table, TableColumn};

/// Runs `alerts`.
pub(crate) async fn alerts(
    args: AlertsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if let Some(AlertsCommand::Test { sink }) = args.command {
        let client = settings.connect_with_control().await?;
        let request = Request::TestSink { sink: sink.clone() };
        let Reply::SinkTested { answer } = done(client.request(request).await)? else {
            return Err(unexpected("alerts test"));
        };
        console.say(&format!("{sink} took it: {}", or_dash(&answer)));
        return Ok(CommandExit::Success);
    }
    let client = settings.connect().await?;
    let report = ask(&client, AlertQuery::Open).await?;
    if args.json {
        console.print(&json::pretty(&json::alerts(&report)))?;
        return Ok(CommandExit::Success);
    }
    match report.incidents.is_empty() {
        true => console.say("no incident goes on"),
        false => print_incidents(&report, console)?,
    }
    if report.routes == 0 {
        console.say("nobody is told: there is no [[route]] in the config file");
    }
    print_sinks(&report.sinks, console)?;
    print_silences(&report.silences, console)?;
    Ok(CommandExit::Success)
}

/// Runs `incidents`.
pub(crate) async fn incidents(
    args: &IncidentsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let query = match (args.incident, args.since) {
        (Some(id), _) => AlertQuery::One(id),
        (None, None) => AlertQuery::Open,
        (None, Some(since)) => {
            let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            AlertQuery::Since(at_ms(&client).await?.saturating_sub(since_ms))
        }
    };
    let report = ask(&client, query).await?;
    if args.json {
        for incident in &report.incidents {
            console.print(&json::line(&json::incident(incident)))?;
        }
    } else if args.incident.is_some() {
        report.incidents.iter().try_for_each(|incident| print_incident(incident, console))?;
    } else if report.incidents.is_empty() {
        console.say("no incident");
    } else {
        print_incidents(&report, console)?;
    }
    if report.has_more {
        console.say("there are more: narrow --since");
    }
    Ok(CommandExit::Success)
}

/// Runs `silence`.
pub(crate) async fn silence(
    args: SilenceArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let Some(filter) = args.filter else {
        let Some(id) = args.end else {
            let client = settings.connect().await?;
            let report = ask(&client, AlertQuery::Open).await?;
            match args.json {
                true => console.print(&json::pretty(&json::silences(&report.silences)))?,
                false if report.silences.is_empty() => console.say("nothing is silenced"),
                false => print_silences(&report.silences, console)?,
            }
            return Ok(CommandExit::Success);
        };
        let client = settings.connect_with_control().await?;
        let request = Request::Silence(SilenceCommand::End { id });
        let Reply::Silenced { id } = done(client.request(request).await)? else {
            return Err(unexpected("silence"));
        };
        console.say(&format!("silence {id} has ended"));
        return Ok(CommandExit::Success);
    };
    let client = settings.connect_with_control().await?;
    let length = args.duration.unwrap_or_default();
    let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let until_ms = at_ms(&client).await?.saturating_add(length_ms);
    let reason = args.reason.unwrap_or_default();
    let command = SilenceCommand::Begin { filter: filter.clone(), until_ms, reason };
    let Reply::Silenced { id } = done(client.request(Request::Silence(command)).await)? else {
        return Err(unexpected("silence"));
    };
    console.say(&format!(
        "silence {id}: nobody is told of {filter} until {}; `heartline silence --end {id}` ends it",
        text::timestamp_s(until_ms)
    ));
    Ok(CommandExit::Success)
}

/// Acknowledges incidents.
pub(crate) async fn acknowledge(
    incidents: Vec<IncidentId>,
    settings: &Settings,
    console: &mut Console,
) -> Result<(), CliError> {
    let client = settings.connect_with_control().await?;
    let request = Request::Acknowledge { incidents };
    let Reply::Acknowledged { incidents } = done(client.request(request).await)? else {
        return Err(unexpected("ack"));
    };
    for id in incidents {
        console.say(&format!("acknowledged: incident {id}"));
    }
    Ok(())
}

async fn ask(client: &Client, query: AlertQuery) -> Result<AlertReport, CliError> {
    match done(client.request(Request::Alerts(query)).await)? {
        Reply::Alerts(report) => Ok(*report),
        _ => Err(unexpected("alerts")),
    }
}

/// Returns the collector's time.
async fn at_ms(client: &Client) -> Result<i64, CliError> {
    match client.request(Request::Ping).await? {
        Reply::Pong { at_ms } => Ok(at_ms),
        _ => Err(unexpected("ping")),
    }
}

/// What was not found, or not taken, was not done.
fn done(reply: Result<Reply, ClientError>) -> Result<Reply, CliError> {
    match reply {
        Err(ClientError::Refused {
            code: ErrorCode::NotFound | ErrorCode::BadRequest | ErrorCode::Unavailable,
            message,
        }) => Err(CliError::NotDone(message)),
        reply => Ok(reply?),
    }
}

fn unexpected(what: &'static str) -> CliError {
    ClientError::Unexpected { what }.into()
}

const INCIDENT_COLUMNS: [TableColumn; 7] = [
    TableColumn::left("INCIDENT", 0),
    TableColumn::left("SEVERITY", 2),
    TableColumn::left("WHAT", 0),
    TableColumn::left("SINCE", 0),
    TableColumn::right("IN TROUBLE", 1),
    TableColumn::left("TOLD", 1),
    TableColumn::left("ACKNOWLEDGED BY", 3),
];

fn print_incidents(report: &AlertReport, console: &mut Console) -> Result<(), CliError> {
    let mut table = Table::new(&INCIDENT_COLUMNS);
    for IncidentReport { incident, notices } in &report.incidents {
        let counts = &incident.counts;
        let ended = incident.ended_ms.map(|ms| format!(" to {}", text::timestamp_s(ms)));
        let told: Vec<String> = told(notices);
        table.push(&[
            incident.id.to_string(),
            incident.severity.name().to_owned(),
            format!("{}: {}", scope_text(&incident.scope), status_text(incident.worst)),
            format!("{}{}", text::timestamp_s(incident.opened_ms), ended.unwrap_or_default()),
            format!("{} of {}", counts.in_trouble, counts.total),
            or_dash(&told.join(", ")).to_owned(),
            incident.acknowledged.as_ref().map_or("-", |ack| &ack.by).to_owned(),
        ]);
    }
    print_table(&table, report.incidents.len(), console)
}

/// Returns the sinks that were told, each with what became of the newest notice for it.
fn told(notices: &[heartline_operator::message::NoticeReport]) -> Vec<String> {
    let mut newest: std::collections::BTreeMap<&str, DeliveryState> = Default::default();
    for delivery in notices.iter().flat_map(|notice| &notice.deliveries) {
        newest.insert(&delivery.sink, delivery.state);
    }
    let text = |(sink, state): (&str, DeliveryState)| match state {
        DeliveryState::Delivered | DeliveryState::Merged => sink.to_owned(),
        state => format!("{sink} ({})", state.name()),
    };
    newest.into_iter().map(text).collect()
}

fn print_incident(report: &IncidentReport, console: &mut Console) -> Result<(), CliError> {
    let IncidentReport { incident, notices } = report;
    let mut lines = vec![
        format!("incident   {} ({})", incident.id, incident.severity.name()),
        format!("what       {}: {}", scope_text(&incident.scope), status_text(incident.worst)),
        format!("since      {}", text::timestamp_s(incident.opened_ms)),
        format!(
            "cause      between {} and {}",
            text::timestamp_s(incident.cause_from_ms),
            text::timestamp_s(incident.cause_to_ms)
        ),
    ];
    if let Some(ended_ms) = incident.ended_ms {
        lines.push(format!("until      {}", text::timestamp_s(ended_ms)));
    }
    if let Some(into) = incident.merged_into {
        lines.push(format!("part of    {into}"));
    }
    if let Some(ack) = &incident.acknowledged {
        lines.push(format!("ack        {} at {}", ack.by, text::timestamp_s(ack.at_ms)));
    }
    lines.extend(incident.remark.iter().map(|remark| format!("remark     {remark}")));
    for member in &incident.members {
        let role = if member.is_affected { ", affected" } else { "" };
        let cause = member.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let (status, since) = (status_text(member.status), text::timestamp_s(member.since_ms));
        lines.push(format!("member     {} {status} since {since}{role}{cause}", member.agent));
    }
    for notice in notices {
        let at = text::timestamp_s(notice.at_ms);
        lines.push(format!(
            "notice     {}-{} {} {at}",
            incident.id,
            notice.number,
            notice.kind.name()
        ));
        for delivery in &notice.deliveries {
            let (sink, state, at) =
                (&delivery.sink, delivery.state.name(), text::timestamp_s(delivery.at_ms));
            let answer = or_dash(&delivery.answer);
            let attempts = delivery.attempts;
            lines.push(format!("           {sink} {state} {at}, attempts {attempts}: {answer}"));
        }
    }
    console.print(&lines.join("\n"))?;
    Ok(())
}

const SINK_COLUMNS: [TableColumn; 6] = [
    TableColumn::left("SINK", 0),
    TableColumn::left("TYPE", 1),
    TableColumn::right("PENDING", 0),
    TableColumn::right("DELIVERED", 1),
    TableColumn::right("LOST", 1),
    TableColumn::left("TROUBLE", 0),
];

fn print_sinks(sinks: &[SinkReport], console: &mut Console) -> Result<(), CliError> {
    if sinks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&SINK_COLUMNS);
    for sink in sinks {
        let trouble = sink.broken.as_ref().or(sink.last_failure.as_ref());
        table.push(&[
            sink.name.clone(),
            sink.kind.clone(),
            sink.pending.to_string(),
            sink.delivered.to_string(),
            sink.lost.to_string(),
            trouble.map_or("-", |why| why).to_owned(),
        ]);
    }
    console.print("")?;
    print_table(&table, sinks.len(), console)
}

const SILENCE_COLUMNS: [TableColumn; 6] = [
    TableColumn::right("SILENCE", 0),
    TableColumn::left("FILTER", 0),
    TableColumn::left("FROM", 1),
    TableColumn::left("UNTIL", 0),
    TableColumn::left("BY", 1),
    TableColumn::left("REASON", 0),
];

fn print_silences(silences: &[Silence], console: &mut Console) -> Result<(), CliError> {
    if silences.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&SILENCE_COLUMNS);
    for silence in silences {
        table.push(&[
            silence.id.map_or("window".to_owned(), |id| id.to_string()),
            silence.filter.clone(),
            text::timestamp_s(silence.from_ms),
            text::timestamp_s(silence.until_ms),
            or_dash(&silence.by).to_owned(),
            silence.reason.clone(),
        ]);
    }
    console.print("")?;
    print_table(&table, silences.len(), console)
}

fn print_table(table: &Table<'_>, rows: usize, console: &mut Console) -> Result<(), CliError> {
    let columns = console.terminal.columns;
    let lines: String = table.lines(0..rows, columns).collect();
    console.print(lines.trim_end_matches('\n'))?;
    Ok(())
}

fn scope_text(scope: &IncidentScope) -> String {
    match scope.kind {
        ScopeKind::Agent => scope.name.clone(),
        ScopeKind::Fleet => "the fleet".to_owned(),
        ScopeKind::Collector => "the collector or its network".to_owned(),
        ScopeKind::Dependency => format!("what needs {}", scope.name),
        kind => format!("{} {}", kind.name(), scope.name),
    }
}

fn status_text(status: AgentStatus) -> String {
    match status.reason {
        Some(reason) => format!("{} ({})", status.state.name(), reason.name()),
        None => status.state.name().to_owned(),
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
