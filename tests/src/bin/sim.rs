//! Runs the simulation. Fails when a promise broke, and prints how to see it again.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use heartline_tests::clock;
use heartline_tests::sim::{self, Report};

/// What to simulate.
#[derive(clap::Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed; with `--seeds 1` it replays a failure.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of the first three failures, how many of the last lines of what happened to print.
    #[arg(long, default_value_t = 60)]
    lines: usize,
}

/// Seeds from one line about the progress to the next.
const SLICE: u64 = 10_000;

fn main() -> ExitCode {
    let Arguments { seeds, seed, lines } = Arguments::parse();
    let began = clock::monotonic();
    let (mut done, mut all_kept) = (0, true);
    while done < seeds {
        let report = sim::run(seed.wrapping_add(done), SLICE.min(seeds - done), lines);
        done += report.runs;
        all_kept &= report.failures.is_empty();
        print(&report, done, seeds, clock::monotonic() - began);
    }
    if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report, done: u64, seeds: u64, elapsed: Duration) {
    for failure in &report.failures {
        println!("{failure}\n  again: cargo xtask sim --seed {} --seeds 1", failure.seed);
    }
    println!(
        "{done} of {seeds} seeds, {:.0} a second; the last {}: {} steps, {} h simulated, {} failed",
        done as f64 / elapsed.as_secs_f64(),
        report.runs,
        report.steps,
        report.simulated_time.as_secs() / 3_600,
        report.failures.len(),
    );
}
