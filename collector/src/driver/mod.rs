//! The driver: the one loop that owns the fleet.
//!
//! Its priorities, in the order of a turn:
//! 1. datagrams, until the sockets are empty (or a bound, so that nothing below starves);
//! 2. what the kernel dropped, before anybody is judged by it;
//! 3. the tick: deadlines, pushes, answers that waited long enough;
//! 4. letters: confirmations from the disk, operators' requests.
//!
//! After each input its outputs are drained. Nothing here waits for anything but the next of these.

mod mailbox;
mod news;
mod status;
mod translate;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use heartline_fleet::{
    CommandRequest, ControlDbRow, Fleet, HistoryDbRow, Input, MonoTime, Output, WriteTicket,
};
use heartline_operator::message::{CommandOutcome, ErrorCode, HistoryHealth};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use mailbox::{
    AgentSnapshot, Changed, CommandReply, DriverHandle, DriverInbox, DriverRequest, News, Page,
    PageRequest, ReplyTo, mailbox,
};
pub use news::no_work;
pub use status::CollectorInfo;

use crate::clock::{self, Anchor};
use crate::ingest::{Ask, BATCH, Ingest};
use crate::store::{Store, StoreEvent};
use news::DeltaTracker;
use status::BeatRate;

/// Most batches taken from one socket in one turn: a flood must not keep the tick away.
const BATCHES_PER_TURN: usize = 64;
/// Most letters answered in one turn.
const LETTERS_PER_TURN: usize = 8;
/// How often the kernel's table is asked for drops, and the store for its writers.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many reads of the sockets may fail in a row, for want of memory say, before the collector ends.
const FAILURES_MAX: u32 = 1_000;

/// The one owner of the fleet.
pub struct Driver {
    fleet: Fleet,
    ingest: Ingest,
    store: Store,
    letters: DriverInbox,
    about: CollectorInfo,
    anchor: Anchor,
    rate: BeatRate,
    teller: DeltaTracker,
    history: HistoryHealth,
    history_rows: Vec<HistoryDbRow>,
    control_rows: Vec<ControlDbRow>,
    /// Who waits for which command.
    waiting: BTreeMap<u64, Vec<ReplyTo<CommandReply>>>,
    tickets: BTreeMap<WriteTicket, u64>,
    looked: MonoTime,
    failures: u32,
    turn: u64,
    ending: bool,
}

impl Driver {
    /// A driver of a fleet that has begun, and was restored by this anchor.
    #[must_use]
    pub fn new(
        fleet: Fleet,
        ingest: Ingest,
        store: Store,
        letters: DriverInbox,
        about: CollectorInfo,
        anchor: Anchor,
    ) -> Self {
        let now = clock::now();
        Self {
            fleet,
            ingest,
            store,
            letters,
            about,
            anchor,
            rate: BeatRate::new(now),
            teller: DeltaTracker::default(),
            history: HistoryHealth::Kept,
            history_rows: Vec::new(),
            control_rows: Vec::new(),
            waiting: BTreeMap::new(),
            tickets: BTreeMap::new(),
            looked: now,
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
        self.hand_over();
        while !self.ending {
            self.wait()?;
            self.turn()?;
        }
        self.handle(Input::End, clock::now());
        self.hand_over();
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
            .chain([std::os::fd::AsFd::as_fd(&self.letters)])
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        self.turn += 1;
        self.receive()?;
        let now = clock::now();
        self.note_drops(now);
        self.handle(Input::Tick, now);
        self.read_letters();
        self.ingest.flush();
        self.hand_over();
        self.rate.note(self.fleet.counters().live, now);
        if self.looked == now && !self.store.is_alive() {
            return Err(io::Error::other("a writer of the databases has ended"));
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        for via in 0..self.ingest.sockets().count() {
            for _ in 0..BATCHES_PER_TURN {
                let now = clock::now();
                let got = match self.ingest.receive(via, &mut self.fleet, now) {
                    Ok(got) => got,
                    Err(error) => {
                        self.on_failure(error)?;
                        break;
                    }
                };
                self.failures = 0;
                self.drain(now);
                if got < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A socket could not be read. That may pass; when it does not, nothing is observed any more.
    fn on_failure(&mut self, error: io::Error) -> io::Result<()> {
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!("a socket can't be read: {error}; trying again");
        }
        if self.failures > FAILURES_MAX { Err(error) } else { Ok(()) }
    }

    fn note_drops(&mut self, now: MonoTime) {
        let ask = if now.since(self.looked) >= LOOK_EVERY {
            self.looked = now;
            // Labels follow the wall clock when somebody moves it.
            self.anchor = self.anchor.followed();
            Ask::Kernel
        } else {
            Ask::Datagrams
        };
        let count = self.ingest.take_drops(ask);
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
                Output::Answer(answer) => self.ingest.answer(&self.fleet, &answer, now),
                Output::Push(order) => self.ingest.push(&self.fleet, &order),
                Output::Record(row) => self.history_rows.push(row),
                Output::Persist(row) => {
                    if let ControlDbRow::Command { ticket, request_id, .. } = &row {
                        self.tickets.insert(*ticket, *request_id);
                    }
                    self.control_rows.push(row);
                }
                Output::Commanded { request_id, at, targets } => {
                    let at_ms = self.anchor.wall_ms(at);
                    self.reply(
                        request_id,
                        &Ok(CommandOutcome { request_id, at_ms, targets, refused: None }),
                    );
                }
                Output::Refused { request_id, refusal } => {
                    let refused = Some(refusal);
                    let at_ms = self.anchor.wall_ms(now);
                    let targets = Vec::new();
                    self.reply(
                        request_id,
                        &Ok(CommandOutcome { request_id, at_ms, targets, refused }),
                    );
                }
                Output::Forgotten { index, .. } => self.ingest.keyring.forget(index),
            }
        }
    }

    /// Gives the rows of this turn to the store, which takes them without waiting.
    fn hand_over(&mut self) {
        if !self.control_rows.is_empty() {
            self.store.persist(std::mem::take(&mut self.control_rows), self.anchor);
        }
        if !self.history_rows.is_empty() {
            self.store.record(std::mem::take(&mut self.history_rows), self.anchor);
        }
    }

    fn read_letters(&mut self) {
        self.letters.clear();
        for _ in 0..LETTERS_PER_TURN {
            let Some(letter) = self.letters.take() else { return };
            self.read(letter);
        }
        // More are waiting: come back at once.
        self.letters.nudge();
    }

    fn read(&mut self, letter: DriverRequest) {
        let now = clock::now();
        match letter {
            DriverRequest::Store(event) => self.on_store(event, now),
            DriverRequest::Command(request, reply_to) => self.on_command(request, reply_to, now),
            DriverRequest::Forget(by, agents, reply_to) => {
                let _ = reply_to.send(self.forget(by, agents, now));
            }
            DriverRequest::Page(request, reply_to) => {
                let (entries, next) = self.teller.page(&self.fleet, request, self.anchor);
                let (turn, status) = (self.turn, self.status(now));
                let _ = reply_to.send(Page { turn, entries, status, next });
            }
            DriverRequest::News(reply_to) => {
                let told = self.teller.news(&mut self.fleet, self.anchor);
                let (turn, status) = (self.turn, self.status(now));
                let news::Told { entries, changed, removed } = told;
                let _ = reply_to.send(News { turn, status, entries, changed, removed });
            }
            DriverRequest::Agent(agent, reply_to) => {
                let _ = reply_to.send(self.agent(&agent));
            }
            DriverRequest::Status(reply_to) => {
                let _ = reply_to.send(self.status(now));
            }
            DriverRequest::Works(works) => self.teller.works = works,
            DriverRequest::Revoked { epoch, scope, is_revoked } => {
                self.ingest.keyring.set_revoked(epoch, &scope, is_revoked);
            }
            DriverRequest::Rules(rules) => self.handle(Input::Rules(rules), now),
            DriverRequest::End => self.ending = true,
        }
    }

    /// Removes agents, all or none of them: a kill must outlive whatever happens to its agent.
    fn forget(
        &mut self,
        by: Box<str>,
        agents: Vec<String>,
        now: MonoTime,
    ) -> Result<Vec<String>, String> {
        let (mut found, mut indices) = (Vec::new(), Vec::new());
        for agent in agents {
            let Some(view) = self.fleet.find(&agent).and_then(|index| self.fleet.view(index))
            else {
                continue;
            };
            if view.desired().is_some_and(|desired| desired.killed) {
                return Err(format!(
                    "{agent} is killed, and a kill outlives its agent: resume it, then forget it"
                ));
            }
            if view.has_work_under_way() {
                return Err(format!(
                    "{agent} still works: what it did is on its way to the disk; try again when it \
                     has ended"
                ));
            }
            indices.push(view.index);
            found.push(agent);
        }
        self.handle(Input::Forget { agents: indices, by }, now);
        Ok(found)
    }

    fn on_store(&mut self, event: StoreEvent, now: MonoTime) {
        match event {
            StoreEvent::HistoryStored { ticket, known } => {
                self.handle(Input::Stored { ticket, known }, now);
            }
            StoreEvent::Persisted { ticket } => {
                self.tickets.remove(&ticket);
                self.handle(Input::Persisted { ticket }, now);
            }
            StoreEvent::Duplicate { ticket, outcome } => {
                self.handle(Input::Abandoned { ticket }, now);
                self.tickets.remove(&ticket);
                self.reply(outcome.request_id, &Ok(outcome));
            }
            StoreEvent::CommandFailed { ticket, why } => {
                self.handle(Input::Abandoned { ticket }, now);
                if let Some(request_id) = self.tickets.remove(&ticket) {
                    self.reply(request_id, &Err((ErrorCode::Unavailable, why)));
                }
            }
            StoreEvent::HistoryPaused { why } => {
                tracing::error!("history pauses: {why}");
                self.history = HistoryHealth::Paused(why);
            }
            StoreEvent::HistoryResumed => {
                tracing::info!("history is kept again");
                self.history = HistoryHealth::Kept;
            }
            StoreEvent::HistorySetAside { why } => {
                tracing::error!("{why}");
                self.about.banners.push(why);
            }
            StoreEvent::ControlPaused { why } => {
                tracing::error!("control.db can't be written: {why}");
                self.about.control_paused = Some(why);
            }
            StoreEvent::ControlResumed => self.about.control_paused = None,
        }
    }

    fn on_command(
        &mut self,
        request: CommandRequest,
        reply_to: ReplyTo<CommandReply>,
        now: MonoTime,
    ) {
        let waiting = self.waiting.entry(request.request_id).or_default();
        waiting.push(reply_to);
        // The same command is already on its way: one answer serves both.
        if waiting.len() == 1 {
            self.handle(Input::Command(request), now);
        }
    }

    fn reply(&mut self, request_id: u64, reply: &CommandReply) {
        for reply_to in self.waiting.remove(&request_id).unwrap_or_default() {
            let _ = reply_to.send(reply.clone());
        }
    }

    fn agent(&self, agent: &str) -> Option<AgentSnapshot> {
        let view = self.fleet.view(self.fleet.find(agent)?)?;
        let (epoch, scope_len) = self.ingest.keyring.scope_of(view.index).unwrap_or_default();
        Some(AgentSnapshot {
            entry: self.teller.entry(&view, self.anchor),
            id: view.id(),
            first_seen_ms: self.anchor.wall_ms(view.first_seen()),
            address: view.address().map(|address| address.to_string()),
            scope: agent[..usize::from(scope_len).min(agent.len())].to_owned(),
            epoch: epoch.0,
        })
    }
}
