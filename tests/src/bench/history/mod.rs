//! What questions about the past cost, on history that was written through the real store, and what it takes.

mod generated_history;
mod questions;
mod scrolling;
mod size;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::generated_history::{GeneratedHistory, write_hours};
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
    /// Directory in which the history is left; the questions are put to one that is there
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Only questions with this in their name, and nothing beside clients that scroll
    #[arg(long)]
    question: Option<String>,
}

pub(super) fn run(args: &HistoryBenchArgs) -> Result<()> {
    let (agents, days, work_days) =
        if args.smoke { (50, 40, 33) } else { (args.agents, args.days, args.work_days) };
    let temporary = tempfile::tempdir().context("can't make a data directory")?;
    let dir = args.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let together = if dir.join("history.db").exists() {
        // What has become due since is no part of a question.
        let history = GeneratedHistory::open(&dir, agents, days)?;
        history.wait_until_folded()?;
        history.close();
        None
    } else {
        Some(generate(&dir, agents, days, work_days)?)
    };
    let transitions = f64::from(agents) * f64::from(days) * 5.0;
    if args.question.is_none() {
        RowSizes::measure(&dir, transitions)?.print();
    }
    let questions = Questions { dir, agents, days };
    print_questions(&questions, together, args.question.as_deref())?;
    if args.question.is_some() {
        return Ok(());
    }
    let scrolling = match args.smoke {
        true => ScrollingBench { agents: 100, beats: 1_000, pairs: 2 },
        false => ScrollingBench { agents: 10_000, beats: 60_000, pairs: 9 },
    };
    scrolling.run(questions)
}

/// Generates a history; returns how long it took until the transitions of all agents at once were durable.
fn generate(dir: &Path, agents: u32, days: u32, work_days: u32) -> Result<Duration> {
    fs::create_dir_all(dir)?;
    let mut history = GeneratedHistory::open(dir, agents, days)?;
    history.write()?;
    let together = history.fall_silent_together()?;
    history.write_minutes()?;
    history.close();
    let len = fs::metadata(dir.join("history.db"))?.len();
    write_hours(dir, agents, work_days)?;
    let history = GeneratedHistory::open(dir, agents, days)?;
    history.wait_until_folded()?;
    history.close();
    println!(
        "{agents} agents: {days} days with 5 transitions a day each, {:.0} MB with an hour of minutes; \
         {work_days} days of hourly work\n",
        len as f64 / 1e6,
    );
    Ok(together)
}

fn print_questions(
    questions: &Questions,
    together: Option<Duration>,
    wanted: Option<&str>,
) -> Result<()> {
    let mut table = ResultTable::new(&["question", "cold ms", "warm ms", "goal, cold"]);
    let rows: [(&str, Question, &str); 20] = [
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
        ("    in cells that begin at no full day", Questions::page_of_all_uneven, ""),
        ("timeline: all agents in 100 rows, all days", Questions::year_of_groups, "<= 500"),
        ("    in cells that begin at no full day", Questions::year_of_groups_uneven, ""),
        ("    a plain scan of all strips", Questions::scan_of_strips, ""),
        ("percentiles of the fleet, 30 days", Questions::percentiles_of_fleet, "<= 50"),
        ("    a plain scan of the fleet's days", Questions::scan_of_fleet, ""),
        ("percentiles of 30 % of the agents, 30 days", Questions::percentiles_of_filter, "<= 250"),
        ("    a plain scan of all agents' days", Questions::scan_of_days, ""),
        ("states and outages of the fleet, 30 days", Questions::states_of_fleet, ""),
        ("    with those of 30 %", Questions::states_of_filter, ""),
    ];
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| name.contains(wanted));
    for (name, question, goal) in rows.into_iter().filter(|row| is_wanted(row.0)) {
        let cells = [questions.cold(question).context(name)?, questions.warm(question)?];
        let cells = cells.map(|it| format!("{:.2}", it.as_secs_f64() * 1e3));
        table.row(&[name.to_owned(), cells[0].clone(), cells[1].clone(), goal.to_owned()]);
    }
    if let Some(together) = together {
        let name = format!("{} agents fall silent together, until durable", questions.agents);
        let ms = format!("{:.0}", together.as_secs_f64() * 1e3);
        table.row(&[name, String::new(), ms, "<= 100".to_owned()]);
    }
    table.print();
    println!();
    Ok(())
}
