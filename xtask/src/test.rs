//! `cargo xtask test`: everything that must pass before a merge, cheapest first.
//!
//! Nothing is skipped: what a step needs and does not find is a failure. The first failure ends the
//! run. The last line is `N passed, N failed`. All of it is compiled once, in the dev profile.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;

use crate::cargo::{self, cargo, program};
use crate::clock::Stopwatch;
use crate::tools::{self, CARGO_DENY, CARGO_MACHETE};

struct TestStep {
    title: &'static str,
    run: fn(&mut TestCounts) -> Result<()>,
}

/// In the order in which they run.
const STEPS: &[TestStep] = &[
    TestStep { title: "format", run: check_format },
    TestStep { title: "licences, bans and sources", run: check_licences },
    TestStep { title: "unused dependencies", run: check_unused_dependencies },
    TestStep { title: "known answers, in Python", run: check_vectors },
    TestStep { title: "clippy", run: check_lints },
    TestStep { title: "documentation", run: build_documentation },
    TestStep { title: "shells for the completions", run: |_| tools::install_shells() },
    TestStep { title: "programs", run: build_programs },
    TestStep { title: "tests, with 2,000 simulated fleets", run: run_tests },
    TestStep { title: "examples in the documentation", run: run_doc_tests },
    TestStep { title: "benchmarks run: ingest", run: |_| run_benchmark("ingest") },
    TestStep { title: "benchmarks run: kill", run: |_| run_benchmark("kill") },
    TestStep { title: "benchmarks run: emitter", run: |_| run_benchmark("emitter") },
    TestStep { title: "benchmarks run: tui", run: |_| run_benchmark("tui") },
];

/// Runs the steps until one fails, and prints a table of them.
pub(crate) fn run() -> ExitCode {
    let whole = Stopwatch::start();
    let mut total = TestCounts::default();
    let mut done: Vec<(&str, Duration, TestCounts)> = Vec::new();
    let mut failed_step = None;
    for (number, step) in STEPS.iter().enumerate() {
        println!("\n[{}/{}] {}", number + 1, STEPS.len(), step.title);
        let (watch, mut counts) = (Stopwatch::start(), TestCounts::default());
        let outcome = (step.run)(&mut counts);
        // A step without tests of its own counts as one.
        match outcome {
            Err(_) => counts.failed = counts.failed.max(1),
            Ok(()) if counts == TestCounts::default() => counts.passed = 1,
            Ok(()) => {}
        }
        total.passed += counts.passed;
        total.failed += counts.failed;
        done.push((step.title, watch.elapsed(), counts));
        if let Err(error) = outcome {
            println!("    FAILED after {:.1} s: {error:#}", watch.elapsed().as_secs_f64());
            failed_step = Some(step.title);
            break;
        }
        println!("    ok in {:.1} s", watch.elapsed().as_secs_f64());
    }
    println!("\n{:<36}{:>9}{:>9}{:>9}", "step", "seconds", "passed", "failed");
    for (title, took, TestCounts { passed, failed }) in &done {
        println!("{title:<36}{:>9.1}{passed:>9}{failed:>9}", took.as_secs_f64());
    }
    for step in &STEPS[done.len()..] {
        println!("{:<36}{:>9}", step.title, "not run");
    }
    println!("{:<36}{:>9.1}", "in all", whole.elapsed().as_secs_f64());
    if let Some(title) = failed_step {
        println!("stopped at: {title}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if failed_step.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn check_format(_: &mut TestCounts) -> Result<()> {
    cargo::run(&mut cargo("fmt --all --check"))
}

/// Not the advisories: their database is fetched from the network at every run.
fn check_licences(_: &mut TestCounts) -> Result<()> {
    let arguments = "check --hide-inclusion-graph bans licenses sources";
    cargo::run(&mut CARGO_DENY.command(arguments)?)
}

fn check_unused_dependencies(_: &mut TestCounts) -> Result<()> {
    cargo::run(&mut CARGO_MACHETE.command("")?)
}

fn check_vectors(counts: &mut TestCounts) -> Result<()> {
    run_counted(&mut program("python3", "tests/spec_emitter/vectors.py"), counts)
}

/// Also without the demo, which operators' machines may leave out.
fn check_lints(_: &mut TestCounts) -> Result<()> {
    cargo::run(&mut cargo("clippy --workspace --all-targets --quiet -- -D warnings"))?;
    let without_demo = "clippy --package heartline-cli --no-default-features --quiet";
    cargo::run(cargo(without_demo).args(["--", "-D", "warnings"]))
}

fn build_documentation(_: &mut TestCounts) -> Result<()> {
    let mut cargo = cargo("doc --workspace --no-deps --quiet");
    cargo::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Builds what tests of the whole system run as processes.
fn build_programs(_: &mut TestCounts) -> Result<()> {
    cargo::run(&mut cargo("build --workspace --bins --examples --quiet"))
}

fn run_tests(counts: &mut TestCounts) -> Result<()> {
    let arguments = if cargo::has_subcommand("nextest") {
        "nextest run --workspace --no-fail-fast"
    } else {
        "test --workspace --all-targets --no-fail-fast --quiet"
    };
    run_counted(cargo(arguments).env("INSTA_UPDATE", "no"), counts)
}

fn run_doc_tests(counts: &mut TestCounts) -> Result<()> {
    run_counted(&mut cargo("test --workspace --doc --quiet"), counts)
}

/// Checks only that it still runs; what it measures in the dev profile means nothing.
fn run_benchmark(name: &str) -> Result<()> {
    cargo::run(&mut cargo(&format!("run --quiet --bin bench -- {name} --smoke")))
}

fn run_counted(command: &mut Command, counts: &mut TestCounts) -> Result<()> {
    cargo::run_by_line(command, |line| counts.add_summary(line))
}

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TestCounts {
    passed: u64,
    failed: u64,
}

impl TestCounts {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; …` (libtest), `Summary [ 3.0s]
    /// 12 tests run: 12 passed, 0 skipped` (nextest) or `12 passed, 0 failed`.
    fn add_summary(&mut self, line: &str) {
        let is_summary = ["test result:", "Summary ["].iter().any(|it| line.contains(it));
        if is_summary || line.ends_with(" failed") {
            self.passed += number_before(line, " passed").unwrap_or(0);
            self.failed += number_before(line, " failed").unwrap_or(0);
        }
    }
}

fn number_before(line: &str, word: &str) -> Option<u64> {
    let (head, _) = line.split_once(word)?;
    head.rsplit(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted_and_nothing_else() {
        let mut counts = TestCounts::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Summary [   3.210s] 40 tests run: 39 passed, 1 failed, 0 skipped",
            "728 passed, 0 failed",
            "test a_lock_is_passed_on ... ok",
            "nothing has failed yet",
        ] {
            counts.add_summary(line);
        }
        assert_eq!(counts, TestCounts { passed: 12 + 3 + 39 + 728, failed: 2 + 1 });
    }
}
