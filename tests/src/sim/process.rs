//! One process of an agent: real emitter logic, and a worker that does tasks.

use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use heartline_engine::{
    BeatVitals, DatagramOutcome, Engine, EngineConfig, InMemoryMetrics, MonoNanos,
};
use heartline_fleet::MonoTime;
use heartline_protocol::bucket;
use heartline_vocabulary::Phase;

use super::network::Packet;
use super::work::Work;
use crate::random::RngExt as _;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Process {
    /// Its emitter.
    pub(super) engine: Engine,
    /// The port that it sends from.
    pub(super) port: u16,
    /// Frozen until then, with what has arrived meanwhile.
    pub(super) frozen_until: Option<MonoTime>,
    /// See `frozen_until`.
    pub(super) inbox: Vec<Packet>,
    /// Its tasks do not end before then.
    pub(super) stuck_until: MonoTime,
    /// It waits for a person until then, and says so.
    pub(super) waits_until: MonoTime,
    /// It begins no more tasks.
    pub(super) idle: bool,
    /// All that it ever did.
    pub(super) done: Work,
    metrics: InMemoryMetrics,
    tasks: Vec<Task>,
    next_task: MonoTime,
    progress: Option<MonoTime>,
    pace_ms: u64,
}

#[derive(Debug)]
struct Task {
    began: MonoTime,
    ends: MonoTime,
}

/// Most tasks of one process at a time.
const TASKS_MAX: usize = 3;

impl Process {
    pub(super) fn new(config: EngineConfig, port: u16, now: MonoTime, rng: &mut Rng) -> Self {
        let pace_ms = u64::from(config.interval_ms) * rng.pick(&[1, 2, 4]) / 2;
        Self {
            engine: Engine::new(config, engine_time(now)),
            port,
            frozen_until: None,
            inbox: Vec::new(),
            stuck_until: MonoTime::NEVER_YET,
            waits_until: MonoTime::NEVER_YET,
            idle: false,
            done: Work::default(),
            metrics: InMemoryMetrics::default(),
            tasks: Vec::new(),
            next_task: now,
            progress: None,
            pace_ms,
        }
    }

    /// When it acts next by itself; `None`: it has said all and ends.
    pub(super) fn due(&self) -> Option<MonoTime> {
        let says = MonoTime::from_nanos(self.engine.poll_timeout()?.get() as i64);
        if let Some(until) = self.frozen_until {
            return Some(until);
        }
        let ends = self.tasks.iter().map(|task| task.ends).min().unwrap_or(MonoTime::NEVER);
        let begins = if self.idle { MonoTime::NEVER } else { self.next_task };
        Some(says.min(ends).min(begins))
    }

    /// Works and speaks, as far as it is time for it. What it says goes into `out`.
    pub(super) fn act(&mut self, now: MonoTime, rng: &mut Rng, out: &mut Vec<Rc<[u8]>>) {
        self.end_tasks(now, rng);
        if !self.idle && now >= self.next_task {
            self.next_task = now.plus_millis(rng.u64(1..=2 * self.pace_ms));
            if !self.engine.applied().killed && self.tasks.len() < TASKS_MAX {
                let ends = now.plus_millis(rng.u64(1..=3 * self.pace_ms));
                self.tasks.push(Task { began: now, ends: ends.max(self.stuck_until) });
                self.progress = Some(now);
            }
        }
        self.say(now, out);
    }

    /// Sends what is due.
    pub(super) fn say(&mut self, now: MonoTime, out: &mut Vec<Rc<[u8]>>) {
        let mut bytes = Vec::new();
        self.metrics.vitals = self.vitals(now);
        while self.engine.poll_transmit(engine_time(now), &mut self.metrics, &mut bytes) {
            out.push(Rc::from(bytes.as_slice()));
            bytes.clear();
        }
    }

    /// Takes a datagram in; what is refused is forgotten.
    pub(super) fn hear(&mut self, bytes: &[u8], now: MonoTime) -> DatagramOutcome {
        self.engine.handle_datagram(bytes, engine_time(now)).unwrap_or_default()
    }

    /// Begins to end as it should.
    pub(super) fn goodbye(&mut self, now: MonoTime) {
        self.idle = true;
        self.engine.close(engine_time(now), Duration::from_secs(1));
    }

    /// Tasks begun and not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all that it did was confirmed.
    pub(super) fn is_complete(&self) -> bool {
        let open = &self.metrics.open;
        let sums = [open.ok, open.failed, open.cost_nano_usd, open.tokens_in, open.tokens_out];
        self.engine.pending_segment().is_none() && sums == [0; 5] && self.metrics.latency.is_empty()
    }

    fn end_tasks(&mut self, now: MonoTime, rng: &mut Rng) {
        let before = self.tasks.len();
        for task in self.tasks.extract_if(.., |task| task.ends <= now) {
            let did = Work {
                ok: u64::from(rng.chance(900)),
                failed: 0,
                cost_nano_usd: rng.u64(0..=5_000),
                tokens_in: rng.u64(0..=300),
                tokens_out: rng.u64(0..=30),
            };
            let did = Work { failed: 1 - did.ok, ..did };
            self.done.add(&did);
            self.metrics.open.ok += did.ok;
            self.metrics.open.failed += did.failed;
            self.metrics.open.cost_nano_usd += did.cost_nano_usd;
            self.metrics.open.tokens_in += did.tokens_in;
            self.metrics.open.tokens_out += did.tokens_out;
            let us = now.since(task.began).as_micros() as u64;
            *self.metrics.latency.entry(bucket::index(us)).or_insert(0) += 1;
        }
        if self.tasks.len() < before {
            self.progress = Some(now);
        }
    }

    fn vitals(&self, now: MonoTime) -> BeatVitals {
        let waits = now < self.waits_until;
        BeatVitals {
            phase: if waits { Phase::Waiting } else { Phase::Running },
            in_flight: self.tasks.len() as u32,
            oldest_in_flight: self.tasks.iter().map(|task| now.since(task.began)).max(),
            progress_age: self.progress.map(|progress| now.since(progress)),
            queue: None,
            step: waits.then(|| "approval".to_owned()),
            lost_observations: 0,
        }
    }

    /// Makes the tasks in flight last at least until then.
    pub(super) fn stick(&mut self, until: MonoTime) {
        self.stuck_until = until;
        for task in &mut self.tasks {
            task.ends = task.ends.max(until);
        }
    }

    /// No task lasts longer than until now.
    pub(super) fn unstick(&mut self, now: MonoTime) {
        self.stuck_until = now;
        self.waits_until = now;
        self.idle = true;
        for task in &mut self.tasks {
            task.ends = now;
        }
    }
}

fn engine_time(at: MonoTime) -> MonoNanos {
    MonoNanos::new(u64::try_from(at.nanos()).expect("a run begins after the origin"))
}
