//! Runs of many seeds, and their results.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::violation::StepTrace;
use super::world::SimWorld;

/// Results of many runs.
#[derive(Debug, Default)]
pub struct SimReport {
    pub runs: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// Simulated time of all runs.
    pub simulated_time: Duration,
    /// Runs that violated an invariant, by seed.
    pub failures: Vec<SimFailure>,
}

/// A run that violated an invariant.
#[derive(Debug)]
pub struct SimFailure {
    /// Seed of the run: `cargo xtask sim --seed S --seeds 1` replays it.
    pub seed: u64,
    /// The invariant, and how it was violated.
    pub violation: String,
    /// The last steps before the violation.
    pub steps: Vec<String>,
}

/// Number of failures that are replayed with a trace.
const TRACED_MAX: usize = 3;
/// Threads that share the seeds.
const THREADS: usize = 2;

/// Runs `count` seeds from `first_seed` on; keeps the last `lines` steps of the first failures.
pub fn run(first_seed: u64, count: u64, lines: usize) -> SimReport {
    let next = AtomicU64::new(0);
    let run_share = || {
        let mut report = SimReport::default();
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= count {
                return report;
            }
            report.add(first_seed.wrapping_add(offset));
        }
    };
    let mut report = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run_share)).collect();
        threads.into_iter().fold(SimReport::default(), |report, thread| {
            report.merge(thread.join().expect("a run's panic is caught"))
        })
    });
    report.failures.sort_by_key(|failure| failure.seed);
    for failure in report.failures.iter_mut().take(TRACED_MAX) {
        failure.steps = replay(failure.seed, lines);
    }
    report
}

impl SimReport {
    fn add(&mut self, seed: u64) {
        self.runs += 1;
        match run_one(&mut SimWorld::new(seed, StepTrace::Off)) {
            Ok((steps, time)) => {
                self.steps += steps;
                self.simulated_time += time;
            }
            Err(violation) => {
                self.failures.push(SimFailure { seed, violation, steps: Vec::new() });
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.steps += other.steps;
        self.simulated_time += other.simulated_time;
        self.failures.extend(other.failures);
        self
    }
}

fn run_one(world: &mut SimWorld) -> Result<(u64, Duration), String> {
    catch_unwind(AssertUnwindSafe(|| world.run()))
        .map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panic: {}", text.unwrap_or("without a message"))
        })?
        .map_err(|violation| violation.0)
}

/// Replays a failing run and returns its last steps.
fn replay(seed: u64, lines: usize) -> Vec<String> {
    let mut world = SimWorld::new(seed, StepTrace::on(lines));
    drop(run_one(&mut world));
    world.trace.lines()
}

impl fmt::Display for SimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.violation)
    }
}
