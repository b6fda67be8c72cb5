//! `cargo xtask test`: everything that must pass before a merge, cheapest first.
//!
//! Nothing is skipped: what a step needs and does not find is a failure. The first failure ends the
//! run. The last line is `N passed, N failed`. All of it is compiled once, in the dev profile.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;

use crate::cargo::{self, cargo, program};
use crate::clock::Stopwatch;
use crate::licences;
use crate::tested::Tested;

/// One step of the run.
struct Step {
    title: &'static str,
    run: fn(&mut Tested) -> Result<()>,
}

/// In the order in which they run.
const STEPS: &[Step] = &[
    Step { title: "format", run: format },
    Step { title: "licences", run: licences },
    Step { title: "known answers, in Python", run: python },
    Step { title: "clippy", run: clippy },
    Step { title: "documentation", run: documentation },
    Step { title: "programs", run: programs },
    Step { title: "tests, with 2,000 simulated fleets", run: tests },
    Step { title: "examples in the documentation", run: doc_tests },
    Step { title: "benchmarks run: ingest", run: |it| benchmark("ingest", it) },
    Step { title: "benchmarks run: kill", run: |it| benchmark("kill", it) },
    Step { title: "benchmarks run: emitter", run: |it| benchmark("emitter", it) },
    Step { title: "benchmarks run: tui", run: |it| benchmark("tui", it) },
];

/// Runs all steps.
pub(crate) fn run() -> ExitCode {
    let whole = Stopwatch::start();
    let mut total = Tested::default();
    let mut done: Vec<(&str, Duration, Tested)> = Vec::new();
    let mut failure = None;
    for (number, step) in STEPS.iter().enumerate() {
        println!("\n[{}/{}] {}", number + 1, STEPS.len(), step.title);
        let (watch, mut tested) = (Stopwatch::start(), Tested::default());
        let outcome = (step.run)(&mut tested);
        if outcome.is_err() {
            tested.failed = tested.failed.max(1);
        } else if tested == Tested::default() {
            tested = Tested::ONE;
        }
        total.add(tested);
        done.push((step.title, watch.elapsed(), tested));
        if let Err(error) = outcome {
            println!("    FAILED after {:.1} s: {error:#}", watch.elapsed().as_secs_f64());
            failure = Some(step.title);
            break;
        }
        println!("    ok in {:.1} s", watch.elapsed().as_secs_f64());
    }
    println!("\n{:<36}{:>9}{:>9}{:>9}", "step", "seconds", "passed", "failed");
    for (title, took, tested) in &done {
        let Tested { passed, failed } = tested;
        println!("{title:<36}{:>9.1}{passed:>9}{failed:>9}", took.as_secs_f64());
    }
    for step in &STEPS[done.len()..] {
        println!("{:<36}{:>9}", step.title, "not run");
    }
    println!("{:<36}{:>9.1}", "in all", whole.elapsed().as_secs_f64());
    if let Some(title) = failure {
        println!("stopped at: {title}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if failure.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn format(_: &mut Tested) -> Result<()> {
    cargo::run(&mut cargo("fmt --all --check"))
}

fn licences(_: &mut Tested) -> Result<()> {
    licences::check()
}

fn python(tested: &mut Tested) -> Result<()> {
    counted(&mut program("python3", "tests/spec_emitter/vectors.py"), tested)
}

fn clippy(_: &mut Tested) -> Result<()> {
    cargo::run(&mut cargo("clippy --workspace --all-targets --quiet -- -D warnings"))
}

/// What tests of the whole system run as processes.
fn programs(_: &mut Tested) -> Result<()> {
    cargo::run(&mut cargo("build --workspace --bins --examples --quiet"))
}

fn tests(tested: &mut Tested) -> Result<()> {
    let words = if cargo::has_subcommand("nextest") {
        "nextest run --workspace --no-fail-fast"
    } else {
        "test --workspace --all-targets --no-fail-fast --quiet"
    };
    counted(cargo(words).env("INSTA_UPDATE", "no"), tested)
}

fn doc_tests(tested: &mut Tested) -> Result<()> {
    counted(&mut cargo("test --workspace --doc --quiet"), tested)
}

fn documentation(_: &mut Tested) -> Result<()> {
    let mut cargo = cargo("doc --workspace --no-deps --quiet");
    cargo::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

/// That it still runs; what it measures in the dev profile means nothing.
fn benchmark(name: &str, _: &mut Tested) -> Result<()> {
    cargo::run(&mut cargo(&format!("run --quiet --bin bench -- {name} --smoke")))
}

fn counted(command: &mut Command, tested: &mut Tested) -> Result<()> {
    cargo::run_reading(command, |line| tested.read(line))
}
