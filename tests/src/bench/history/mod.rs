//! What questions about the past cost, on history that was written through the real store, and what it takes.

mod generated_history;
mod questions;
mod scrolling;
mod size;

use std::fs;

use anyhow::{Context as _, Result};

use self::generated_history::{GeneratedHistory, wait_until_folded, write_hours};
use self::questions::{Question, Questions};
use self::scrolling::ScrollingBench;
use self::size::RowSizes;
use crate::result_table::ResultTable;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

#[derive(clap::Args)]
pub(super) struct HistoryBenchArgs {
    /// Only checks that it runs, in a few seconds; the numbers mean little
    #[arg(long)]
    smoke: bool,
    /// Number of agents
    #[arg(long, default_value_t = 10_000)]
    agents: u32,
    /// Days of history, with two outages a day of each agent, and five transitions
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Days of hourly work
    #[arg(long, default_value_t = 90)]
    work_days: u32,
}

pub(super) fn run(args: &HistoryBenchArgs) -> Result<()> {
    let (agents, days, work_days) =
        if args.smoke { (50, 40, 33) } else { (args.agents, args.days, args.work_days) };
    let mut history = GeneratedHistory::open(agents, days)?;
    history.write()?;
    let together = history.fall_silent_together()?;
    history.write_minutes()?;
    let dir = history.close();
    let transitions = f64::from(agents) * f64::from(days) * 5.0;
    let sizes_of_states = fs::metadata(dir.path().join("history.db"))?.len();
    write_hours(dir.path(), agents, work_days)?;
    let history = GeneratedHistory::open_in(dir, agents, days)?;
    wait_until_folded(history.path())?;
    let dir = history.close();
    println!(
        "{agents} agents: {days} days with 5 transitions a day each, {:.0} MB with an hour of minutes; \
         {work_days} days of hourly work\n",
        sizes_of_states as f64 / 1e6,
    );
    RowSizes::measure(dir.path(), transitions)?.print();
    let questions = Questions { dir, agents, days };
    print_questions(&questions, together.as_secs_f64() * 1e3)?;
    let scrolling = match args.smoke {
        true => ScrollingBench { agents: 100, beats: 1_000, pairs: 2 },
        false => ScrollingBench { agents: 10_000, beats: 60_000, pairs: 9 },
    };
    scrolling.run(questions)
}

fn print_questions(questions: &Questions, together_ms: f64) -> Result<()> {
    let mut table = ResultTable::new(&["question", "cold ms", "warm ms", "goal, cold"]);
    let rows: [(&str, Question, &str); 18] = [
        ("the fleet at a moment", Questions::past, "<= 20"),
        ("    with its work of the hour and of the day", Questions::past_with_work, ""),
        ("outages of one agent, 30 days", Questions::outages_of_agent, "<= 5"),
        ("    a plain read of its strips, all", Questions::index_scan, ""),
        ("outages of the fleet, a page of an hour", Questions::outages_of_fleet, ""),
        ("newest 200 outages", Questions::newest_outages, ""),
        ("events of one agent, newest 50", Questions::events_of_agent, ""),
        ("timeline: 40 agents, 120 cells, an hour", Questions::page_of_hour, "<= 50"),
        ("timeline: 40 agents, 120 cells, 30 days", Questions::page_of_month, "<= 50"),
        ("timeline: 40 agents, 120 cells, all days", Questions::page_of_all, "<= 50"),
        ("timeline: all agents in 100 rows, all days", Questions::year_of_groups, "<= 500"),
        ("    a plain scan of all strips", Questions::scan_of_strips, ""),
        ("percentiles of the fleet, 30 days", Questions::percentiles_of_fleet, "<= 50"),
        ("    a plain scan of the fleet's days", Questions::scan_of_fleet, ""),
        ("percentiles of 30 % of the agents, 30 days", Questions::percentiles_of_filter, "<= 250"),
        ("    a plain scan of all agents' days", Questions::scan_of_days, ""),
        ("states and outages of the fleet, 30 days", Questions::states_of_fleet, ""),
        ("    with those of 30 %", Questions::states_of_filter, ""),
    ];
    for (name, question, goal) in rows {
        let cells = [questions.cold(question).context(name)?, questions.warm(question)?];
        let cells = cells.map(|it| format!("{:.2}", it.as_secs_f64() * 1e3));
        table.row(&[name.to_owned(), cells[0].clone(), cells[1].clone(), goal.to_owned()]);
    }
    let name = format!("{} agents fall silent together, until they are durable", questions.agents);
    table.row(&[name, String::new(), format!("{together_ms:.0}"), "<= 100".to_owned()]);
    table.print();
    println!();
    Ok(())
}
