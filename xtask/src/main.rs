//! The commands of this repository: `cargo xtask test`, `sim` and `bench`.

mod args;
mod cargo;
mod clock;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use args::{BenchArgs, SimArgs, XtaskArgs, XtaskCommand};

fn main() -> ExitCode {
    let outcome = match XtaskArgs::parse().command {
        XtaskCommand::Test => return test::run(),
        XtaskCommand::Sim(args) => run_sim(&args),
        XtaskCommand::Bench(args) => run_bench(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_sim(SimArgs { seeds, seed, lines }: &SimArgs) -> Result<()> {
    cargo::run(&mut cargo::cargo(&format!(
        "run --release --quiet --bin sim -- --seeds {seeds} --seed {seed} --lines {lines}"
    )))
}

/// The benchmarks start `heartline` and `heartlined` as processes.
fn run_bench(args: &BenchArgs) -> Result<()> {
    cargo::run(&mut cargo::cargo(
        "build --release --bin bench --bin heartline --bin heartlined --quiet",
    ))?;
    let mut bench = cargo::cargo("run --release --quiet --bin bench --");
    cargo::run(bench.args(&args.args))
}
