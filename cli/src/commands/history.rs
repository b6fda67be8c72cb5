//! `heartline history`: what an agent, or a fleet, did, and in which states it was, step by step.

use std::fs;
use std::path::Path;
use std::time::Duration;

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{
    ErrorCode, FleetHistory, FleetHistoryQuery, HistoryContent, HistoryStep, LatencyQuantiles,
    Reply, Request,
};
use heartline_operator::{json, text};
use heartline_vocabulary::{AgentStatus, State};

use super::parse_filter;
use crate::act::agents;
use crate::args::HistoryArgs;
use crate::console::Console;
use crate::csv_text;
use crate::error::{CliError, CommandExit};
use crate::hdr_log;
use crate::settings::Settings;
use crate::style::StateFormatter;
use crate::table::{self, TableColumn};
use crate::time_range::TimeRangeExpression;

/// The default of `--since`.
const SINCE_MS: i64 = 24 * 3_600_000;

/// The columns of the table; on a narrow terminal the optional ones are left out.
const COLUMNS: [TableColumn; 12] = [
    TableColumn::left("FROM", 0),
    TableColumn::right("UP%", 0),
    TableColumn::right("OK", 2),
    TableColumn::right("FAILED", 2),
    TableColumn::right("OK%", 3),
    TableColumn::right("P50", 5),
    TableColumn::right("P90", 8),
    TableColumn::right("P95", 4),
    TableColumn::right("P99", 6),
    TableColumn::right("MAX", 7),
    TableColumn::right("$", 4),
    TableColumn::left("STATES", 1),
];

/// Runs the command.
pub(crate) async fn run(
    args: &HistoryArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?;
    if args.name.is_some() && !filter.is_empty() {
        let message =
            "an agent and --filter: give one of them, as in --filter 'agent:NAME host:m3'";
        return Err(CliError::usage(message));
    }
    let range = TimeRangeExpression::parse(args.since.as_deref(), args.until.as_deref())?;
    let client = settings.connect().await?;
    // By the collector's clock: the one of this machine may be wrong.
    let now_ms = client.greeting().collector.at_ms;
    let range = range.lookup(&client, SINCE_MS).await?;
    let step_ms = args.step.map(|step| i64::try_from(step.as_millis()).unwrap_or(i64::MAX));
    let (since_ms, until_ms) = (range.since_ms, range.until_ms.unwrap_or(now_ms));
    let of_fleet = |content| FleetHistoryQuery {
        since_ms,
        until_ms,
        step_ms,
        agent: args.name.clone(),
        filter: filter.as_str().to_owned(),
        content,
    };
    if let Some(path) = &args.hdr {
        let history = fleet_history(&client, of_fleet(HistoryContent::WorkWithLatencies)).await?;
        let subject = args.name.clone().unwrap_or_else(|| subject(&history, filter.as_str()));
        write_hdr(path, &history, &subject)?;
        console.say(&format!("{}: {} intervals", path.display(), history.steps.len()));
        return Ok(CommandExit::Success);
    }
    let history = fleet_history(&client, of_fleet(HistoryContent::WorkAndStates)).await?;
    let document = args.json.then(|| match &args.name {
        Some(name) => json::agent_history(&history, name),
        None => json::fleet_history(&history, filter.as_str()),
    });
    let subject = args.name.clone().unwrap_or_else(|| subject(&history, filter.as_str()));
    let history = PrintedHistory { subject, history };
    if let Some(document) = document {
        console.print_json(&document)?;
    } else if args.csv {
        console.print(csv(&history.history).map_err(CliError::Output)?.trim_end())?;
    } else {
        let (formatter, columns) = (console.formatter, console.terminal.columns);
        console.print(&describe(&history, formatter, columns))?;
    }
    Ok(CommandExit::Success)
}

async fn fleet_history(
    client: &Client,
    query: FleetHistoryQuery,
) -> Result<FleetHistory, CliError> {
    match request(client, Request::FleetHistory(query)).await? {
        Reply::FleetHistory(history) => Ok(*history),
        _ => Err(ClientError::Unexpected { what: "history" }.into()),
    }
}

async fn request(client: &Client, request: Request) -> Result<Reply, CliError> {
    client.request(request).await.map_err(|error| match error {
        ClientError::Refused { code: ErrorCode::NotFound, message } => CliError::NotDone(message),
        ClientError::Refused { code: ErrorCode::BadRequest, message } => CliError::Usage(message),
        error => error.into(),
    })
}

fn write_hdr(path: &Path, history: &FleetHistory, subject: &str) -> Result<(), CliError> {
    let log = hdr_log::encode(history, subject);
    let written = log.and_then(|log| fs::write(path, log));
    written.map_err(|source| CliError::File { what: "write", path: path.to_owned(), source })
}

/// Says of whom a history is.
fn subject(history: &FleetHistory, filter: &str) -> String {
    let agents = agents(usize::try_from(history.agents).unwrap_or(usize::MAX));
    match filter {
        "" => format!("the whole fleet, {agents}"),
        filter => format!("{agents} that matched {filter}"),
    }
}

/// A history, and whose it is.
struct PrintedHistory {
    subject: String,
    history: FleetHistory,
}

fn describe(printed: &PrintedHistory, formatter: StateFormatter, columns: Option<usize>) -> String {
    let PrintedHistory { subject, history } = printed;
    let (from, to) = (text::timestamp_s(history.from_ms), text::timestamp_s(history.to_ms));
    let step = text::format_duration(Duration::from_millis(history.step_ms.cast_unsigned()));
    let head = [format!("{subject} from {from}"), format!("to {to}, in steps of {step}")];
    let head = table::wrap(&head, " ", columns);
    let figures = table::wrap(&figures(history), ", ", columns);
    // Steps in which nothing was known at all are left out, and the total stands last.
    let known = history.steps.iter().filter(|step| is_known(step));
    let rows = known.map(|step| row(text::timestamp_s(step.at_ms), step, formatter).to_vec());
    let total = row("in all".to_owned(), &history.total, formatter).to_vec();
    let table = table::draw(&COLUMNS, rows.chain([total]), columns);
    format!("{head}\n{figures}\n\n{}", table.trim_end())
}

/// Says how available it was, and how often it was out.
fn figures(history: &FleetHistory) -> Vec<String> {
    let times = &history.total.state_ms;
    let share = |share: Option<f64>| share.map(|share| format!("{} %", text::percent(share)));
    let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), text::age);
    let available = match (share(times.availability()), share(times.observed())) {
        (Some(available), Some(observed)) => {
            [format!("available {available}"), format!("observed {observed}")].to_vec()
        }
        (None, Some(observed)) => vec![format!("observed {observed}")],
        _ => vec!["nothing known".to_owned()],
    };
    let outages = match history.outages.count {
        0 => "no outages".to_owned(),
        1 => "1 outage".to_owned(),
        count => format!("{} outages", text::count(count)),
    };
    let figures = [
        outages,
        format!("MTTR {}", time(history.outages.mttr_ms())),
        format!("MTBF {}", time(history.outages.mtbf_ms(times.healthy))),
    ];
    available.into_iter().chain(figures).collect()
}

/// Returns whether anything is known of a step.
pub(super) fn is_known(step: &HistoryStep) -> bool {
    let HistoryStep { beats, lost, ok, failed, state_ms, .. } = step;
    *state_ms != Default::default() || beats + lost + ok + failed > 0
}

fn row(from: String, step: &HistoryStep, formatter: StateFormatter) -> [String; COLUMNS.len()] {
    let none = || "-".to_owned();
    let latency = |of: fn(&LatencyQuantiles) -> u64| {
        step.latency.as_ref().map_or_else(none, |latency| text::latency(of(latency)))
    };
    [
        from,
        step.state_ms.availability().map_or_else(none, text::percent),
        text::count(step.ok),
        text::count(step.failed),
        step.success_rate().map_or_else(none, text::percent),
        latency(|it| it.p50),
        latency(|it| it.p90),
        latency(|it| it.p95),
        latency(|it| it.p99),
        latency(|it| it.max),
        text::money(step.cost_nano_usd),
        states(step, formatter),
    ]
}

/// Lists the states other than healthy, and what was not observed, with their times.
fn states(step: &HistoryStep, formatter: StateFormatter) -> String {
    let times = &step.state_ms;
    let state = |state| AgentStatus { state, reason: None };
    let all = [
        (times.unreachable, formatter.glyph_of(state(State::Unreachable))),
        (times.degraded, formatter.glyph_of(state(State::Degraded))),
        (times.killed, formatter.glyph_of(state(State::Killed))),
        (times.stopped, formatter.glyph_of(AgentStatus::STOPPED)),
        (times.unknown, formatter.glyph_of(AgentStatus::UNKNOWN)),
        (times.unobserved, "gap"),
    ];
    // Shorter ones would be printed as 0 s.
    let seen = all.into_iter().filter(|(ms, _)| *ms >= 1_000);
    let texts = seen.map(|(ms, glyph)| format!("{glyph} {}", text::age(ms)));
    let text = texts.collect::<Vec<_>>().join("  ");
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The titles of [`csv_row`].
pub(super) const CSV_TITLES: [&str; 20] = [
    "from",
    "beats",
    "lost",
    "ok",
    "failed",
    "p50_us",
    "p90_us",
    "p95_us",
    "p99_us",
    "max_us",
    "cost_usd",
    "tokens_in",
    "tokens_out",
    "healthy_ms",
    "degraded_ms",
    "unreachable_ms",
    "killed_ms",
    "stopped_ms",
    "unknown_ms",
    "unobserved_ms",
];

/// Returns a step as a row for spreadsheets.
pub(super) fn csv_row(step: &HistoryStep) -> [String; CSV_TITLES.len()] {
    let latency = |of: fn(&LatencyQuantiles) -> u64| {
        step.latency.as_ref().map(|it| of(it).to_string()).unwrap_or_default()
    };
    let (nano, times) = (step.cost_nano_usd, &step.state_ms);
    [
        text::timestamp(step.at_ms),
        step.beats.to_string(),
        step.lost.to_string(),
        step.ok.to_string(),
        step.failed.to_string(),
        latency(|it| it.p50),
        latency(|it| it.p90),
        latency(|it| it.p95),
        latency(|it| it.p99),
        latency(|it| it.max),
        format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000),
        step.tokens_in.to_string(),
        step.tokens_out.to_string(),
        times.healthy.to_string(),
        times.degraded.to_string(),
        times.unreachable.to_string(),
        times.killed.to_string(),
        times.stopped.to_string(),
        times.unknown.to_string(),
        times.unobserved.to_string(),
    ]
}

/// Returns all steps as CSV with a line of titles, and the outages that began in each.
fn csv(history: &FleetHistory) -> std::io::Result<String> {
    const COLUMNS: usize = CSV_TITLES.len() + 1;
    let titles: [&str; COLUMNS] =
        std::array::from_fn(|at| CSV_TITLES.get(at).copied().unwrap_or("outages"));
    let row = |step: &HistoryStep| -> [String; COLUMNS] {
        let mut cells = csv_row(step).into_iter();
        std::array::from_fn(|_| cells.next().unwrap_or_else(|| step.outages.to_string()))
    };
    csv_text::lines(&titles, history.steps.iter().map(row))
}

#[cfg(test)]
mod tests {
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    use super::*;

    #[test]
    fn a_history_is_a_table_of_steps_with_their_total() {
        let printed = |subject: &str| PrintedHistory {
            subject: subject.to_owned(),
            history: sample::fleet_history(),
        };
        let history = printed("order-processor");
        let fleet = printed(&subject(&sample::fleet_history(), "host:m3*"));
        let formatter = StateFormatter(GlyphSet::Unicode);
        let mut tables =
            [None, Some(100), Some(80)].map(|limit| describe(&history, formatter, limit)).to_vec();
        tables.push(describe(&fleet, formatter, Some(100)));
        assert!(tables[2].lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(tables.join("\n\n"));
    }

    #[test]
    fn a_spreadsheet_gets_every_step() {
        insta::assert_snapshot!(csv(&sample::fleet_history()).unwrap());
    }
}
