//! `heartline status --at T`: the fleet as it was at a moment.

use heartline_operator::client::ClientError;
use heartline_operator::message::{ErrorCode, PastAgent, PastFleet, PastWork, Reply, Request};
use heartline_operator::time::{TimeContext, describe};
use heartline_operator::{WorstFirst, json, text};

use super::parse_filter;
use crate::act::agents;
use crate::args::StatusArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::{StateFormatter, alert};
use crate::table::{self, TableColumn};
use crate::time_range::parse_moment;

/// The columns of the table; on a narrow terminal the optional ones are left out. What is not known of the
/// past has none.
const COLUMNS: [TableColumn; 10] = [
    TableColumn::left("STATE", 0),
    TableColumn::left("AGENT", 0),
    TableColumn::left("HOST", 2),
    TableColumn::right("SINCE", 0),
    TableColumn::right("OK%", 1),
    TableColumn::right("P50", 5),
    TableColumn::right("P95", 4),
    TableColumn::right("P99", 6),
    TableColumn::right("$ 1H", 3),
    TableColumn::right("STARTS", 7),
];

/// Runs the command.
pub(crate) async fn run(
    args: &StatusArgs,
    at: &str,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?.as_str().to_owned();
    let moment = parse_moment("--at", at)?;
    let client = settings.connect().await?;
    // By the collector's clock: the one of this machine may be wrong.
    let now_ms = client.greeting().collector.at_ms;
    let at_ms = moment.lookup(&client).await?;
    let fleet = match client.request(Request::Past { at_ms, filter, with_work: true }).await {
        Ok(Reply::Past(fleet)) => fleet,
        Ok(_) => return Err(ClientError::Unexpected { what: "past" }.into()),
        Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => {
            return Err(CliError::NotDone(message));
        }
        Err(error) => return Err(error.into()),
    };
    if args.json {
        console.print_json(&json::past(&fleet))?;
    } else {
        let (formatter, columns) = (console.formatter, console.terminal.columns);
        console.print(&describe_fleet(&fleet, now_ms, formatter, columns))?;
    }
    let failed = fleet.agents.iter().any(|agent| args.fails_on(agent.status.state));
    let was_unobserved = args.fails_on_collector() && fleet.gap.is_some();
    Ok(CommandExit::negative_if(failed || was_unobserved))
}

fn describe_fleet(
    fleet: &PastFleet,
    now_ms: i64,
    formatter: StateFormatter,
    columns: Option<usize>,
) -> String {
    let mut parts = vec![agents(fleet.agents.len())];
    let summary = fleet.summary();
    parts.extend(summary.present().map(|(status, count)| formatter.count(status, count)));
    let when = describe(fleet.at_ms, &TimeContext::utc(now_ms));
    let mut lines = vec![table::wrap(&parts, "   ", columns), format!("as it was on {when}")];
    if let Some(gap) = fleet.gap {
        let (from, to) = (text::timestamp(gap.from_ms), text::timestamp(gap.to_ms));
        lines.push(alert(&format!(
            "! not observed from {from} to {to} ({}): this is how it was before",
            gap.cause.name()
        )));
    }
    if fleet.work == PastWork::HourOf && !fleet.agents.is_empty() {
        lines.push("~ work of the whole hour: finer work is not kept for so long".to_owned());
    }
    if !fleet.agents.is_empty() {
        let mut sorted: Vec<_> = fleet.agents.iter().collect();
        sorted.sort_by_cached_key(|agent| {
            WorstFirst::new(agent.status.state, agent.since_ms, &agent.agent)
        });
        let rows = sorted.into_iter().map(|agent| row(agent, fleet, formatter).to_vec());
        lines.push(format!("\n{}", table::draw(&COLUMNS, rows, columns).trim_end()));
    }
    lines.join("\n")
}

fn row(past: &PastAgent, fleet: &PastFleet, formatter: StateFormatter) -> [String; COLUMNS.len()] {
    let none = || "-".to_owned();
    let work = &past.work;
    let mark = if fleet.work == PastWork::HourOf { "~" } else { "" };
    let latency = |of: fn(&heartline_operator::message::LatencyQuantiles) -> u64| {
        work.latency.as_ref().map_or_else(none, |it| format!("{mark}{}", text::latency(of(it))))
    };
    let since_ms = fleet.at_ms.saturating_sub(past.since_ms).max(0).cast_unsigned();
    [
        formatter.status(past.status),
        past.agent.clone(),
        past.identity.shared.host.as_deref().map_or_else(none, ToOwned::to_owned),
        text::age(since_ms),
        work.success_rate().map_or_else(none, |rate| format!("{mark}{}", text::percent(rate))),
        latency(|it| it.p50),
        latency(|it| it.p95),
        latency(|it| it.p99),
        format!("{mark}{}", text::money(work.cost_nano_usd)),
        past.starts.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use heartline_operator::sample::{self, NOW_MS};
    use heartline_operator::text::GlyphSet;

    use super::*;

    #[test]
    fn the_past_is_a_table_without_what_is_not_known_of_it() {
        let formatter = StateFormatter(GlyphSet::Unicode);
        let draw = |limit| {
            let text = describe_fleet(&sample::past_fleet(), NOW_MS, formatter, limit);
            strip_str(&text).to_string()
        };
        let texts = [None, Some(80), Some(60)].map(draw);
        insta::assert_snapshot!(texts.join("\n\n"));
    }
}
