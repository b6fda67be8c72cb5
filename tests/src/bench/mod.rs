//! Benchmarks: programs that print a table. They are run by hand, and shortly by the test command,
//! which looks at nothing but whether they still run. Ratios are taken in one run on one machine.

mod emitter;
mod ingest;
mod kill;
mod machine;
mod table;
mod tui;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Heartline, and prints a table.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
pub struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// CPU per beat on its way from the socket to judged state, and memory per agent.
    Ingest(ingest::Arguments),
    /// From an operator's kill to the agent's obedience.
    Kill(EffortArgument),
    /// What `report()` and `task()` cost an agent.
    Emitter(EffortArgument),
    /// Bytes that the terminal app sends while nothing much happens.
    Tui(EffortArgument),
}

/// Runs what the arguments ask for.
///
/// # Errors
/// When it could not be measured; never because of what was measured.
pub fn run(arguments: &Arguments) -> Result<()> {
    println!("{}", machine::describe());
    match &arguments.benchmark {
        Benchmark::Ingest(arguments) => ingest::run(arguments),
        Benchmark::Kill(effort) => kill::run(effort.effort()),
        Benchmark::Tui(effort) => tui::run(effort.effort()),
        Benchmark::Emitter(effort) => emitter::run(effort.effort()),
    }
}

/// How thorough a measurement is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// Long enough for numbers to be worth something.
    Full,
    /// Just enough to see that it still runs.
    Smoke,
}

/// The choice that every benchmark offers.
#[derive(clap::Args)]
struct EffortArgument {
    /// Only see that it runs, in a few seconds: the numbers then mean little.
    #[arg(long)]
    smoke: bool,
}

impl EffortArgument {
    fn effort(&self) -> Effort {
        if self.smoke { Effort::Smoke } else { Effort::Full }
    }
}
