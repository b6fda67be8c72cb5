//! The driver: the one loop that owns the fleet.
//!
//! Its priorities, in the order of a turn:
//! 1. datagrams, until the sockets are empty (or a bound, so that nothing below starves);
//! 2. what the kernel dropped, before any agent is judged by it;
//! 3. the tick: deadlines, pushes, acks that waited long enough;
//! 4. requests: confirmations from the disk, operators' requests;
//! 5. once a second, a look at the collector itself, by which the watchdog is pinged.
//!
//! After each input its outputs are drained. Nothing here waits for anything but the next of these.

mod budgets;
mod delta;
mod expected_hours;
mod health;
mod losses;
mod ping_schedule;
mod request;
mod roster;
mod self_check;
mod sign;
mod status;
mod ticks;
mod watchdog;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use heartline_config::{BudgetSetting, ExpectSection};
use heartline_fleet::{
    Agent, AlertInput, CommandRequest, ControlDbRow, Fleet, ForgetRequest, HistoryDbRow, Input,
    MonoTime, Output,
};
use heartline_operator::message::{
    AgentDetail, AgentKeyInfo, CommandOutcome, ErrorCode, HistoryHealth,
};
use heartline_vocabulary::{ForgetRefusal, IncidentId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use request::{
    CommandReply, DriverHandle, DriverInbox, DriverRequest, FleetPage, PageRequest, ReplyTo,
    driver_channel,
};
pub use status::CollectorInfo;

use crate::alert::{OpenIncident, facts_message};
use crate::clock::{self, WallClockAnchor};
use crate::ingest::{BATCH_SIZE, DatagramBatch, Ingest};
use crate::store::{Store, StoreEvent};
use budgets::BudgetClock;
use delta::DeltaTracker;
use expected_hours::ExpectationClock;
use self_check::SelfCheck;
use status::BeatRate;

/// Most batches taken from one socket in one turn: a flood must not keep the tick away.
const BATCHES_PER_TURN: usize = 64;
/// Most requests answered in one turn.
const REQUESTS_PER_TURN: usize = 8;
/// How often the kernel's table is read for drops, and the store's writers are checked.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Largest number of consecutive failures to read the sockets before the collector exits.
const FAILURES_MAX: u32 = 1_000;

/// Settings that go by local times.
pub struct Calendars {
    pub budgets: Vec<BudgetSetting>,
    /// Those of [`heartline_fleet::HealthRules::expectations`], with their hours.
    pub expectations: Vec<ExpectSection>,
}

/// The one owner of the fleet.
pub struct Driver {
    fleet: Fleet,
    ingest: Ingest,
    store: Store,
    inbox: DriverInbox,
    info: CollectorInfo,
    anchor: WallClockAnchor,
    rate: BeatRate,
    deltas: DeltaTracker,
    budgets: BudgetClock,
    expectations: ExpectationClock,
    history: HistoryHealth,
    self_check: SelfCheck,
    history_rows: Vec<HistoryDbRow>,
    control_rows: Vec<ControlDbRow>,
    /// Operators that wait for a command, by its request id.
    pending_commands: BTreeMap<u64, Vec<ReplyTo<CommandReply>>>,
    /// Operators that wait for agents to be forgotten, by the id of the request.
    pending_forgets: BTreeMap<u64, ReplyTo<Result<Vec<String>, ForgetRefusal>>>,
    last_forget: u64,
    checked: MonoTime,
    failures: u32,
    turn: u64,
    ending: bool,
}

impl Driver {
    /// Creates the driver. `fleet` must have handled [`Input::Budgets`] with these budgets, and [`Input::Begin`];
    /// `anchor` is the one by which it was restored.
    pub fn new(
        fleet: Fleet,
        ingest: Ingest,
        store: Store,
        inbox: DriverInbox,
        info: CollectorInfo,
        anchor: WallClockAnchor,
        Calendars { budgets, expectations }: Calendars,
    ) -> Self {
        let now = clock::now();
        Self {
            fleet,
            ingest,
            store,
            inbox,
            info,
            anchor,
            rate: BeatRate::new(now),
            deltas: DeltaTracker::default(),
            budgets: BudgetClock::new(budgets),
            expectations: ExpectationClock::new(expectations, anchor),
            history: HistoryHealth::Kept,
            self_check: SelfCheck::new(now),
            history_rows: Vec::new(),
            control_rows: Vec::new(),
            pending_commands: BTreeMap::new(),
            pending_forgets: BTreeMap::new(),
            last_forget: 0,
            checked: now,
            failures: 0,
            turn: 0,
            ending: false,
        }
    }

    /// Runs until [`DriverRequest::End`]; then commits everything.
    ///
    /// # Errors
    /// When a socket can be neither waited on nor read: nothing could be observed any more.
    pub fn run(mut self) -> io::Result<()> {
        self.flush_rows();
        let mut batches = self.ingest.new_batches();
        while !self.ending {
            self.wait()?;
            self.turn(&mut batches)?;
        }
        self.handle(Input::End, clock::now());
        self.flush_rows();
        self.ingest.flush();
        self.store.close();
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let left = self.fleet.poll_timeout().since(clock::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds: Vec<PollFd<'_>> = self
            .ingest
            .sockets()
            .chain([std::os::fd::AsFd::as_fd(&self.inbox)])
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn turn(&mut self, batches: &mut [DatagramBatch]) -> io::Result<()> {
        self.turn += 1;
        let now = clock::now();
        self.begin_budget_windows(now);
        self.begin_expected_hours(now);
        self.receive(batches)?;
        let now = clock::now();
        self.check_drops(now);
        self.handle(Input::Tick, now);
        self.handle_requests();
        self.ingest.flush();
        self.flush_rows();
        self.rate.update(self.fleet.counters().live, now);
        self.self_check.ticks.record(now);
        if self.checked == now {
            if !self.store.is_alive() {
                return Err(io::Error::other("a database writer thread has ended"));
            }
            self.check_self(now);
        }
        Ok(())
    }

    fn receive(&mut self, batches: &mut [DatagramBatch]) -> io::Result<()> {
        for via in 0..self.ingest.sockets().count() {
            for _ in 0..BATCHES_PER_TURN {
                let now = clock::now();
                let got = match self.ingest.receive(batches, via, &mut self.fleet, now) {
                    Ok(got) => got,
                    Err(error) => {
                        self.on_failure(error)?;
                        break;
                    }
                };
                self.failures = 0;
                self.drain(now);
                if got < BATCH_SIZE {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Counts a failure to read a socket. One may pass; when they go on, nothing is observed any more.
    fn on_failure(&mut self, error: io::Error) -> io::Result<()> {
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!("a socket can't be read: {error}; trying again");
        }
        if self.failures > FAILURES_MAX { Err(error) } else { Ok(()) }
    }

    fn check_drops(&mut self, now: MonoTime) {
        if now.since(self.checked) >= CHECK_EVERY {
            self.checked = now;
            // Wall-clock times of what follows change when the clock was set.
            let updated = self.anchor.updated();
            self.self_check.note_clock(self.anchor, updated, now);
            self.anchor = updated;
            self.ingest.read_kernel_drops();
        }
        let count = self.ingest.take_kernel_drops();
        if count > 0 {
            self.handle(Input::KernelDrops { count }, now);
        }
    }

    fn handle(&mut self, input: Input<'_>, now: MonoTime) {
        self.fleet.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: MonoTime) {
        while let Some(output) = self.fleet.poll_output() {
            match output {
                Output::Ack(ack) => self.ingest.queue_ack(&self.fleet, &ack, now),
                Output::Push(push) => self.ingest.queue_push(&self.fleet, &push),
                Output::Transition(row) => self.history_rows.push(HistoryDbRow::Transition(row)),
                Output::Budget(event) => self.history_rows.push(HistoryDbRow::Budget(event)),
                Output::WriteHistory(row) => self.history_rows.push(row),
                Output::WriteControl(row) => self.control_rows.push(row),
                Output::CommandApplied { request_id, at, targets } => {
                    let at_ms = self.anchor.wall_ms(at);
                    self.reply(Ok(CommandOutcome { request_id, at_ms, targets, refused: None }));
                }
                Output::CommandRefused { request_id, refusal } => {
                    let (at_ms, refused) = (self.anchor.wall_ms(now), Some(refusal));
                    let targets = Vec::new();
                    self.reply(Ok(CommandOutcome { request_id, at_ms, targets, refused }));
                }
                Output::CommandAbandoned { request_id, why } => self.reply(Err((request_id, why))),
                Output::ForgetDone { request_id, result } => {
                    if let Some(reply_to) = self.pending_forgets.remove(&request_id) {
                        let _ = reply_to.send(result);
                    }
                }
                Output::AgentRemoved { index } => self.ingest.keyring.forget(index),
            }
        }
    }

    /// Gives the rows of this turn to the store, which takes them without waiting.
    fn flush_rows(&mut self) {
        // Also without rows: some of before may wait for room.
        self.store.persist(std::mem::take(&mut self.control_rows), self.anchor);
        if !self.history_rows.is_empty() {
            self.store.record(std::mem::take(&mut self.history_rows), self.anchor);
        }
    }

    fn handle_requests(&mut self) {
        self.inbox.clear_wake();
        for _ in 0..REQUESTS_PER_TURN {
            let Some(request) = self.inbox.try_next() else { return };
            self.handle_request(request);
        }
        // More may wait: come back at once.
        self.inbox.wake();
    }

    fn handle_request(&mut self, request: DriverRequest) {
        let now = clock::now();
        match request {
            DriverRequest::Store(event) => self.on_store(event, now),
            DriverRequest::Command(request, reply_to) => self.on_command(request, reply_to, now),
            DriverRequest::Forget { by, agents, reply_to } => {
                self.last_forget += 1;
                let request_id = self.last_forget;
                self.pending_forgets.insert(request_id, reply_to);
                self.handle(Input::Forget(ForgetRequest { request_id, agents, by }), now);
            }
            DriverRequest::Page(request, reply_to) => {
                let (entries, next) = delta::page(&self.fleet, request, self.anchor);
                let (turn, status) = (self.turn, self.status(now));
                let _ = reply_to.send(FleetPage { turn, entries, status, next });
            }
            DriverRequest::Delta(reply_to) => {
                let (turn, status) = (self.turn, self.status(now));
                let delta = self.deltas.delta(&mut self.fleet, turn, status, self.anchor);
                let _ = reply_to.send(delta);
            }
            DriverRequest::Agent(agent, reply_to) => {
                let _ = reply_to.send(self.agent_detail(&agent));
            }
            DriverRequest::Status(reply_to) => {
                let _ = reply_to.send(self.status(now));
            }
            DriverRequest::Health(reply_to) => drop(reply_to.send(self.health(now))),
            DriverRequest::Workers(workers) => self.self_check.set_workers(workers, now),
            DriverRequest::Watchdog(pinger) => self.self_check.watchdog.replace(pinger),
            DriverRequest::FlushHistory(reply_to) => {
                self.flush_rows();
                match self.history {
                    HistoryHealth::Kept => self.store.flush_history(reply_to),
                    HistoryHealth::Paused(_) => drop(reply_to.send(())),
                }
            }
            DriverRequest::FlushControl(reply_to) => {
                self.flush_rows();
                self.store.flush_control(reply_to);
            }
            DriverRequest::Revoked { epoch, scope, is_revoked } => {
                self.ingest.keyring.set_revoked(epoch, &scope, is_revoked);
            }
            DriverRequest::Condition { about, sentence } => {
                self.info.set_condition(about, sentence);
            }
            DriverRequest::Baselines(baselines) => {
                for (agent, limits) in &baselines {
                    self.handle(Input::Baseline { agent, limits: *limits }, now);
                }
            }
            DriverRequest::Rules { rules, expectations } => {
                self.handle(Input::Rules(rules), now);
                self.set_expectations(expectations, now);
            }
            DriverRequest::Alert(input) => self.handle(Input::Alert(input), now),
            DriverRequest::Incidents(reply_to) => {
                let facts = self.fleet.incident_facts(now);
                let messages = facts.iter().map(|facts| facts_message(facts, self.anchor));
                let open = self.fleet.incidents().zip(messages);
                let _ = reply_to
                    .send(open.map(|(it, message)| OpenIncident::of(it, message)).collect());
            }
            DriverRequest::Acknowledge { incidents, by, reply_to } => {
                let _ = reply_to.send(self.acknowledge(incidents, &by, now));
            }
            DriverRequest::SetBudgets { settings, setup } => self.set_budgets(settings, setup, now),
            DriverRequest::Budgets(reply_to) => {
                let _ = reply_to.send(budgets::statuses(&self.fleet));
            }
            DriverRequest::Roster(reply_to) => {
                let _ = reply_to.send(roster::report(&self.fleet, self.anchor));
            }
            DriverRequest::End => self.ending = true,
        }
    }

    /// Acknowledges incidents if all of them go on; returns those that do.
    fn acknowledge(
        &mut self,
        incidents: Vec<IncidentId>,
        by: &str,
        now: MonoTime,
    ) -> Vec<IncidentId> {
        let is_open = |id: &IncidentId| self.fleet.incidents().any(|it| it.id == *id);
        let open: Vec<IncidentId> = incidents.iter().copied().filter(is_open).collect();
        if open.len() == incidents.len() {
            for id in incidents {
                self.handle(Input::Alert(AlertInput::Acknowledge { id, by: by.into() }), now);
            }
        }
        open
    }

    fn on_store(&mut self, event: StoreEvent, now: MonoTime) {
        match event {
            StoreEvent::HistoryStored { ticket, known } => {
                self.handle(Input::HistoryCommitted { ticket, known }, now);
            }
            StoreEvent::Persisted { ticket } => {
                self.handle(Input::ControlCommitted { ticket }, now);
            }
            StoreEvent::Duplicate { ticket, outcome } => {
                self.reply(Ok(outcome));
                self.handle(Input::Abandoned { ticket, why: "already given".into() }, now);
            }
            StoreEvent::CommandFailed { ticket, why } => {
                self.handle(Input::Abandoned { ticket, why: why.into() }, now);
            }
            StoreEvent::HistoryPaused { why } => {
                tracing::error!("history paused: {why}");
                self.history = HistoryHealth::Paused(why);
            }
            StoreEvent::HistoryResumed => {
                tracing::info!("history resumed");
                self.history = HistoryHealth::Kept;
            }
            StoreEvent::HistorySetAside { why } => {
                tracing::error!("{why}");
                self.info.banners.push(why);
                // The new one has none, and agents tell theirs once a session.
                let identity = |agent: &Agent| {
                    let (id, identity) = (agent.id(), agent.identity()?.clone());
                    Some(HistoryDbRow::Identity { id, at: now, identity })
                };
                let identities = self.fleet.agents().filter_map(|(_, agent)| identity(agent));
                self.history_rows.extend(identities);
                let incidents = self.fleet.incidents().cloned();
                let rows = incidents.map(|it| HistoryDbRow::Incident(Box::new(it)));
                self.history_rows.extend(rows);
            }
            StoreEvent::Condition { about, sentence } => self.info.set_condition(about, sentence),
            StoreEvent::ControlPaused { why } => {
                tracing::error!("control.db can't be written: {why}");
                self.info.control_paused = Some(why);
            }
            StoreEvent::ControlResumed => self.info.control_paused = None,
        }
    }

    fn on_command(
        &mut self,
        request: CommandRequest,
        reply_to: ReplyTo<CommandReply>,
        now: MonoTime,
    ) {
        let waiting = self.pending_commands.entry(request.request_id).or_default();
        waiting.push(reply_to);
        // The same command may be on its way already: one outcome answers both.
        if waiting.len() == 1 {
            self.handle(Input::Command(request), now);
        }
    }

    /// Answers every operator that waits for a command: with its outcome, or with its request id
    /// and why it could not be stored.
    fn reply(&mut self, result: Result<CommandOutcome, (u64, Box<str>)>) {
        let (request_id, reply) = match result {
            Ok(outcome) => (outcome.request_id, Ok(outcome)),
            Err((request_id, why)) => (request_id, Err((ErrorCode::Unavailable, why.into()))),
        };
        for reply_to in self.pending_commands.remove(&request_id).unwrap_or_default() {
            let _ = reply_to.send(CommandReply::clone(&reply));
        }
    }

    fn agent_detail(&self, agent: &str) -> Option<AgentDetail> {
        let index = self.fleet.find(agent)?;
        let view = self.fleet.agent(index)?;
        let key = self.ingest.keyring.scope_of(index).map(|(epoch, scope_len)| AgentKeyInfo {
            scope: agent[..usize::from(scope_len).min(agent.len())].to_owned(),
            epoch: epoch.0,
        });
        Some(AgentDetail {
            entry: delta::entry(view, self.anchor),
            first_seen_ms: self.anchor.wall_ms(view.first_seen()),
            address: view.address().map(|address| address.to_string()),
            key,
            budgets: budgets::of_agent(&self.fleet, index),
            learning: self.fleet.being_learned(index),
            sessions: Vec::new(),
            events: Vec::new(),
        })
    }
}
