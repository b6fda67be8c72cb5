//! `heartline roster`: groups of which so many agents must run, and agents that are expected.

use heartline_operator::client::ClientError;
use heartline_operator::message::{Reply, Request, RosterReport};
use heartline_operator::{json, text};
use heartline_vocabulary::IncidentId;

use crate::args::RosterArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::{Table, TableColumn};

const GROUP_COLUMNS: [TableColumn; 5] = [
    TableColumn::left("GROUP", 0),
    TableColumn::right("RUNNING", 0),
    TableColumn::right("EXPECTED", 0),
    TableColumn::right("ALERT BELOW", 0),
    TableColumn::left("INCIDENT", 1),
];

const MISSING_COLUMNS: [TableColumn; 4] = [
    TableColumn::left("EXPECTED", 0),
    TableColumn::left("STATE", 0),
    TableColumn::left("WAITED FOR SINCE", 0),
    TableColumn::left("INCIDENT", 1),
];

/// Runs the command.
pub(crate) async fn run(
    args: &RosterArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let Reply::Roster(report) = client.request(Request::Roster).await? else {
        return Err(ClientError::Unexpected { what: "roster" }.into());
    };
    if args.json {
        let Reply::Pong { at_ms } = client.request(Request::Ping).await? else {
            return Err(ClientError::Unexpected { what: "ping" }.into());
        };
        console.print_json(&json::roster(&report, at_ms))?;
        return Ok(CommandExit::Success);
    }
    let columns = console.terminal.columns;
    if !report.groups.is_empty() {
        console.print_lines(groups(&report).lines(0..report.groups.len(), columns))?;
    }
    if !report.missing.is_empty() {
        console.print_lines(missing(&report).lines(0..report.missing.len(), columns))?;
    }
    console.say(&summary(&report));
    Ok(CommandExit::Success)
}

fn groups(report: &RosterReport) -> Table<'static> {
    let mut table = Table::new(&GROUP_COLUMNS);
    for group in &report.groups {
        table.push(&[
            group.group.clone(),
            group.running.to_string(),
            group.expect.to_string(),
            group.alert_below.to_string(),
            incident(group.incident),
        ]);
    }
    table
}

fn missing(report: &RosterReport) -> Table<'static> {
    let mut table = Table::new(&MISSING_COLUMNS);
    for agent in &report.missing {
        let state = if agent.incident.is_some() { "never seen" } else { "not seen yet" };
        table.push(&[
            agent.agent.clone(),
            state.to_owned(),
            text::timestamp_s(agent.since_ms),
            incident(agent.incident),
        ]);
    }
    table
}

fn incident(id: Option<IncidentId>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

fn summary(report: &RosterReport) -> String {
    match (report.expected, report.missing.len()) {
        (0, _) if report.groups.is_empty() => {
            "Nobody is expected: tables [[group]] and [[expected]] of the collector's config file say who is."
                .to_owned()
        }
        (0, _) => "No agent is expected by its name: tables [[expected]] say who is.".to_owned(),
        (expected, 0) => format!("All {expected} agents that are expected have come."),
        (expected, _) if report.has_more => {
            format!("There are more of the {expected} agents that are expected and have not come.")
        }
        (expected, missing) => {
            format!("{missing} of {expected} agents that are expected have not come.")
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;

    use super::*;

    #[test]
    fn groups_and_those_who_never_came_are_tables() {
        let report = sample::roster();
        let lines = |table: Table<'_>, rows| table.lines(0..rows, Some(100)).collect::<String>();
        let text = format!(
            "{}{}{}\n",
            lines(groups(&report), report.groups.len()),
            lines(missing(&report), report.missing.len()),
            summary(&report)
        );
        insta::assert_snapshot!(text);
    }
}
