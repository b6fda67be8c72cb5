//! Benchmarks that print a table. The test command runs them shortly, to check that they still run.
//! Ratios are measured in one run on one machine.

mod alerts;
mod emitter;
mod exit;
mod history;
mod ingest;
mod kill;
mod live_agents;
mod machine;
mod synthetic_fleet;
mod tui;
mod year;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Heartline, and prints a table.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
pub struct BenchArgs {
    #[command(subcommand)]
    benchmark: BenchCommand,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// From judged to told, what is missing after many kills, and many agents that fall silent together.
    Alerts(alerts::AlertsBenchArgs),
    /// CPU per beat on its way from the socket to judged state, and memory per agent.
    Ingest(ingest::IngestBenchArgs),
    /// Time from an operator's command to the agents: one by one, and up to 100,000 at once.
    Kill(BenchModeArg),
    /// CPU cost of `report()` and `task()`.
    Emitter(BenchModeArg),
    /// Bytes that the terminal app sends for a calm fleet, and how soon its timeline answers a key.
    Tui(BenchModeArg),
    /// Time from the end of a program under `heartline run` to what operators see.
    Exit(BenchModeArg),
    /// What questions about the past cost, and what history takes on the disk.
    History(history::HistoryBenchArgs),
    /// What people are told in a year of 200 agents, what of it is false, and what is missed.
    Year(year::YearBenchArgs),
}

/// Runs a benchmark.
///
/// # Errors
/// When it could not be measured; never because of the result.
pub fn run(arguments: &BenchArgs) -> Result<()> {
    println!("{}", machine::describe());
    match &arguments.benchmark {
        BenchCommand::Alerts(arguments) => alerts::run(arguments),
        BenchCommand::Ingest(arguments) => ingest::run(arguments),
        BenchCommand::Kill(mode) => kill::run(mode.mode()),
        BenchCommand::Tui(mode) => tui::run(mode.mode()),
        BenchCommand::Emitter(mode) => emitter::run(mode.mode()),
        BenchCommand::Exit(mode) => exit::run(mode.mode()),
        BenchCommand::History(arguments) => history::run(arguments),
        BenchCommand::Year(arguments) => year::run(arguments),
    }
}

/// Duration of a measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BenchMode {
    Full,
    /// Just enough to check that it still runs.
    Smoke,
}

#[derive(clap::Args)]
struct BenchModeArg {
    /// Only checks that it runs, in a few seconds; the numbers mean little.
    #[arg(long)]
    smoke: bool,
}

impl BenchModeArg {
    fn mode(&self) -> BenchMode {
        if self.smoke { BenchMode::Smoke } else { BenchMode::Full }
    }
}
