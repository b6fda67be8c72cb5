//! Many runs, and what came of them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::trace::Trace;
use super::world::World;

/// What came of many runs.
#[derive(Debug, Default)]
pub struct Report {
    /// How many there were.
    pub runs: u64,
    /// Steps in all of them.
    pub steps: u64,
    /// Time that passed in all of them.
    pub simulated_time: Duration,
    /// Those that broke a promise, by seed.
    pub failures: Vec<Failure>,
}

/// A run that broke a promise.
#[derive(Debug)]
pub struct Failure {
    /// Its seed: `cargo xtask sim --seed S --seeds 1` replays it.
    pub seed: u64,
    /// Which promise, and how.
    pub promise: String,
    /// The last steps before.
    pub steps: Vec<String>,
}

/// Failures that are looked at closely; the others only say what they are.
const TRACED: usize = 3;
/// Threads that share the seeds.
const THREADS: usize = 2;

/// Runs `count` seeds from `first_seed` on; of the first failures keeps the last `lines` of what
/// happened.
#[must_use]
pub fn run(first_seed: u64, count: u64, lines: usize) -> Report {
    let next = AtomicU64::new(0);
    let share = || {
        let mut report = Report::default();
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= count {
                return report;
            }
            report.add(first_seed.wrapping_add(offset));
        }
    };
    let mut report = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(share)).collect();
        threads.into_iter().fold(Report::default(), |report, thread| {
            report.and(thread.join().expect("a run's panic is caught"))
        })
    });
    report.failures.sort_by_key(|failure| failure.seed);
    for failure in report.failures.iter_mut().take(TRACED) {
        failure.steps = trace(failure.seed, lines);
    }
    report
}

impl Report {
    fn add(&mut self, seed: u64) {
        self.runs += 1;
        match one(&mut World::new(seed, Trace::Off)) {
            Ok((steps, time)) => {
                self.steps += steps;
                self.simulated_time += time;
            }
            Err(promise) => {
                self.failures.push(Failure { seed, promise, steps: Vec::new() });
            }
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.steps += other.steps;
        self.simulated_time += other.simulated_time;
        self.failures.extend(other.failures);
        self
    }
}

fn one(world: &mut World) -> Result<(u64, Duration), String> {
    catch_unwind(AssertUnwindSafe(|| world.run()))
        .map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panic: {}", text.unwrap_or("without words"))
        })?
        .map_err(|violation| violation.0)
}

/// The last steps of a run that fails.
fn trace(seed: u64, lines: usize) -> Vec<String> {
    let mut world = World::new(seed, Trace::on(lines));
    drop(one(&mut world));
    world.trace.lines()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.promise)
    }
}
