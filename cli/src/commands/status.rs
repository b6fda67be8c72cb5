//! `heartline status`: the fleet as a table, or JSON.

use heartline_operator::message::{AgentEntry, CollectorStatus, HistoryHealth};

use heartline_operator::{age_ms, json, text};
use heartline_vocabulary::{CONNECTION_COUNTERS, DATAGRAM_COUNTERS};

use super::parse_filter;
use crate::act::agents;
use crate::args::StatusArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::{StateFormatter, alert};
use crate::table::{self, Table, TableColumn};
use crate::targets::{FleetSnapshot, filter_selector};

/// The columns of the table; on a narrow terminal the optional ones are left out.
const COLUMNS: [TableColumn; 15] = [
    TableColumn::left("STATE", 0),
    TableColumn::left("AGENT", 0),
    TableColumn::left("HOST", 2),
    TableColumn::right("SINCE", 3),
    TableColumn::right("BEAT", 0),
    TableColumn::right("STEP", 0),
    TableColumn::left("DOING", 6),
    TableColumn::right("OK%", 1),
    TableColumn::right("P50", 7),
    TableColumn::right("P95", 4),
    TableColumn::right("P99", 8),
    TableColumn::right("TASK/M", 5),
    TableColumn::right("$ 1H", 5),
    TableColumn::right("$ DAY", 6),
    TableColumn::right("STARTS", 9),
];

const START_ONE: &str = "Start one: cargo run --example minimal_agent";

/// Runs the command.
pub(crate) async fn run(
    args: &StatusArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let filter = parse_filter(args.filter.as_deref())?;
    let client = settings.connect().await?;
    let (entries, collector) = client.snapshot(filter_selector(&filter)).await?;
    let fleet = FleetSnapshot::new(entries, collector);
    let shown = &fleet.entries;
    if args.json {
        let document = json::status(shown, &fleet.collector, fleet.now_ms());
        console.print_json(&document)?;
    } else {
        let (formatter, columns) = (console.formatter, console.terminal.columns);
        console.print(&summary(&fleet, formatter, columns))?;
        console.print(&collector_lines(&fleet.collector, columns))?;
        if !shown.is_empty() {
            let row = |entry: &AgentEntry| row(entry, fleet.now_ms(), formatter);
            let table = Table::new(&COLUMNS, shown, row, columns);
            console.print_lines(std::iter::once("\n".to_owned()).chain(table.lines()))?;
        }
    }
    let failed = shown.iter().any(|entry| args.fail_on.contains(&entry.vitals.state));
    // The program ends, and the system frees a large fleet faster than agent by agent.
    std::mem::forget(fleet);
    Ok(CommandExit::negative_if(failed))
}

/// Counts the agents by state.
fn summary(fleet: &FleetSnapshot, formatter: StateFormatter, columns: Option<usize>) -> String {
    let summary = &fleet.collector.summary;
    let mut parts = match summary.total {
        0 => vec!["No agents yet.".to_owned(), START_ONE.to_owned()],
        total => vec![agents(total as usize)],
    };
    // Unknown is never "all clear": it is shown also when all other counts are 0.
    parts.extend(summary.present().map(|(status, count)| formatter.count(status, count)));
    let shown = fleet.entries.len();
    if shown != summary.total as usize {
        parts.push(format!("({shown} shown)"));
    }
    table::wrap(&parts, "   ", columns)
}

/// Returns the counters of connections that were not served.
fn closed_connections(
    collector: &CollectorStatus,
) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    let closed = CONNECTION_COUNTERS.iter().filter(|counter| counter.name != "served");
    closed.map(|counter| (counter.label, counter.read(&collector.connections)))
}

/// Describes the collector, always with what it dropped, refused and did not observe.
fn collector_lines(collector: &CollectorStatus, columns: Option<usize>) -> String {
    let up = text::age(age_ms(collector.started_ms, collector.at_ms));
    let facts = [
        format!("collector {} {}", collector.host, collector.version),
        format!("up {up}"),
        format!("{:.1} beat/s", collector.beats_per_second),
        format!("listens on {}", collector.udp.join(", ")),
    ];
    let mut text = table::wrap(&facts, "  ", columns);
    text.push('\n');
    let losses = DATAGRAM_COUNTERS.iter().filter(|counter| counter.loss.is_some());
    let losses = losses.map(|counter| (counter.label, counter.read(&collector.datagrams)));
    let losses: Vec<_> = losses
        .chain([("gaps", u64::from(collector.gaps))])
        .chain(closed_connections(collector))
        .filter(|(_, count)| *count > 0)
        .map(|(label, count)| alert(&format!("{label} {}", text::count(count))))
        .collect();
    match losses.as_slice() {
        [] => text.push_str(&wrap_words(
            "nothing dropped, refused or unobserved since its start",
            columns,
        )),
        losses => text.push_str(&table::wrap(losses, "  ", columns)),
    }
    if let Some(end) = collector.last_gap_ms {
        let ago = text::age(age_ms(end, collector.at_ms));
        text.push_str(&format!("\nthe newest gap ended {ago} ago"));
    }
    if let HistoryHealth::Paused(why) = &collector.history {
        let banner = wrap_words(&format!("! history is paused: {why}"), columns);
        text.push_str(&format!("\n{}", alert(&banner)));
    }
    for banner in &collector.banners {
        let banner = wrap_words(&format!("! {banner}"), columns);
        text.push_str(&format!("\n{}", alert(&banner)));
    }
    text
}

fn wrap_words(text: &str, columns: Option<usize>) -> String {
    let words: Vec<_> = text.split(' ').map(ToOwned::to_owned).collect();
    table::wrap(&words, " ", columns)
}

fn row(entry: &AgentEntry, now_ms: i64, formatter: StateFormatter) -> Vec<String> {
    let none = || "-".to_owned();
    let age = |ms: Option<u64>| ms.map_or_else(none, text::age);
    let (vitals, work) = (&entry.vitals, &entry.work);
    let latency = |of: fn(&heartline_operator::message::LatencyQuantiles) -> u64| {
        work.latency.as_ref().map_or_else(none, |latency| text::latency(of(latency)))
    };
    vec![
        formatter.vitals(vitals),
        entry.agent.clone(),
        entry.identity.shared.host.as_deref().map_or_else(none, ToOwned::to_owned),
        text::age(vitals.state_age_ms(now_ms)),
        age(vitals.beat_age_ms(now_ms)),
        age(vitals.progress_age_ms(now_ms)),
        vitals.step.clone().unwrap_or_else(none),
        work.success_rate().map_or_else(none, text::percent),
        latency(|l| l.p50),
        latency(|l| l.p95),
        latency(|l| l.p99),
        entry.tasks_per_minute(now_ms).map_or_else(none, |rate| format!("{rate:.1}")),
        text::money(work.cost_nano_usd),
        text::money(work.cost_today_nano_usd),
        vitals.starts.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use heartline_vocabulary::DatagramCounters;

    use super::*;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    fn fleet() -> FleetSnapshot {
        let entries = vec![
            sample::healthy_agent(1, "order-processor"),
            sample::silent_agent(2, "report-generator"),
            sample::killed_agent(3, "mail.7"),
        ];
        let collector = sample::collector(&entries);
        FleetSnapshot::new(entries, collector)
    }

    #[test]
    fn the_table_has_what_fits_and_the_worst_first() {
        let formatter = StateFormatter(GlyphSet::Unicode);
        let fleet = fleet();
        let rows = || fleet.entries.iter().map(|entry| row(entry, fleet.now_ms(), formatter));
        let draw = |limit| strip_str(&table::draw(&COLUMNS, rows(), limit)).to_string();
        let tables = [None, Some(80), Some(60)].map(draw);
        assert!(tables[1].lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(tables.join("\n"));
    }

    #[test]
    fn losses_and_gaps_are_shown() {
        let mut collector = CollectorStatus {
            gaps: 0,
            last_gap_ms: None,
            datagrams: DatagramCounters::default(),
            ..sample::collector(&[])
        };
        let calm = collector_lines(&collector, None);
        assert!(calm.contains("nothing dropped"), "{calm}");
        collector.datagrams =
            DatagramCounters { bad_tag: 3, kernel_dropped: 12_000, ..DatagramCounters::default() };
        collector.gaps = 1;
        collector.last_gap_ms = Some(sample::NOW_MS - 60_000);
        collector.history = HistoryHealth::Paused("the disk is full".into());
        collector.banners = vec!["receive buffer clipped".into()];
        insta::assert_snapshot!(strip_str(&collector_lines(&collector, None)));
        let narrow = strip_str(&collector_lines(&collector, Some(30))).to_string();
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    }

    #[test]
    fn unknown_agents_are_counted_separately() {
        let mut fleet = fleet();
        fleet.collector.summary.unknown = 2;
        fleet.entries.truncate(1);
        let line = summary(&fleet, StateFormatter(GlyphSet::Ascii), None);
        assert_eq!(
            strip_str(&line).to_string(),
            "3 agents   + 1 healthy   X 1 unreachable   # 1 killed   ? 2 unknown   (1 shown)"
        );
    }
}
