//! `heartline status`: the fleet as a table, or JSON.

use std::panic::resume_unwind;

use heartline_operator::client::SnapshotPage;
use heartline_operator::message::{AgentEntry, CollectorStatus};
use heartline_operator::{WorstFirst, age_ms, json, sort_worst_first, text};
use heartline_vocabulary::{CONNECTION_COUNTERS, DATAGRAM_COUNTERS, State};
use tokio::sync::mpsc;

use super::parse_filter;
use crate::act::agents;
use crate::args::StatusArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::{StateFormatter, alert};
use crate::table::{self, Table, TableColumn};
use crate::targets::filter_selector;

/// The place of the name among the columns.
const AGENT: usize = 1;

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

/// Pages that wait for their rows to be made.
const PAGES: usize = 64;

/// Runs the command.
pub(crate) async fn run(
    args: &StatusArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let selector = filter_selector(&parse_filter(args.filter.as_deref())?);
    let client = settings.connect().await?;
    let is_failure = |entry: &AgentEntry| args.fails_on(entry.vitals.state);
    let is_collector_failure =
        |collector: &CollectorStatus| args.fails_on_collector() && collector.is_in_trouble();
    if args.json {
        let (entries, collector) = client.snapshot(selector).await?;
        let entries = sort_worst_first(entries);
        console.print_json(&json::status(&entries, &collector, collector.at_ms))?;
        let failed = entries.iter().any(is_failure) || is_collector_failure(&collector);
        // The program ends, and the system frees a large fleet faster than agent by agent.
        std::mem::forget(entries);
        return Ok(CommandExit::negative_if(failed));
    }
    let (formatter, columns) = (console.formatter, console.terminal.columns);
    // The rows of a large fleet are made while more of it comes, and all that is kept of it.
    let (rows_tx, mut rows_rx) = mpsc::channel::<SnapshotPage>(PAGES);
    let rows = tokio::task::spawn_blocking(move || {
        let mut table = StatusTable::new(formatter);
        while let Some(page) = rows_rx.blocking_recv() {
            table.add(&page);
        }
        table
    });
    let mut pages = client.snapshot_pages(selector).await?;
    let (mut failed, mut shown) = (false, 0);
    let collector = loop {
        let page = pages.next().await?;
        failed |= page.entries.iter().any(is_failure);
        shown += page.entries.len();
        let last = page.is_last.then(|| page.collector.clone());
        // Whoever takes the pages ends after them, or by a panic, which is passed on below.
        let _ = rows_tx.send(page).await;
        if let Some(collector) = last {
            break collector;
        }
    };
    drop(rows_tx);
    console.print(&summary(shown, &collector, formatter, columns))?;
    console.print(&collector_lines(&collector, columns))?;
    let table = rows.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
    if shown > 0 {
        console.print_lines(std::iter::once("\n".to_owned()).chain(table.lines(columns)))?;
    }
    std::mem::forget(table);
    Ok(CommandExit::negative_if(failed || is_collector_failure(&collector)))
}

/// The fleet as a table.
struct StatusTable {
    formatter: StateFormatter,
    table: Table<'static>,
    /// The state of each row, and its begin.
    states: Vec<(State, i64)>,
}

impl StatusTable {
    fn new(formatter: StateFormatter) -> Self {
        Self { formatter, table: Table::new(&COLUMNS), states: Vec::new() }
    }

    fn add(&mut self, page: &SnapshotPage) {
        for entry in &page.entries {
            self.table.push(&row(entry, page.collector.at_ms, self.formatter));
            self.states.push((entry.vitals.state, entry.vitals.since_ms));
        }
    }

    /// Returns the lines of the table, the worst first, then by name.
    fn lines(&self, limit: Option<usize>) -> impl Iterator<Item = String> {
        let place = |(row, &(state, since_ms)): (usize, &(State, i64))| {
            (WorstFirst::new(state, since_ms, self.table.cell(row, AGENT)), row)
        };
        let mut order: Vec<_> = self.states.iter().enumerate().map(place).collect();
        order.sort_unstable();
        self.table.lines(order.into_iter().map(|(_, row)| row), limit)
    }
}

/// Counts the agents by state.
fn summary(
    shown: usize,
    collector: &CollectorStatus,
    formatter: StateFormatter,
    columns: Option<usize>,
) -> String {
    let summary = &collector.summary;
    let mut parts = match summary.total {
        0 => vec!["No agents yet.".to_owned(), START_ONE.to_owned()],
        total => vec![agents(total as usize)],
    };
    // Unknown is never "all clear": it is shown also when all other counts are 0.
    parts.extend(summary.present().map(|(status, count)| formatter.count(status, count)));
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
    let name = format!("collector {} {}", collector.host, collector.version);
    // An incident file listens nowhere, and knows nothing of what its collector dropped.
    if collector.udp.is_empty() {
        return name + &warning_lines(collector, columns);
    }
    let facts = [
        name,
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
    text + &warning_lines(collector, columns)
}

fn warning_lines(collector: &CollectorStatus, columns: Option<usize>) -> String {
    let warnings = collector.warnings().map(|warning| {
        let warning = wrap_words(&format!("! {warning}"), columns);
        format!("\n{}", alert(&warning))
    });
    warnings.collect()
}

fn wrap_words(text: &str, columns: Option<usize>) -> String {
    let words: Vec<_> = text.split(' ').map(ToOwned::to_owned).collect();
    table::wrap(&words, " ", columns)
}

fn row(entry: &AgentEntry, now_ms: i64, formatter: StateFormatter) -> [String; COLUMNS.len()] {
    let none = || "-".to_owned();
    let age = |ms: Option<u64>| ms.map_or_else(none, text::age);
    let (vitals, work) = (&entry.vitals, &entry.work);
    let latency = |of: fn(&heartline_operator::message::LatencyQuantiles) -> u64| {
        work.latency.as_ref().map_or_else(none, |latency| text::latency(of(latency)))
    };
    [
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
    use heartline_operator::message::HistoryHealth;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;
    use heartline_vocabulary::DatagramCounters;

    use super::*;

    fn fleet() -> SnapshotPage {
        let entries = vec![
            sample::healthy_agent(1, "order-processor"),
            sample::silent_agent(2, "report-generator"),
            sample::killed_agent(3, "mail.7"),
        ];
        let collector = Box::new(sample::collector(&entries));
        SnapshotPage { entries, collector, is_last: true }
    }

    #[test]
    fn the_table_has_what_fits_and_the_worst_first() {
        let mut table = StatusTable::new(StateFormatter(GlyphSet::Unicode));
        table.add(&fleet());
        let draw = |limit| strip_str(&table.lines(limit).collect::<String>()).to_string();
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
        let mut collector = fleet().collector;
        collector.summary.unknown = 2;
        let line = summary(1, &collector, StateFormatter(GlyphSet::Ascii), None);
        assert_eq!(
            strip_str(&line).to_string(),
            "3 agents   + 1 healthy   X 1 unreachable   # 1 killed   ? 2 unknown   (1 shown)"
        );
    }
}
