//! Silences: begun, ended, and listed with the windows of maintenance.

use heartline_operator::message::{AlertQuery, Reply, Request, Silence, SilenceCommand};
use heartline_operator::{json, text};

use super::{ask, at_ms, done, or_dash, print_table, unexpected};
use crate::args::SilenceArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::{Table, TableColumn};

/// Runs `silence`.
pub(crate) async fn run(
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
                false => print(&report.silences, console)?,
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

const SILENCE_COLUMNS: [TableColumn; 6] = [
    TableColumn::right("SILENCE", 0),
    TableColumn::left("FILTER", 0),
    TableColumn::left("FROM", 1),
    TableColumn::left("UNTIL", 0),
    TableColumn::left("BY", 1),
    TableColumn::left("REASON", 0),
];

pub(super) fn print(silences: &[Silence], console: &mut Console) -> Result<(), CliError> {
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
