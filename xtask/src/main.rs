//! The commands of this repository: `cargo xtask test`, `sim`, `bench`, `conformance` and
//! `frameworks`.

mod args;
mod cargo;
mod clock;
mod counts;
mod node;
mod python;
mod test;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use args::{BenchCommand, ConformanceArgs, EmittersBenchArgs, SimArgs, XtaskArgs, XtaskCommand};
use python::PythonEnvironment;

fn main() -> ExitCode {
    let outcome = match XtaskArgs::parse().command {
        XtaskCommand::Test => return test::run(),
        XtaskCommand::Sim(args) => run_sim(&args),
        XtaskCommand::Bench(BenchCommand::Emitters(args)) => run_emitters_bench(&args),
        XtaskCommand::Bench(BenchCommand::Other(args)) => run_bench(&args),
        XtaskCommand::Conformance(args) => run_conformance(&args),
        XtaskCommand::Frameworks => test::run_frameworks(),
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
fn run_bench(args: &[OsString]) -> Result<()> {
    cargo::run(&mut cargo::cargo(
        "build --release --bin bench --bin heartline --bin heartlined --quiet",
    ))?;
    cargo::run(cargo::cargo("run --release --quiet --bin bench --").args(args))
}

/// Each is a program of its package, which prints its table.
fn run_emitters_bench(args: &EmittersBenchArgs) -> Result<()> {
    python::check_interpreter()?;
    node::check_interpreter()?;
    node::build()?;
    let python = PythonEnvironment::prepare_for_tests()?;
    for mut bench in [python.python("benchmarks/bench.py"), node::program("benchmarks/bench.mjs")] {
        if args.smoke {
            bench.arg("--quick");
        }
        cargo::run(&mut bench)?;
    }
    Ok(())
}

/// The agents of Node import what its package builds; the others need no installation.
fn run_conformance(args: &ConformanceArgs) -> Result<()> {
    cargo::run_unannounced(&mut cargo::cargo("build --workspace --bins --examples --quiet"))?;
    let is_chosen =
        |name: &str| args.emitters.is_empty() || args.emitters.iter().any(|it| it == name);
    if args.command.is_empty() && is_chosen("node") {
        node::check_interpreter()?;
        node::build()?;
    }
    let mut run = cargo::built("conformance", "")?;
    run.args(["--seed".to_owned(), args.seed.to_string()]);
    run.args(["--hours".to_owned(), args.hours.to_string()]);
    if let Some(collectors) = args.collectors {
        run.args(["--collectors".to_owned(), collectors.to_string()]);
    }
    for emitter in &args.emitters {
        run.args(["--emitter", emitter]);
    }
    cargo::run_unannounced(run.arg("--").args(&args.command))
}
