//! An agent in this process that keeps its own books.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use fastrand::Rng;
use heartline::{Builder, Heartline, Report};
use heartline_vocabulary::WorkTotals;

use super::place::World;
use crate::random::RngExt as _;

/// Work that was done, counted by the one who did it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds(pub WorkTotals);

impl Deeds {
    /// Tasks that ended, well or badly.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.0.ok + self.0.failed
    }
}

/// An agent that works, at random, until it is told to stop.
pub struct Worker {
    emitter: Heartline,
    begun: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Deeds>>,
}

impl World {
    /// An emitter in this process, to be finished by the caller.
    pub fn emitter(&self, name: &str, collector: SocketAddr, interval_ms: u64) -> Builder {
        Builder::new(name)
            .collector(collector.to_string())
            .token(self.token().encode())
            .interval(Duration::from_millis(interval_ms))
            .state_dir(self.path().join("agents"))
    }

    /// Starts a worker, whose work follows from the seed.
    #[must_use]
    pub fn start_worker(&self, name: &str, collector: SocketAddr, seed: u64) -> Worker {
        Worker::start(self.emitter(name, collector, 100).start(), Rng::with_seed(seed))
    }
}

impl Worker {
    fn start(emitter: Heartline, rng: Rng) -> Self {
        let (begun, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (emitter, begun, stop) = (emitter.clone(), Arc::clone(&begun), Arc::clone(&stop));
            move || work(&emitter, rng, &begun, &stop)
        });
        Self { emitter, begun, stop, thread: Some(thread) }
    }

    /// Its emitter.
    #[must_use]
    pub fn emitter(&self) -> &Heartline {
        &self.emitter
    }

    /// How many tasks it has begun so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Ends the work, not the beats; gives what was done.
    ///
    /// # Panics
    /// If it was called before.
    #[track_caller]
    pub fn finish(&mut self) -> Deeds {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("work does not panic")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(emitter: &Heartline, mut rng: Rng, begun: &AtomicU64, stop: &AtomicBool) -> Deeds {
    let mut deeds = Deeds::default();
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
        let (mut ok, mut failed) = (0, 0);
        if rng.chance(150) {
            task.fail();
            failed = 1;
        } else {
            drop(task);
            ok = 1;
        }
        if rng.chance(300) {
            let latency = Duration::from_micros(rng.u64(1..=90_000_000));
            emitter.report(Report::ok().latency(latency).cost_nano_usd(1));
            deeds += Deeds(WorkTotals { ok: 1, cost_nano_usd: 1, ..WorkTotals::default() });
        }
        let done =
            WorkTotals { ok, failed, cost_nano_usd: cost, tokens_in: read, tokens_out: written };
        deeds += Deeds(done);
    }
    deeds
}

impl AddAssign for Deeds {
    fn add_assign(&mut self, Self(more): Self) {
        let Self(sum) = self;
        sum.ok += more.ok;
        sum.failed += more.failed;
        sum.cost_nano_usd += more.cost_nano_usd;
        sum.tokens_in += more.tokens_in;
        sum.tokens_out += more.tokens_out;
    }
}
