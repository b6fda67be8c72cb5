//! The commands of this repository: `cargo xtask test`, `sim` and `bench`.

mod bench;
mod cargo;
mod clock;
mod licences;
mod sim;
mod spdx;

mod test;
mod tested;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tests, simulates and measures Heartline.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks everything that can be checked without a network: what must pass before a merge.
    Test,
    /// Runs the simulation, each seed a fleet with a bad network; exits 1 when a promise broke.
    Sim(sim::Arguments),
    /// Measures, and prints a table; no result fails.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test => return test::run(),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
