//! Runs the simulation. Fails when an invariant was violated, and prints how to replay the run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use heartline_tests::clock;
use heartline_tests::sim::{self, SimReport};

#[derive(clap::Parser)]
struct SimArgs {
    /// Number of seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// First seed; with `--seeds 1` it replays a failure.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of steps to print of each of the first three failures.
    #[arg(long, default_value_t = 60)]
    lines: usize,
}

/// Number of seeds between two lines of progress.
const PROGRESS_EVERY: u64 = 10_000;

fn main() -> ExitCode {
    let SimArgs { seeds, seed, lines } = SimArgs::parse();
    let began = clock::monotonic();
    let (mut done, mut all_passed) = (0, true);
    while done < seeds {
        let report = sim::run(seed.wrapping_add(done), PROGRESS_EVERY.min(seeds - done), lines);
        done += report.runs;
        all_passed &= report.failures.is_empty();
        print(&report, done, seeds, clock::monotonic() - began);
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &SimReport, done: u64, seeds: u64, elapsed: Duration) {
    for failure in &report.failures {
        println!("{failure}\n  replay: cargo xtask sim --seed {} --seeds 1", failure.seed);
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
