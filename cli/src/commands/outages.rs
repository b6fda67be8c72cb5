//! `heartline outages`: when agents were out, for how long, and why; oldest first.

use std::collections::BTreeSet;
use std::io;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{EventOrder, OUTAGES_MAX, Outage, OutageQuery, Reply, Request};
use heartline_operator::{json, text};
use heartline_vocabulary::Reason;

use super::parse_filter;
use crate::act::agents;
use crate::args::OutagesArgs;
use crate::console::Console;
use crate::csv_text;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::StateFormatter;
use crate::table::{self, TableColumn};
use crate::time_range::TimeRangeExpression;

/// The default of `--since`.
const SINCE_MS: i64 = 7 * 24 * 3_600_000;

/// The columns of the table; on a narrow terminal the optional ones are left out.
const COLUMNS: [TableColumn; 12] = [
    TableColumn::right("#", 4),
    TableColumn::left("AGENT", 0),
    TableColumn::left("WORST", 0),
    TableColumn::left("START", 0),
    TableColumn::left("END", 3),
    TableColumn::right("LASTED", 0),
    TableColumn::right("MISSED", 5),
    TableColumn::left("HOST", 6),
    TableColumn::left("STEP", 7),
    TableColumn::left("CAUSE", 1),
    TableColumn::left("ACK", 4),
    TableColumn::left("NOTE", 4),
];

/// Columns of a terminal that the others take which are never left out, with usual names.
const OTHER_COLUMNS: usize = 60;
/// Shortest cause that still says something.
const CAUSE_MIN: usize = 20;

/// Runs the command.
pub(crate) async fn run(
    args: &OutagesArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?;
    let range = TimeRangeExpression::parse(args.since.as_deref(), args.until.as_deref())?;
    let client = settings.connect().await?;
    // By the collector's clock: the one of this machine may be wrong.
    let now_ms = client.greeting().collector.at_ms;
    let range = range.lookup(&client, SINCE_MS).await?;
    let mut query = OutageQuery {
        since_ms: range.since_ms,
        until_ms: range.until_ms,
        agent: args.name.clone(),
        limit: OUTAGES_MAX,
        order: EventOrder::OldestFirst,
        filter: filter.as_str().to_owned(),
        ..OutageQuery::default()
    };
    let mut outages = Vec::new();
    loop {
        let (page, next) = request(&client, query.clone()).await?;
        match args.json {
            // A year of a large fleet is not held whole.
            true => page
                .iter()
                .try_for_each(|outage| console.print(&json::line(&json::outage(outage, now_ms))))?,
            false => outages.extend(page),
        }
        let Some(next) = next else { break };
        query = query.following(next);
    }
    if args.csv {
        let text = csv(&outages, now_ms).map_err(CliError::Output)?;
        console.print(text.trim_end())?;
    } else if !args.json {
        console.print(&summary(&outages, now_ms))?;
        if !outages.is_empty() {
            let (formatter, columns) = (console.formatter, console.terminal.columns);
            let rows =
                outages.iter().map(|outage| row(outage, now_ms, formatter, columns).to_vec());
            console.print(table::draw(&COLUMNS, rows, columns).trim_end())?;
        }
    }
    Ok(CommandExit::Success)
}

async fn request(
    client: &Client,
    query: OutageQuery,
) -> Result<(Vec<Outage>, Option<i64>), CliError> {
    match client.request(Request::Outages(query)).await? {
        Reply::Outages { outages, next } => Ok((outages, next)),
        _ => Err(ClientError::Unexpected { what: "outages" }.into()),
    }
}

/// Says how many there were, of how many agents, and how long they were out.
fn summary(outages: &[Outage], now_ms: i64) -> String {
    if outages.is_empty() {
        return "no outages".to_owned();
    }
    let of: BTreeSet<&str> = outages.iter().map(|outage| &*outage.agent).collect();
    let lasted = |outage: &Outage| outage.lasted_ms(now_ms);
    let sum = outages.iter().map(lasted).fold(0, u64::saturating_add);
    let longest = outages.iter().map(lasted).max().unwrap_or(0);
    let open = outages.iter().filter(|outage| outage.end_ms.is_none()).count();
    let count = match outages.len() {
        1 => "1 outage".to_owned(),
        count => format!("{count} outages"),
    };
    format!(
        "{count} of {}, {} in all, the longest {}; {open} not over",
        agents(of.len()),
        text::age(sum),
        text::age(longest)
    )
}

/// Returns the cells of an outage. A long cause is cut, so that a terminal of so many columns shows it.
fn row(
    outage: &Outage,
    now_ms: i64,
    formatter: StateFormatter,
    columns: Option<usize>,
) -> [String; COLUMNS.len()] {
    let none = || "-".to_owned();
    let unobserved = match outage.unobserved_ms {
        0 => String::new(),
        ms => format!(" ({} not observed)", text::age(ms)),
    };
    let cause = outage.cause.as_deref().or(outage.worst.reason.map(Reason::name));
    [
        outage.id.to_string(),
        outage.agent.clone(),
        formatter.status(outage.worst),
        text::timestamp_s(outage.start_ms),
        outage.end_ms.map_or_else(|| "open".to_owned(), text::timestamp_s),
        text::age(outage.lasted_ms(now_ms)),
        outage.missed_beats.to_string(),
        outage.identity.shared.host.as_deref().map_or_else(none, ToOwned::to_owned),
        outage.step.clone().unwrap_or_else(none),
        cut(format!("{}{unobserved}", cause.unwrap_or("-")), columns),
        outage.acknowledged_by().unwrap_or("-").to_owned(),
        cut(last_note(outage).unwrap_or("-").to_owned(), columns),
    ]
}

/// Returns the words of the newest note that has any.
fn last_note(outage: &Outage) -> Option<&str> {
    outage.notes.iter().rev().map(|note| &*note.words).find(|words| !words.is_empty())
}

fn cut(text: String, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text };
    let room = columns.saturating_sub(OTHER_COLUMNS).max(CAUSE_MIN);
    match text.char_indices().nth(room) {
        Some(_) => text.chars().take(room - 1).chain(['…']).collect(),
        None => text,
    }
}

/// The titles of [`csv_row`].
pub(super) const CSV_TITLES: [&str; 15] = [
    "id",
    "agent",
    "start",
    "end",
    "lasted_s",
    "unobserved_s",
    "worst",
    "reason",
    "cause",
    "step",
    "missed_beats",
    "host",
    "group",
    "acknowledged_by",
    "note",
];

/// Returns an outage as a row for spreadsheets.
pub(super) fn csv_row(outage: &Outage, now_ms: i64) -> [String; CSV_TITLES.len()] {
    let shared = &outage.identity.shared;
    [
        outage.id.to_string(),
        outage.agent.clone(),
        text::timestamp(outage.start_ms),
        outage.end_ms.map(text::timestamp).unwrap_or_default(),
        csv_text::seconds(outage.lasted_ms(now_ms)),
        csv_text::seconds(outage.unobserved_ms),
        outage.worst.state.name().to_owned(),
        outage.worst.reason.map(Reason::name).unwrap_or_default().to_owned(),
        csv_text::plain(outage.cause.as_deref()),
        csv_text::plain(outage.step.as_deref()),
        outage.missed_beats.to_string(),
        csv_text::plain(shared.host.as_deref()),
        csv_text::plain(shared.group.as_deref()),
        outage.acknowledged_by().unwrap_or_default().to_owned(),
        csv_text::plain(last_note(outage)),
    ]
}

/// Returns all as CSV with a line of titles.
fn csv(outages: &[Outage], now_ms: i64) -> io::Result<String> {
    csv_text::lines(&CSV_TITLES, outages.iter().map(|outage| csv_row(outage, now_ms)))
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use heartline_operator::sample::{self, NOW_MS};
    use heartline_operator::text::GlyphSet;

    use super::*;

    #[test]
    fn outages_are_a_table_with_what_fits() {
        let outages = sample::outages();
        let formatter = StateFormatter(GlyphSet::Unicode);
        let draw = |limit| {
            let rows = outages.iter().map(|it| row(it, NOW_MS, formatter, limit).to_vec());
            strip_str(&table::draw(&COLUMNS, rows, limit)).to_string()
        };
        let tables = [None, Some(120), Some(80)].map(draw);
        assert!(tables[2].lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(format!("{}\n{}", summary(&outages, NOW_MS), tables.join("\n")));
        assert_eq!(summary(&[], NOW_MS), "no outages");
    }

    #[test]
    fn a_spreadsheet_gets_every_column_and_no_formula() {
        let mut outages = sample::outages();
        outages[0].cause = Some("=HYPERLINK(\"http://example.com\"), \"quoted\"".into());
        insta::assert_snapshot!(csv(&outages, NOW_MS).unwrap());
    }
}
