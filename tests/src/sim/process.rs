//! A process of an agent: the emitter's engine and a worker that does tasks.

use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use heartline_engine::{BeatVitals, Engine, EngineConfig, InMemoryMetrics, MonoNanos};
use heartline_fleet::MonoTime;
use heartline_protocol::bucket;
use heartline_vocabulary::{Phase, WorkTotals};

use super::network::SimPacket;
use super::supervisor::SimSupervisor;
use crate::random::RngExt as _;

#[derive(Clone, Debug)]
pub(super) struct SimProcess {
    pub(super) engine: Engine,
    /// Source port.
    pub(super) port: u16,
    /// End of a freeze; datagrams wait in `inbox` meanwhile.
    pub(super) frozen_until: Option<MonoTime>,
    pub(super) inbox: Vec<SimPacket>,
    /// No task ends before then.
    pub(super) blocked_until: MonoTime,
    /// The worker waits for a person until then, and reports it.
    pub(super) waiting_until: MonoTime,
    /// No more tasks begin.
    pub(super) idle: bool,
    /// All work ever done in its session.
    pub(super) done: WorkTotals,
    /// It is a copy of another process, and speaks in that one's session.
    pub(super) is_copy: bool,
    /// It is the supervisor of a program; `None`: the program itself.
    pub(super) supervisor: Option<SimSupervisor>,
    metrics: InMemoryMetrics,
    /// Nothing was left of its budget when it looked last.
    has_spent: bool,
    tasks: Vec<SimTask>,
    next_task: MonoTime,
    progress: Option<MonoTime>,
    pace_ms: u64,
    /// Share of its tasks that succeed, per mille.
    ok_per_mille: u64,
}

#[derive(Clone, Debug)]
struct SimTask {
    began: MonoTime,
    ends: MonoTime,
}

/// Most tasks in flight.
const TASKS_MAX: usize = 3;

impl SimProcess {
    pub(super) fn new(config: EngineConfig, port: u16, now: MonoTime, rng: &mut Rng) -> Self {
        let pace_ms = u64::from(config.interval_ms) * rng.pick(&[1, 2, 4]) / 2;
        Self {
            engine: Engine::new(config, engine_time(now)),
            port,
            frozen_until: None,
            inbox: Vec::new(),
            blocked_until: MonoTime::NEVER_YET,
            waiting_until: MonoTime::NEVER_YET,
            idle: false,
            done: WorkTotals::default(),
            is_copy: false,
            supervisor: None,
            metrics: InMemoryMetrics::default(),
            has_spent: false,
            tasks: Vec::new(),
            next_task: now,
            progress: None,
            pace_ms,
            ok_per_mille: rng.pick(&[900, 900, 980, 500, 50]),
        }
    }

    /// Returns when it acts next without an input; `None` once it has closed.
    pub(super) fn due(&self) -> Option<MonoTime> {
        let sends = MonoTime::from_nanos(self.engine.poll_timeout()?.get() as i64);
        if let Some(until) = self.frozen_until {
            return Some(until);
        }
        let ends = self.tasks.iter().map(|task| task.ends).min().unwrap_or(MonoTime::NEVER);
        let begins = if self.may_work() { self.next_task } else { MonoTime::NEVER };
        let restarts = self.restarts_at().unwrap_or(MonoTime::NEVER);
        Some(sends.min(ends).min(begins).min(restarts))
    }

    /// Does the tasks and sends the datagrams that are due, into `out`.
    pub(super) fn run_due(&mut self, now: MonoTime, rng: &mut Rng, out: &mut Vec<Rc<[u8]>>) {
        self.end_tasks(now, rng);
        if self.may_work() && now >= self.next_task {
            self.next_task = now.plus_millis(rng.u64(1..=2 * self.pace_ms));
            let is_stopped = self.engine.applied().is_killed() || self.has_spent_budget(now);
            if !is_stopped && self.tasks.len() < TASKS_MAX {
                let ends = now.plus_millis(rng.u64(1..=3 * self.pace_ms));
                self.tasks.push(SimTask { began: now, ends: ends.max(self.blocked_until) });
                self.progress = Some(now);
            }
        }
        self.transmit(now, out);
    }

    /// Returns whether nothing is left of its budget; the first time it reports at once, as an emitter does.
    fn has_spent_budget(&mut self, now: MonoTime) -> bool {
        let left = self.engine.budget_left();
        let is_spent = left.is_some_and(|it| it.unit.of(&self.unsent()) >= it.amount);
        if is_spent && !self.has_spent {
            self.engine.notify_change(engine_time(now));
        }
        self.has_spent = is_spent;
        is_spent
    }

    fn may_work(&self) -> bool {
        !self.idle && !self.has_ended_program()
    }

    /// Sends what is due.
    pub(super) fn transmit(&mut self, now: MonoTime, out: &mut Vec<Rc<[u8]>>) {
        let mut bytes = Vec::new();
        self.metrics.vitals = self.vitals(now);
        while self.engine.poll_transmit(engine_time(now), &mut self.metrics, &mut bytes) {
            out.push(Rc::from(bytes.as_slice()));
            bytes.clear();
        }
    }

    /// Handles a datagram; refused ones have no effect. Returns whether the applied states changed.
    pub(super) fn receive(&mut self, bytes: &[u8], now: MonoTime) -> bool {
        self.engine.handle_datagram(bytes, engine_time(now)).unwrap_or_default()
    }

    /// Returns a copy, as a snapshot of memory keeps it: of a process that rests, so that it is certain
    /// whose work is whose.
    pub(super) fn snapshot(&self) -> Option<Self> {
        let rests = self.tasks.is_empty()
            && self.is_complete()
            && self.frozen_until.is_none()
            && !self.has_ended_program();
        (rests && !self.is_copy).then(|| Self { is_copy: true, idle: true, ..self.clone() })
    }

    /// Goes on in a session of its own, and works.
    pub(super) fn begin_session(&mut self, session: u64, now: MonoTime) {
        self.engine.begin_session(session, engine_time(now));
        (self.is_copy, self.idle, self.done) = (false, false, WorkTotals::default());
    }

    /// Begins a clean shutdown.
    pub(super) fn shut_down(&mut self, now: MonoTime) {
        self.idle = true;
        self.forget_end();
        self.engine.close(engine_time(now), Duration::from_secs(1));
    }

    /// Returns the number of tasks begun and not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether all work was confirmed.
    pub(super) fn is_complete(&self) -> bool {
        let is_sent = self.unsent() == WorkTotals::default() && self.metrics.latency.is_empty();
        self.engine.pending_segment().is_none() && is_sent
    }

    /// Returns the work that no message has carried yet.
    pub(super) fn unsent(&self) -> WorkTotals {
        let open = &self.metrics.open;
        WorkTotals {
            ok: open.ok,
            failed: open.failed,
            cost_nano_usd: open.cost_nano_usd,
            tokens_in: open.tokens_in,
            tokens_out: open.tokens_out,
        }
    }

    /// Ends all tasks without an outcome.
    pub(super) fn abandon_tasks(&mut self) {
        self.tasks.clear();
    }

    fn end_tasks(&mut self, now: MonoTime, rng: &mut Rng) {
        let before = self.tasks.len();
        for task in self.tasks.extract_if(.., |task| task.ends <= now) {
            let did = WorkTotals {
                ok: u64::from(rng.chance(self.ok_per_mille)),
                failed: 0,
                cost_nano_usd: rng.u64(0..=5_000),
                tokens_in: rng.u64(0..=300),
                tokens_out: rng.u64(0..=30),
            };
            let did = WorkTotals { failed: 1 - did.ok, ..did };
            self.done = self.done.saturating_add(&did);
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
        let waits = now < self.waiting_until;
        let mut vitals = BeatVitals {
            phase: if waits { Phase::Waiting } else { Phase::Running },
            in_flight: self.tasks.len() as u32,
            oldest_in_flight: self.tasks.iter().map(|task| now.since(task.began)).max(),
            progress_age: self.progress.map(|progress| now.since(progress)),
            queue: None,
            step: waits.then(|| "approval".to_owned()),
            ..BeatVitals::default()
        };
        if let Some(supervisor) = &self.supervisor {
            supervisor.add_to(&mut vitals, now);
        }
        vitals
    }

    /// Keeps one task in flight from ending before `until`, beside others that go on.
    pub(super) fn hang_task(&mut self, until: MonoTime) {
        if let Some(task) = self.tasks.first_mut() {
            task.ends = task.ends.max(until);
        }
    }

    /// Keeps the tasks in flight from ending before `until`.
    pub(super) fn block_tasks(&mut self, until: MonoTime) {
        self.blocked_until = until;
        for task in &mut self.tasks {
            task.ends = task.ends.max(until);
        }
    }

    /// Ends all tasks now, and begins no more.
    pub(super) fn unblock_tasks(&mut self, now: MonoTime) {
        self.blocked_until = now;
        self.waiting_until = now;
        self.idle = true;
        self.repair_program(now);
        for task in &mut self.tasks {
            task.ends = now;
        }
    }
}

pub(super) fn engine_time(at: MonoTime) -> MonoNanos {
    MonoNanos::new(u64::try_from(at.nanos()).expect("a run begins after the origin"))
}
