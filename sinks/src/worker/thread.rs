//! The thread that owns a sink.
//!
//! What it does, the first that is due:
//! 1. It stops when it is told to; what is pending is given back.
//! 2. A test is sent at once, whatever is pending: somebody waits for it.
//! 3. What has been pending for a day expires, visibly.
//! 4. The oldest notice that no silence holds back is sent, with what came since of its incident. One request is under way at a time,
//!    so the order holds, and a sink that hangs delays nobody else.
//! 5. Alertmanager is told again every minute of everything that is open; PagerDuty is asked every minute
//!    who has acknowledged.

use std::collections::BTreeSet;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use heartline_operator::message::{Incident, Notice};
use heartline_vocabulary::{DeliveryState, IncidentId, NoticeId};
use jiff::tz::TimeZone;

use super::log::{DeliveryLog, DeliveryRecord, SinkHealth};
use super::pending::{PendingNotice, PendingQueue, QueuedNotice, StateChange};
use super::schedule::Schedule;
use super::watched::{ROUND, WatchedIncidents};
use crate::clock::{MonotonicClock, wall_now_ms};
use crate::sink::LifeSign;
use crate::{Arrival, Delivery, Form, Outcome, Sink, WorkerPulse};

/// How long a notice is tried.
const PENDING_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Most tests that wait for their turn.
const TESTS_MAX: usize = 8;

/// Longest wait without a look at the clock. One that has nothing to do shows by its turns that it could.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Time between two looks for a life sign where Alertmanager has nothing else to be told.
const LIFE_SIGN_AGAIN: Duration = Duration::from_secs(1);

/// What a worker begins with.
pub struct WorkerStart {
    pub sink: Sink,
    pub log: Arc<dyn DeliveryLog>,
    /// Of the times in messages.
    pub zone: TimeZone,
    /// Not delivered before the last end of the collector, the oldest first.
    pub pending: Vec<PendingNotice>,
    /// Incidents that the sink was told of: those that go on, and those that ended lately.
    pub open: Vec<Incident>,
    pub ended: Vec<Incident>,
    /// Incidents whose notices are held back from the beginning.
    pub silenced: BTreeSet<IncidentId>,
}

/// The state of a sink, with counters since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStatus {
    pub health: SinkHealth,
    pub pending: usize,
    /// Milliseconds since 1970.
    pub last_delivered_ms: Option<i64>,
    /// Why the last attempt failed, until one succeeds.
    pub last_failure: Option<String>,
    pub delivered: u64,
    pub attempts_failed: u64,
    /// Told by a later notice of the same incident.
    pub merged: u64,
    /// Put into a list because too many were pending.
    pub listed: u64,
    pub refused: u64,
    pub expired: u64,
}

type TestReply = Box<dyn FnOnce(Outcome) + Send>;

/// What the thread and its owner share.
#[derive(Default)]
struct Inbox {
    queue: PendingQueue,
    tests: Vec<(Box<Notice>, TestReply)>,
    is_stopping: bool,
    status: SinkStatus,
}

struct SharedInbox {
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

/// The thread of a sink. Nothing that is asked of it here waits for the sink.
pub struct SinkWorker {
    shared: Arc<SharedInbox>,
    clock: MonotonicClock,
    pulse: WorkerPulse,
    thread: JoinHandle<()>,
}

impl SinkWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(start: WorkerStart) -> io::Result<Self> {
        let clock = MonotonicClock::start();
        let WorkerStart { sink, log, zone, pending, open, ended, silenced } = start;
        let shared = Arc::new(SharedInbox { inbox: Mutex::default(), changed: Condvar::new() });
        let name = format!("sink-{}", sink.name());
        let pulse = sink.pulse().clone();
        let watched = WatchedIncidents::new(open, ended, clock.now());
        let thread = WorkerThread {
            sink,
            log,
            zone,
            clock,
            schedule: Schedule::default(),
            watched,
            shared: Arc::clone(&shared),
            next_round: Duration::ZERO,
            permissions: 0,
            random: fastrand::Rng::new(),
        };
        let thread = thread::Builder::new().name(name).spawn(move || thread.run())?;
        let worker = Self { shared, clock, pulse, thread };
        worker.hold(&silenced);
        pending.into_iter().for_each(|it| worker.enqueue(it));
        Ok(worker)
    }

    /// Adds a notice behind all others.
    pub fn enqueue(&self, pending: PendingNotice) {
        let queued_at = self.clock.now();
        let mut inbox = self.shared.lock();
        inbox.queue.push(QueuedNotice { pending, queued_at, form: Form::Full });
        self.shared.changed.notify_one();
    }

    /// Holds back the notices of silenced incidents, until [`Self::release`]; a request that is under way is not called
    /// back. What is over by then is told only to whoever was told of its begin.
    pub fn hold(&self, silenced: &BTreeSet<IncidentId>) {
        if !silenced.is_empty() {
            self.shared.lock().queue.hold(silenced);
            self.shared.changed.notify_one();
        }
    }

    /// Sends what was held back of incidents.
    pub fn release(&self, incidents: &BTreeSet<IncidentId>) {
        if incidents.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut inbox = self.shared.lock();
        incidents.iter().for_each(|it| inbox.queue.release(*it, now));
        self.shared.changed.notify_one();
    }

    /// Sends a notice at once, before all that is pending, and tells what became of it on the worker's
    /// thread. Where too many wait already, it is told so here.
    pub fn test(&self, notice: Notice, reply: impl FnOnce(Outcome) + Send + 'static) {
        let mut inbox = self.shared.lock();
        if inbox.tests.len() >= TESTS_MAX {
            drop(inbox);
            reply(Outcome::retry("too many tests wait for this sink".to_owned()));
            return;
        }
        inbox.tests.push((Box::new(notice), Box::new(reply)));
        self.shared.changed.notify_one();
    }

    /// Returns the state of the sink.
    pub fn status(&self) -> SinkStatus {
        let inbox = self.shared.lock();
        SinkStatus { pending: inbox.queue.len(), ..inbox.status.clone() }
    }

    /// Returns what whoever judges agents sees of the thread, and the thread of them.
    pub fn pulse(&self) -> &WorkerPulse {
        &self.pulse
    }

    /// Ends the thread, after the request that is under way, and returns what is pending.
    pub fn stop(self) -> Vec<PendingNotice> {
        self.pulse.stop();
        self.shared.lock().is_stopping = true;
        self.shared.changed.notify_one();
        // A thread that panicked has said so; what is pending is here.
        let _panicked = self.thread.join();
        self.shared.lock().queue.drain()
    }
}

impl SharedInbox {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct WorkerThread {
    sink: Sink,
    log: Arc<dyn DeliveryLog>,
    zone: TimeZone,
    clock: MonotonicClock,
    schedule: Schedule,
    watched: WatchedIncidents,
    shared: Arc<SharedInbox>,
    next_round: Duration,
    /// How often it was said that agents are judged, as of the last round.
    permissions: u64,
    random: fastrand::Rng,
}

enum Step {
    Stop,
    Test(Box<Notice>, TestReply),
    Note(Vec<StateChange>),
    Expire(Vec<QueuedNotice>),
    Send(Vec<QueuedNotice>),
    Round,
}

impl WorkerThread {
    fn run(mut self) {
        loop {
            match self.next_step() {
                Step::Stop => return,
                Step::Test(notice, reply) => {
                    let outcome = self.send_test(*notice);
                    reply(outcome);
                }
                Step::Note(changes) => changes.iter().for_each(|it| self.note_change(it)),
                Step::Expire(batch) => self.expire(&batch),
                Step::Send(batch) => self.send(batch),
                Step::Round => self.round(),
            }
        }
    }

    /// Waits until something is due.
    fn next_step(&self) -> Step {
        let mut inbox = self.shared.lock();
        loop {
            self.sink.pulse().turn();
            let now = self.clock.now();
            if inbox.is_stopping {
                return Step::Stop;
            }
            if !inbox.tests.is_empty() {
                let (notice, reply) = inbox.tests.remove(0);
                return Step::Test(notice, reply);
            }
            let changes = inbox.queue.take_changes();
            if !changes.is_empty() {
                return Step::Note(changes);
            }
            let Some(not_before) = self.schedule.not_before() else {
                inbox = self.wait(inbox, WAIT_MAX);
                continue;
            };
            let old = inbox.queue.take_older(now.saturating_sub(PENDING_FOR));
            if !old.is_empty() {
                return Step::Expire(old);
            }
            let may_send = now >= not_before;
            if may_send && inbox.queue.is_ready() {
                return Step::Send(inbox.queue.take_next());
            }
            let has_rounds = self.sink.is_refreshed() || self.sink.is_polled();
            if may_send && has_rounds && now >= self.next_round {
                return Step::Round;
            }
            let next = match (inbox.queue.is_ready(), has_rounds) {
                (true, _) => not_before,
                (false, true) => not_before.max(self.next_round),
                (false, false) => now + WAIT_MAX,
            };
            inbox = self
                .wait(inbox, next.saturating_sub(now).clamp(Duration::from_millis(1), WAIT_MAX));
        }
    }

    fn wait<'a>(&self, inbox: MutexGuard<'a, Inbox>, at_most: Duration) -> MutexGuard<'a, Inbox> {
        let waited = self.shared.changed.wait_timeout(inbox, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn send_test(&mut self, notice: Notice) -> Outcome {
        let pending = PendingNotice { notice, is_stored: true, may_have_arrived: false };
        let queued_at = self.clock.now();
        let outcome = self.deliver(&[QueuedNotice { pending, queued_at, form: Form::Full }]);
        // A test that fails delays nothing, and one that succeeds shows that the sink works again.
        if matches!(outcome, Outcome::Delivered { .. }) {
            self.note(&outcome);
        }
        outcome
    }

    /// Takes down what became of notices that were not sent.
    fn note_change(&mut self, change: &StateChange) {
        let StateChange { notices, state, why } = change;
        match state {
            DeliveryState::Merged => self.shared.lock().status.listed += notices.len() as u64,
            DeliveryState::Silenced => {
                notices.iter().for_each(|it| self.watched.forget(it.incident));
            }
            _ => {}
        }
        self.record(notices, *state, why);
    }

    fn expire(&mut self, batch: &[QueuedNotice]) {
        self.shared.lock().status.expired += batch.len() as u64;
        self.record(&ids(batch), DeliveryState::Expired, "not delivered within 24 hours");
    }

    /// Sends a batch as one message.
    ///
    /// 1. The attempt is noted before it is made.
    /// 2. Taken: the last notice is delivered, those before it are told by it.
    /// 3. A message that is refused goes once more as plain text, and is then refused for good.
    /// 4. Anything else puts the batch back in front.
    fn send(&mut self, mut batch: Vec<QueuedNotice>) {
        let pending: Vec<PendingNotice> = batch.iter().map(|it| it.pending.clone()).collect();
        self.log.attempt(self.sink.name(), &pending, wall_now_ms());
        let now = self.clock.now();
        batch.iter().for_each(|it| self.watched.told(&it.pending.notice, now));
        let outcome = self.deliver(&batch);
        self.note(&outcome);
        match &outcome {
            Outcome::Delivered { answer, .. } => self.delivered(&batch, answer),
            Outcome::MessageRefused { why } if batch.iter().all(|it| it.form == Form::Plain) => {
                let mut inbox = self.shared.lock();
                inbox.status.refused += batch.len() as u64;
                inbox.queue.done();
                drop(inbox);
                self.record(&ids(&batch), DeliveryState::Refused, why);
            }
            Outcome::MessageRefused { .. } => {
                batch.iter_mut().for_each(|it| it.form = Form::Plain);
                self.shared.lock().queue.put_back(batch);
            }
            Outcome::Retry { arrival, why, .. } => {
                if *arrival == Arrival::Unknown {
                    batch.iter_mut().for_each(|it| it.pending.may_have_arrived = true);
                }
                self.record(&ids(&batch), DeliveryState::Pending, why);
                self.shared.lock().queue.put_back(batch);
            }
            Outcome::SinkRefused { why, .. } => {
                self.record(&ids(&batch), DeliveryState::Pending, why);
                self.shared.lock().queue.put_back(batch);
            }
        }
    }

    fn delivered(&mut self, batch: &[QueuedNotice], answer: &str) {
        let ids = ids(batch);
        let Some((last, merged)) = ids.split_last() else { return };
        let mut inbox = self.shared.lock();
        inbox.queue.done();
        inbox.status.delivered += 1;
        inbox.status.merged += merged.len() as u64;
        inbox.status.last_delivered_ms = Some(wall_now_ms());
        drop(inbox);
        self.record(&[*last], DeliveryState::Delivered, answer);
        if !merged.is_empty() {
            self.record(merged, DeliveryState::Merged, &format!("told by {last}"));
        }
    }

    fn deliver(&mut self, batch: &[QueuedNotice]) -> Outcome {
        let notices: Vec<Notice> = batch.iter().map(|it| it.pending.notice.clone()).collect();
        let is_plain = batch.iter().any(|it| it.form == Form::Plain);
        let delivery = Delivery {
            notices: &notices,
            form: if is_plain { Form::Plain } else { Form::Full },
            is_repeat: batch.iter().any(|it| it.pending.may_have_arrived),
            is_stored: batch.iter().all(|it| it.pending.is_stored),
            now_ms: wall_now_ms(),
            zone: &self.zone,
        };
        // A message that no code was ready for must not end the alerts of this sink: it is refused.
        let sent = panic::catch_unwind(AssertUnwindSafe(|| self.sink.send(&delivery)));
        let fault = |_| Outcome::MessageRefused { why: "a fault of Heartline's own".to_owned() };
        sent.unwrap_or_else(fault)
    }

    /// Tells Alertmanager of everything that is open, or asks PagerDuty who has acknowledged.
    fn round(&mut self) {
        self.next_round = self.clock.now() + ROUND;
        if self.sink.is_refreshed() {
            self.refresh();
        }
        if !self.sink.is_polled() {
            return;
        }
        for incident in self.watched.next_questions() {
            self.sink.pulse().turn();
            match self.sink.poll_acknowledged(incident, wall_now_ms()) {
                Ok(Some(by)) => {
                    self.watched.acknowledged(incident, by.clone());
                    self.log.acknowledged(self.sink.name(), incident, by);
                }
                Ok(None) => {}
                // The next round asks again; what the sink is sent tells whether it works.
                Err(why) => {
                    tracing::debug!(sink = self.sink.name(), why, "can't ask who has acknowledged");
                    return;
                }
            }
            if self.shared.lock().is_stopping {
                return;
            }
        }
    }

    /// Tells Alertmanager of everything that is open, and that the collector lives if it was said since the last round
    /// that agents are judged: this thread would live on beside a judge that hangs.
    fn refresh(&mut self) {
        let permissions = self.sink.pulse().permissions();
        let before = std::mem::replace(&mut self.permissions, permissions);
        let life_sign = if permissions == before { LifeSign::Withheld } else { LifeSign::Given };
        let untold = self.shared.lock().queue.untold();
        let (open, ended) = self.watched.refreshed(&untold, self.clock.now());
        if life_sign == LifeSign::Withheld && open.is_empty() && ended.is_empty() {
            // Nothing is told, so nothing was found out about the sink.
            self.next_round = self.clock.now() + LIFE_SIGN_AGAIN;
            return;
        }
        let outcome = self.sink.refresh(&open, &ended, life_sign, wall_now_ms());
        self.note(&outcome);
    }

    /// Takes in an outcome, and tells of the sink's health where it has changed.
    fn note(&mut self, outcome: &Outcome) {
        let before = self.schedule.health().clone();
        let random = self.random.f64();
        self.schedule.attempted(outcome, self.clock.now(), random);
        let health = self.schedule.health();
        let mut inbox = self.shared.lock();
        inbox.status.health = health.clone();
        inbox.status.last_failure = outcome.why().map(str::to_owned);
        inbox.status.attempts_failed += u64::from(outcome.why().is_some());
        drop(inbox);
        if std::mem::discriminant(&before) != std::mem::discriminant(health) {
            self.log.health(self.sink.name(), health);
        }
    }

    fn record(&self, notices: &[NoticeId], state: DeliveryState, answer: &str) {
        let record = DeliveryRecord { state, at_ms: wall_now_ms(), answer };
        self.log.outcome(self.sink.name(), notices, &record);
    }
}

fn ids(batch: &[QueuedNotice]) -> Vec<NoticeId> {
    batch.iter().map(|it| it.pending.notice.id).collect()
}
