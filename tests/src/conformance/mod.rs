//! Conformance of emitters: each does the work of a seeded script and reports it to real collectors,
//! through a network that loses, repeats and reorders datagrams, while the collectors are killed and
//! restarted. Then the script's sums, what the emitter counted, and what each collector stored must be
//! equal, to the last task and nano-dollar.
//!
//! An emitter takes part by its *conformance agent*, a small program that does what it reads from
//! standard input: `docs/write-an-emitter.md` has the contract.

mod agent;
mod difference;
mod emitter;
mod fault_plan;
mod report;
mod run;
mod script;
mod site;
mod work;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use clap::Parser;
use fastrand::Rng;

pub use emitter::{BuiltInEmitter, TestedEmitter};
pub use report::RunReport;
pub use run::RunPlan;

/// Beats of an hour, at the default interval of 30 s.
pub const BEATS_PER_HOUR: u32 = 120;

/// Checks emitters against real collectors through a bad network, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "conformance", bin_name = "cargo xtask conformance")]
pub struct ConformanceArgs {
    /// Seed of the work and of the network's faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Hours of beats at 30 s, compressed: 120 beats each, in about 18 s.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    hours: u32,
    /// Number of collectors that the emitter reports to; by default one, and in another run two.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    collectors: Option<u8>,
    /// Emitter to check, also several times; by default all of them.
    #[arg(long = "emitter", value_name = "EMITTER", conflicts_with = "command")]
    emitters: Vec<BuiltInEmitter>,
    /// Command line of another emitter's conformance agent; the agent's name is added to it.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs what the arguments ask for, all at the same time, and prints the table; returns whether all
/// sums are equal.
///
/// # Errors
/// When the table can't be printed.
pub fn run(args: &ConformanceArgs) -> io::Result<bool> {
    let emitters = args.emitters();
    let collectors = args.collectors.map_or(1..=2, |only| only..=only);
    let mut runs = Vec::new();
    for emitter in emitters {
        for collectors in collectors.clone() {
            let beats = args.hours * BEATS_PER_HOUR;
            let plan = RunPlan { seed: args.seed, beats, collectors: usize::from(collectors) };
            runs.push((emitter.clone(), plan));
        }
    }
    let mut out = io::stdout().lock();
    let (seed, hours) = (args.seed, args.hours);
    writeln!(
        out,
        "seed {seed}, runs of {hours} h of beats, compressed, side by side: {}",
        runs.len()
    )?;
    let reports = run_all(&runs);
    report::print(&mut out, &reports)?;
    Ok(reports.iter().all(RunReport::is_equal))
}

impl ConformanceArgs {
    fn emitters(&self) -> Vec<TestedEmitter> {
        if !self.command.is_empty() {
            return vec![TestedEmitter::Command(self.command.clone())];
        }
        let all = BuiltInEmitter::ALL;
        let chosen = if self.emitters.is_empty() { &all[..] } else { &self.emitters[..] };
        chosen.iter().map(|&it| TestedEmitter::BuiltIn(it)).collect()
    }
}

/// Runs each on a thread of its own.
pub fn run_all(runs: &[(TestedEmitter, RunPlan)]) -> Vec<RunReport> {
    thread::scope(|scope| {
        let threads =
            runs.iter().map(|(emitter, plan)| scope.spawn(move || run_one(emitter, plan)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|it| it.join().expect("a run's panic is in its report")).collect()
    })
}

/// The harness panics where a part of the system does not do what it must: that is a run's failure.
fn run_one(emitter: &TestedEmitter, plan: &RunPlan) -> RunReport {
    let mut report = RunReport::new(emitter, plan);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run::run(emitter, plan, &mut report)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(message)) => report.failures.push(message),
        Err(panic) => report.failures.push(panic_message(&*panic)),
    }
    report
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Returns a generator that follows from the plan's seed and a purpose, so that what is drawn for one
/// purpose does not change with what is drawn for another.
fn generator(plan: &RunPlan, purpose: u64) -> Rng {
    Rng::with_seed(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose)
}
