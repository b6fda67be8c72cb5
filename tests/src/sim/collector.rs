//! The collector's side of a run.

use std::collections::VecDeque;
use std::rc::Rc;

use heartline_fleet::{AgentIndex, CommandRequest, HistoryDbRow, Input, MonoTime, Output};

use heartline_vocabulary::CommandRefusal;

use super::disk::Notice;
use super::network::{Packet, Way};
use super::oracle::{Frozen, number_of};
use super::shell::Shell;
use super::violation::{Checked, hold};
use super::world::{Event, World};
use crate::random::RngExt as _;

/// The collector, running, frozen or not there.
#[derive(Default)]
pub(super) struct Collector {
    pub(super) shell: Option<Shell>,
    pub(super) is_frozen: bool,
    /// DatagramCounters that arrive before then are dropped by the kernel.
    pub(super) drops_until: Option<MonoTime>,
    backlog: VecDeque<Packet>,
    /// What the store has told it while it was frozen, in order.
    told: VecDeque<Notice>,
    dropped: u64,
    /// When the last tick was.
    ticked: Option<MonoTime>,
    boots: u64,
    /// By how much this tick comes late, in ms.
    lateness_ms: u64,
    changed: Vec<AgentIndex>,
}

impl Collector {
    /// When it must be given a tick.
    pub(super) fn tick_at(&self) -> MonoTime {
        match &self.shell {
            Some(shell) if !self.is_frozen => {
                shell.fleet.poll_timeout().plus_millis(self.lateness_ms)
            }
            _ => MonoTime::NEVER,
        }
    }

    /// It is gone, and all that it had not stored.
    pub(super) fn vanish(&mut self) {
        *self = Self { boots: self.boots, ..Self::default() };
    }
}

impl World {
    pub(super) fn start_collector(&mut self) -> Checked {
        if self.collector.shell.is_some() {
            return Ok(());
        }
        self.collector.boots += 1;
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.rng.u64(..).to_be_bytes());
        let mut shell = Shell::new(&self.plan, self.collector.boots, secret, self.now);
        let shift_ms = std::mem::take(&mut self.wall_shift_ms);
        let label = |at: MonoTime| MonoTime::from_nanos(at.nanos() + shift_ms * 1_000_000);
        let restored = self.disk.restore(self.plan.restored_sessions, label);
        self.oracle.begin(&restored, shift_ms != 0, self.now);
        self.ledger.begin(&self.disk);
        for agent in restored {
            shell.fleet.handle(Input::Restore(Box::new(agent)), self.now);
        }
        self.collector.shell = Some(shell);
        self.collector.ticked = Some(self.now);
        self.note(|| "collector starts".to_owned());
        let last_alive = self.disk.last_alive.map(label);
        self.feed(Input::Begin { last_alive, next_id: self.disk.next_id() })
    }

    /// Gives the core an input and does what it wants done.
    pub(super) fn feed(&mut self, input: Input<'_>) -> Checked {
        let outputs = self.ask(input);
        self.perform(outputs)
    }

    fn ask(&mut self, input: Input<'_>) -> Vec<Output> {
        let Some(shell) = &mut self.collector.shell else { return Vec::new() };
        if !matches!(input, Input::Begin { .. }) {
            self.oracle.look(shell.looked, self.now);
            if self.now.since(shell.looked) > super::oracle::ABSENCE {
                self.collector.ticked = Some(self.now);
            }
        }
        shell.feed(input, self.now)
    }

    fn perform(&mut self, outputs: Vec<Output>) -> Checked {
        for output in outputs {
            self.note(|| format!("  {output:?}"));
            self.oracle.check_output(&output, self.now)?;
            self.perform_one(output)?;
        }
        let Some(shell) = &mut self.collector.shell else { return Ok(()) };
        self.collector.changed.clear();
        shell.fleet.drain_changed(&mut self.collector.changed);
        self.oracle.check(&shell.fleet, &self.collector.changed, self.now)?;
        for view in shell.fleet.views() {
            self.ledger.check(&view)?;
        }
        Ok(())
    }

    fn perform_one(&mut self, output: Output) -> Checked {
        let Some(shell) = &mut self.collector.shell else { return Ok(()) };
        match output {
            Output::Ack(answer) => {
                let Some(bytes) = shell.answer(&answer, self.now) else { return Ok(()) };
                let agent = shell.fleet.view(answer.index).map(|view| number_of(view.name()));
                let agent = agent.expect("it was answered");
                self.oracle.answered(agent, &answer, bytes.len(), self.now)?;
                self.send_down(bytes, answer.to.peer);
            }
            Output::Push(order) => {
                if let Some(bytes) = shell.push(&order) {
                    self.send_down(bytes, order.to.peer);
                }
            }
            Output::Transition(row) => {
                if self.disk.record(HistoryDbRow::Transition(row)) {
                    let wait_ms = self.commit_wait_ms();
                    self.after_ms(wait_ms, Event::CommitHistory);
                }
            }
            Output::Record(row) => {
                if let HistoryDbRow::Work(work) = &row {
                    let remembered = self.oracle.remembers(work.id.0, work.session);
                    self.ledger.count(work, remembered)?;
                }
                if self.disk.record(row) {
                    let wait_ms = self.commit_wait_ms();
                    self.after_ms(wait_ms, Event::CommitHistory);
                }
            }
            Output::Persist(row) => {
                if self.disk.persist(row) {
                    let wait_ms = self.commit_wait_ms();
                    self.after_ms(wait_ms, Event::CommitControl);
                }
            }
            Output::CommandApplied { request_id, .. } => {
                hold!(
                    self.disk.control.has(request_id),
                    "a command was confirmed before its commit"
                );
            }
            Output::CommandRefused { request_id, refusal } => self.refused(request_id, &refusal),
            Output::ForgetDone { result, .. } => {
                // All of their sessions: the collector may have dropped some whose processes live.
                for name in result.unwrap_or_default() {
                    let agent = &self.agents[number_of(&name)];
                    agent.sessions.iter().for_each(|&session| self.ledger.blur(session));
                }
            }
            Output::CommandAbandoned { .. } | Output::AgentRemoved { .. } => {}
        }
        Ok(())
    }

    fn send_down(&mut self, bytes: Vec<u8>, peer: std::net::SocketAddr) {
        self.send(&Packet { bytes: Rc::from(bytes), peer, way: Way::Down, forged: false });
    }

    fn commit_wait_ms(&mut self) -> u64 {
        if self.now < self.slow_disk_until {
            self.rng.u64(500..=8_000)
        } else {
            self.rng.u64(0..=self.plan.commit_ms)
        }
    }

    /// A datagram reaches the collector's socket.
    pub(super) fn arrive_up(&mut self, packet: Packet) -> Checked {
        let collector = &mut self.collector;
        if collector.shell.is_none() {
            return Ok(());
        }
        if collector.is_frozen {
            if collector.backlog.len() < self.plan.kernel_buffer {
                collector.backlog.push_back(packet);
            } else {
                collector.dropped += 1;
            }
            return Ok(());
        }
        if collector.drops_until.is_some_and(|until| self.now < until) {
            collector.dropped += 1;
            return Ok(());
        }
        self.receive(&packet)
    }

    fn receive(&mut self, packet: &Packet) -> Checked {
        let Some(shell) = &mut self.collector.shell else { return Ok(()) };
        let Ok(message) = shell.accept(packet, self.now) else {
            return Ok(());
        };
        hold!(!packet.forged, "a forged datagram was accepted");
        let repeated = self.oracle.is_repeated(&packet.bytes);
        let before = Frozen::of(&shell.fleet, message.agent);
        self.note(|| {
            let (agent, session, sequence) = (message.agent, message.session, message.sequence);
            let fresh = if message.fresh { "live" } else { "unconfirmed" };
            let again = if repeated { " again" } else { "" };
            format!("{agent} {session:x} #{sequence} {fresh}{again} {:?}", message.body)
        });
        let outputs = self.ask(Input::Message(&message));
        let Some(shell) = &mut self.collector.shell else { return Ok(()) };
        if repeated && before.is_some() {
            let after = Frozen::of(&shell.fleet, message.agent);
            hold!(before == after, "a repeated datagram changed {before:?} to {after:?}");
        }
        self.oracle.heard(&message, &shell.fleet, self.now)?;
        self.perform(outputs)
    }

    /// Time for a tick.
    pub(super) fn tick(&mut self) -> Checked {
        let dropped = std::mem::take(&mut self.collector.dropped);
        if dropped > 0 {
            self.note(|| format!("kernel dropped {dropped}"));
            let outputs = self.ask(Input::KernelDrops { count: dropped });
            self.oracle.dropped(self.collector.ticked.unwrap_or(self.now), self.now);
            self.collector.ticked = Some(self.now);
            self.perform(outputs)?;
        }
        if self.collector.drops_until.is_some_and(|until| until <= self.now) {
            self.collector.drops_until = None;
        }
        let outputs = self.ask(Input::Tick);
        self.collector.ticked = Some(self.now);
        self.collector.lateness_ms = self.rng.pick(&[0, 0, 1, 10, 40]);
        self.oracle.ticked(self.now);
        self.perform(outputs)
    }

    /// The collector is no longer frozen: it drains its socket, then goes on.
    pub(super) fn thaw(&mut self) -> Checked {
        if !std::mem::take(&mut self.collector.is_frozen) {
            return Ok(());
        }
        self.note(|| "collector thaws".to_owned());
        while let Some(packet) = self.collector.backlog.pop_front() {
            self.receive(&packet)?;
        }
        while let Some(notice) = self.collector.told.pop_front() {
            self.take_in(notice)?;
        }
        self.tick()
    }

    /// The store tells the collector something.
    pub(super) fn tell(&mut self, boot: u64, notice: Notice) -> Checked {
        if self.collector.shell.as_ref().is_none_or(|shell| shell.boot != boot) {
            return Ok(());
        }
        if self.collector.is_frozen {
            self.collector.told.push_back(notice);
            return Ok(());
        }
        self.take_in(notice)
    }

    fn take_in(&mut self, notice: Notice) -> Checked {
        match notice {
            Notice::Abandoned(ticket) => {
                self.feed(Input::Abandoned { ticket, why: "refused".into() })
            }
            Notice::Stored(stored) => {
                self.ledger.stored(&stored);
                self.feed(Input::Stored { ticket: stored.ticket, known: stored.known })
            }
            Notice::Persisted(commands) => {
                let last = commands.iter().map(|it| it.ticket).max().expect("some are durable");
                let outputs = self.ask(Input::Persisted { ticket: last });
                self.oracle.persisted(&commands, self.now)?;
                self.perform(outputs)
            }
        }
    }

    pub(super) fn commit_control(&mut self) -> Checked {
        if !self.disk.control_queue.is_scheduled {
            return Ok(());
        }
        let (rng, refuses) = (&mut self.rng, self.plan.disk_refuses);
        let notices = self.disk.commit_control(self.now, || rng.chance(refuses));
        self.tell_soon(notices);
        Ok(())
    }

    pub(super) fn commit_history(&mut self) -> Checked {
        if !self.disk.history_queue.is_scheduled {
            return Ok(());
        }
        let notices = self.disk.commit_history(self.now);
        self.tell_soon(notices);
        self.ledger.check_disk(&self.disk)
    }

    fn tell_soon(&mut self, notices: Vec<Notice>) {
        let boot = self.collector.boots;
        for notice in notices {
            // At one moment and in order: each database has one writer.
            self.after_ms(1, Event::Tells(boot, notice));
        }
    }

    /// An operator's command reaches the collector.
    pub(super) fn command(&mut self, request: CommandRequest) -> Checked {
        if self.collector.is_frozen {
            self.after_ms(50, Event::Command(request));
            return Ok(());
        }
        self.note(|| format!("{request:?}"));
        self.feed(Input::Command(request))
    }

    /// An operator who is told the number says it, and tries again.
    fn refused(&mut self, request_id: u64, refusal: &CommandRefusal) {
        if let CommandRefusal::CountNotConfirmed { hits, expected: None } = refusal {
            let (hits, all) = (*hits, self.everybody());
            let request = self.request(request_id, all, Some(hits));
            self.after_ms(10, Event::Command(request));
        }
    }
}
