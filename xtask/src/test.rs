//! `cargo xtask test`: everything that must pass before a merge, cheapest first.
//!
//! Nothing is skipped: what a step needs and does not find is a failure. The first failure ends the
//! run. The last line is `N passed, N failed`. All of it is compiled once, in the dev profile. The
//! environment of Python waits for the network most of the time: it is made while Rust is compiled.

use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use crate::cargo::{self, cargo, program};
use crate::clock::Stopwatch;
use crate::counts::TestCounts;
use crate::python::PythonEnvironment;
use crate::tools::{self, CARGO_DENY, CARGO_MACHETE};
use crate::{node, python};

struct TestStep {
    title: &'static str,
    run: fn(&mut TestCounts) -> Result<()>,
}

/// In the order in which they run.
const STEPS: &[TestStep] = &[
    TestStep { title: "format", run: check_format },
    TestStep { title: "Python and Node are there", run: |_| begin_python() },
    TestStep { title: "licences, bans and sources", run: check_licences },
    TestStep { title: "unused dependencies", run: check_unused_dependencies },
    TestStep { title: "known answers, in Python", run: check_vectors },
    TestStep { title: "clippy", run: check_lints },
    TestStep { title: "documentation", run: build_documentation },
    TestStep { title: "shells, Alertmanager, Redis", run: |_| tools::install_programs() },
    TestStep { title: "programs", run: build_programs },
    TestStep { title: "Python: environment", run: |_| prepare_python() },
    TestStep { title: "Python: types", run: |_| check_python_types() },
    TestStep { title: "Python: tests", run: run_python_tests },
    TestStep { title: "Python: wheel and sdist", run: |_| check_python_distributions() },
    TestStep { title: "Node: dependencies", run: |_| node::install_dependencies() },
    TestStep { title: "Node: build and tests", run: run_node_tests },
    TestStep { title: "emitters count exactly", run: |_| check_conformance() },
    TestStep { title: "tests, with 2,000 simulated fleets", run: run_tests },
    TestStep { title: "examples in the documentation", run: run_doc_tests },
    TestStep { title: "benchmarks run: alerts", run: |_| run_benchmark("alerts") },
    TestStep { title: "benchmarks run: ingest", run: |_| run_benchmark("ingest") },
    TestStep { title: "benchmarks run: kill", run: |_| run_benchmark("kill") },
    TestStep { title: "benchmarks run: emitter", run: |_| run_benchmark("emitter") },
    TestStep { title: "benchmarks run: tui", run: |_| run_benchmark("tui") },
    TestStep { title: "benchmarks run: exit", run: |_| run_benchmark("exit") },
    TestStep { title: "benchmarks run: history", run: |_| run_benchmark("history") },
    TestStep { title: "benchmarks run: year", run: |_| run_benchmark("year") },
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
    if failed_step.is_some() {
        // It is not cut off half made.
        let _made = prepare_python();
    }
    println!("\n{:<36}{:>9}{:>9}{:>9}", "step", "seconds", "passed", "failed");
    for (title, took, TestCounts { passed, failed, .. }) in &done {
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

/// At the beginning, so that nobody waits for minutes to hear it.
fn check_interpreters() -> Result<()> {
    python::check_interpreter()?;
    node::check_interpreter()
}

/// The thread that makes the environment of Python, until somebody waits for it.
static PYTHON: Mutex<Option<JoinHandle<Result<()>>>> = Mutex::new(None);

fn begin_python() -> Result<()> {
    check_interpreters()?;
    let making = thread::spawn(|| {
        PythonEnvironment::prepare_for_tests()?;
        PythonEnvironment::prepare_for_sinks()?;
        Ok(())
    });
    *PYTHON.lock().unwrap_or_else(PoisonError::into_inner) = Some(making);
    Ok(())
}

/// Waits until the environment of Python is made.
fn prepare_python() -> Result<()> {
    let making = PYTHON.lock().unwrap_or_else(PoisonError::into_inner).take();
    let made = making.map(JoinHandle::join).transpose();
    made.map_err(|_| anyhow!("making the environment of Python has panicked"))?.transpose()?;
    Ok(())
}

fn check_python_types() -> Result<()> {
    cargo::run(&mut PythonEnvironment::prepare_for_tests()?.type_check())
}

fn run_python_tests(counts: &mut TestCounts) -> Result<()> {
    run_counted(&mut PythonEnvironment::prepare_for_tests()?.parallel_tests("tests")?, counts)?;
    check_nothing_skipped(counts)
}

fn check_python_distributions() -> Result<()> {
    PythonEnvironment::prepare_for_tests()?.check_distributions()
}

fn run_node_tests(counts: &mut TestCounts) -> Result<()> {
    run_counted(&mut node::tests()?, counts)?;
    check_nothing_skipped(counts)
}

fn check_nothing_skipped(counts: &TestCounts) -> Result<()> {
    ensure!(counts.skipped == 0, "{} tests were skipped", counts.skipped);
    ensure!(counts.passed > 0, "no test has run");
    Ok(())
}

/// Builds nothing: the programs and the Node package are there.
fn check_conformance() -> Result<()> {
    cargo::run(&mut cargo::built("conformance", "")?)
}

/// Tests the adapters of all frameworks, those that need an environment of their own included.
///
/// # Errors
/// When what they need is missing, or a test fails.
pub(crate) fn run_frameworks() -> Result<()> {
    check_interpreters()?;
    build_programs(&mut TestCounts::default())?;
    let mut counts = TestCounts::default();
    python::test_frameworks(&mut |tests| run_counted(tests, &mut counts))?;
    node::install_dependencies()?;
    run_counted(&mut node::tests()?, &mut counts)?;
    check_nothing_skipped(&counts)?;
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(())
}

fn run_doc_tests(counts: &mut TestCounts) -> Result<()> {
    run_counted(&mut cargo("test --workspace --doc --quiet"), counts)
}

/// Checks only that it still runs; what it measures in the dev profile means nothing.
fn run_benchmark(name: &str) -> Result<()> {
    cargo::run(&mut cargo::built("bench", &format!("{name} --smoke"))?)
}

fn run_counted(command: &mut Command, counts: &mut TestCounts) -> Result<()> {
    cargo::run_by_line(command, |line| counts.add_summary(line))
}
