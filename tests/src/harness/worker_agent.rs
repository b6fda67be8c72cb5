//! An agent in the test's process that counts its own work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use fastrand::Rng;
use heartline::{Builder, Heartline, Report};
use heartline_vocabulary::WorkTotals;

use super::environment::TestEnvironment;
use crate::random::RngExt as _;

/// An agent that does random tasks until it is finished.
pub struct WorkerAgent {
    emitter: Heartline,
    begun: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<WorkTotals>>,
}

impl TestEnvironment {
    /// Returns an emitter to be started by the caller.
    pub fn emitter(&self, name: &str, collector: SocketAddr, interval_ms: u64) -> Builder {
        Builder::new(name)
            .collector(collector.to_string())
            .token(self.token().encode())
            .interval(Duration::from_millis(interval_ms))
            .state_dir(self.path().join("agents"))
    }

    /// Starts a worker, whose tasks follow from the seed.
    pub fn start_worker(&self, name: &str, collector: SocketAddr, seed: u64) -> WorkerAgent {
        WorkerAgent::start(self.emitter(name, collector, 100).start(), Rng::with_seed(seed))
    }
}

impl WorkerAgent {
    /// Starts a worker with this emitter.
    pub fn start(emitter: Heartline, rng: Rng) -> Self {
        let (begun, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (emitter, begun, stop) = (emitter.clone(), Arc::clone(&begun), Arc::clone(&stop));
            move || do_tasks(&emitter, rng, &begun, &stop)
        });
        Self { emitter, begun, stop, thread: Some(thread) }
    }

    pub fn emitter(&self) -> &Heartline {
        &self.emitter
    }

    /// Returns the number of tasks begun so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Ends the work, but not the beats; returns all work done.
    ///
    /// # Panics
    /// If it was called before.
    #[track_caller]
    pub fn finish(&mut self) -> WorkTotals {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("work does not panic")
    }
}

impl Drop for WorkerAgent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the number of tasks that ended, successfully or not.
pub fn task_count(work: &WorkTotals) -> u64 {
    work.ok + work.failed
}

fn do_tasks(emitter: &Heartline, mut rng: Rng, begun: &AtomicU64, stop: &AtomicBool) -> WorkTotals {
    let mut total = WorkTotals::default();
    while !stop.load(Ordering::Acquire) {
        let Ok(mut task) = emitter.try_task() else {
            sleep(Duration::from_millis(1));
            continue;
        };
        begun.fetch_add(1, Ordering::AcqRel);
        let (cost, read, written) = (rng.u64(0..=5_000_000), rng.u64(0..=2_000), rng.u64(0..=300));
        task.cost_nano_usd(cost);
        task.tokens(read, written);
        sleep(Duration::from_micros(rng.u64(100..=4_000)));
        if rng.chance(150) {
            task.fail();
            total.failed += 1;
        } else {
            drop(task);
            total.ok += 1;
        }
        total.cost_nano_usd += cost;
        total.tokens_in += read;
        total.tokens_out += written;
        if rng.chance(300) {
            let latency = Duration::from_micros(rng.u64(1..=90_000_000));
            emitter.report(Report::ok().latency(latency).cost_nano_usd(1));
            total.ok += 1;
            total.cost_nano_usd += 1;
        }
    }
    total
}
