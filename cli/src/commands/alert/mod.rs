//! `heartline alerts`, `incidents` and `silence`, and the acknowledgement of incidents.

mod incident;
mod replay;
mod silence;
mod sink;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::json;
use heartline_operator::message::{AlertQuery, AlertReport, ErrorCode, Reply, Request};
use heartline_vocabulary::IncidentId;

use crate::args::{AlertsArgs, AlertsCommand};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::Table;

pub(crate) use incident::run as incidents;
pub(crate) use silence::run as silence;

/// Runs `alerts`.
pub(crate) async fn alerts(
    args: AlertsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if let Some(AlertsCommand::Replay(replay)) = &args.command {
        return replay::run(replay, settings, console).await;
    }
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
        false => incident::print_all(&report, console)?,
    }
    if report.routes == 0 {
        console.say("nobody is told: there is no [[route]] in the config file");
    }
    sink::print(&report.sinks, console)?;
    silence::print(&report.silences, console)?;
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
    let Reply::Acknowledged { incidents, is_stored } = done(client.request(request).await)? else {
        return Err(unexpected("ack"));
    };
    for id in incidents {
        console.say(&format!("acknowledged: incident {id}"));
    }
    if !is_stored {
        console.say("history is paused: a restart of the collector forgets this");
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

fn print_table(table: &Table<'_>, rows: usize, console: &mut Console) -> Result<(), CliError> {
    let columns = console.terminal.columns;
    let lines: String = table.lines(0..rows, columns).collect();
    console.print(lines.trim_end_matches('\n'))?;
    Ok(())
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
