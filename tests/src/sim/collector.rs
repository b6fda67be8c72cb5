//! The collector's side of a run.

use std::collections::VecDeque;
use std::rc::Rc;

use heartline_fleet::{
    AgentIndex, AlertInput, CommandRequest, ControlDbRow, HistoryDbRow, Input, MonoTime, Output,
};
use heartline_protocol::Direction;
use heartline_vocabulary::CommandRefusal;

use super::alert_watch::AlertWatch;
use super::collector_instance::CollectorInstance;
use super::disk::StoreNotice;
use super::network::SimPacket;
use super::oracle::{GAP_MIN, agent_number};
use super::replay_snapshot::ReplaySnapshot;
use super::replica_watch::ReplicaWatch;
use super::roster_watch::RosterWatch;
use super::violation::{CheckResult, ensure};
use super::world::{SimEvent, SimWorld};
use crate::random::RngExt as _;

/// The collector process and the socket buffer in front of it.
#[derive(Default)]
pub(super) struct SimCollector {
    pub(super) instance: Option<CollectorInstance>,
    pub(super) is_frozen: bool,
    /// The kernel drops datagrams that arrive before this moment.
    pub(super) drops_until: Option<MonoTime>,
    socket_buffer: VecDeque<SimPacket>,
    /// Notices of the store that arrived during a freeze, in order.
    pending_notices: VecDeque<StoreNotice>,
    dropped: u64,
    last_tick: Option<MonoTime>,
    starts: u64,
    /// Delay of the next tick, in ms.
    lateness_ms: u64,
    changed: Vec<AgentIndex>,
}

impl SimCollector {
    /// Returns when the core must be given a tick.
    pub(super) fn tick_at(&self) -> MonoTime {
        match &self.instance {
            Some(instance) if !self.is_frozen => {
                instance.fleet.poll_timeout().plus_millis(self.lateness_ms)
            }
            _ => MonoTime::NEVER,
        }
    }

    /// Ends the process, with all that was not stored.
    pub(super) fn crash(&mut self) {
        *self = Self { starts: self.starts, ..Self::default() };
    }
}

impl SimWorld {
    pub(super) fn start_collector(&mut self) -> CheckResult {
        if self.collector.instance.is_some() {
            return Ok(());
        }
        self.collector.starts += 1;
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&self.rng.u64(..).to_be_bytes());
        let mut instance = CollectorInstance::new(
            &self.plan,
            self.disk.control.id,
            self.collector.starts,
            secret,
            self.disk.history.next_incident(),
            self.now,
        );
        let shift_ms = std::mem::take(&mut self.wall_shift_ms);
        let label = |at: MonoTime| MonoTime::from_nanos(at.nanos() + shift_ms * 1_000_000);
        self.disk.wall_ahead_ms -= shift_ms;
        let restored = self.disk.restore(self.plan.restored_sessions, label);
        self.oracle.on_collector_start(&restored, self.disk.control.id, shift_ms != 0, self.now);
        self.ledger.on_collector_start(&self.disk);
        let setup = self.budget_setup();
        self.budgets.on_collector_start(&setup, &restored, &self.disk);
        let incidents = self.disk.history.open_incidents();
        let rules = instance.fleet.alert_rules();
        self.roster = RosterWatch::new(&rules.expected, &restored, &incidents, self.now);
        self.replicas = ReplicaWatch::new(&rules.groups, rules.recovery_hold, &incidents, self.now);
        for agent in restored {
            instance.fleet.handle(Input::Restore(Box::new(agent)), self.now);
        }
        self.alert_watch = AlertWatch::new(incidents.iter().map(|it| (it.id, it.notices)));
        for incident in incidents {
            let restored = AlertInput::Restore(Box::new(incident));
            instance.fleet.handle(Input::Alert(restored), self.now);
        }
        if !setup.budgets.is_empty() {
            instance.fleet.handle(Input::Budgets(Box::new(setup)), self.now);
        }
        self.collector.instance = Some(instance);
        self.collector.last_tick = Some(self.now);
        self.trace(|| "collector starts".to_owned());
        let last_alive = self.disk.last_alive.map(label);
        self.step_core(Input::Begin { last_alive, next_id: self.disk.next_id() })
    }

    /// Gives the core an input and performs its outputs.
    pub(super) fn step_core(&mut self, input: Input<'_>) -> CheckResult {
        let outputs = self.handle_input(input);
        self.perform_outputs(outputs)
    }

    fn handle_input(&mut self, input: Input<'_>) -> Vec<Output> {
        let Some(instance) = &mut self.collector.instance else { return Vec::new() };
        if !matches!(input, Input::Begin { .. }) {
            self.oracle.observe_time(instance.last_input, self.now);
            let unobserved = self.now.since(instance.last_input);
            if unobserved > GAP_MIN {
                self.roster.postpone(unobserved, true);
                self.collector.last_tick = Some(self.now);
            }
        }
        instance.handle(input, self.now)
    }

    fn perform_outputs(&mut self, outputs: Vec<Output>) -> CheckResult {
        for output in &outputs {
            self.trace(|| format!("  {output:?}"));
        }
        let Some(instance) = &mut self.collector.instance else { return Ok(()) };
        self.collector.changed.clear();
        instance.fleet.drain_changed(&mut self.collector.changed);
        let is_idle = outputs.is_empty() && self.collector.changed.is_empty();
        if !is_idle || self.budgets.has_changed {
            self.budgets.check_outputs(&outputs, &instance.fleet, self.now)?;
        }
        for output in outputs {
            self.oracle.check_output(&output, self.now)?;
            self.alert_watch.check_output(&output)?;
            self.perform_output(output)?;
        }
        let Some(instance) = &self.collector.instance else { return Ok(()) };
        self.oracle.check(&instance.fleet, &self.collector.changed, self.now)?;
        if !is_idle {
            self.roster.check(&instance.fleet, self.now)?;
            self.replicas.check(&instance.fleet, false, self.now)?;
        }
        self.alert_watch.check(&instance.fleet, &self.replicas, self.now)?;
        for (_, agent) in instance.fleet.agents() {
            self.ledger.check(agent)?;
        }
        Ok(())
    }

    fn perform_output(&mut self, output: Output) -> CheckResult {
        let Some(instance) = &mut self.collector.instance else { return Ok(()) };
        match output {
            Output::Ack(ack) => {
                let Some(bytes) = instance.ack_datagram(&ack, self.now) else { return Ok(()) };
                let agent = instance.fleet.agent(ack.index).map(|view| agent_number(view.name()));
                let agent = agent.expect("an ack is of a known agent");
                self.oracle.on_ack(agent, &ack, bytes.len(), self.now)?;
                self.send_down(bytes, ack.to.peer);
            }
            Output::Push(push) => {
                if let Some(bytes) = instance.push_datagram(&push) {
                    self.send_down(bytes, push.to.peer);
                }
            }
            Output::Transition(row) => self.record_history(HistoryDbRow::Transition(row)),
            Output::Budget(event) => self.record_history(HistoryDbRow::Budget(event)),
            Output::WriteHistory(row) => {
                match &row {
                    HistoryDbRow::Work(work) => self.ledger.record_counted(work, &self.oracle)?,
                    HistoryDbRow::Forgotten { id, .. } => self.ledger.check_forgotten(id.0)?,
                    _ => {}
                }
                self.record_history(row);
            }
            Output::WriteControl(row) => {
                if let ControlDbRow::Registered { id, agent, .. } = &row {
                    self.ledger.record_row_id(id.0, agent_number(agent));
                }
                if self.disk.persist(row) {
                    let wait_ms = self.commit_wait_ms();
                    self.after_ms(wait_ms, SimEvent::CommitControl);
                }
            }
            Output::CommandApplied { request_id, .. } => {
                ensure!(
                    self.disk.control.has(request_id),
                    "a command was confirmed before its commit"
                );
            }
            Output::CommandRefused { request_id, refusal } => {
                self.on_command_refused(request_id, &refusal);
            }
            Output::ForgetDone { .. }
            | Output::CommandAbandoned { .. }
            | Output::AgentRemoved { .. } => {}
        }
        Ok(())
    }

    fn record_history(&mut self, row: HistoryDbRow) {
        if self.disk.record(row) {
            let wait_ms = self.commit_wait_ms();
            self.after_ms(wait_ms, SimEvent::CommitHistory);
        }
    }

    fn send_down(&mut self, bytes: Vec<u8>, peer: std::net::SocketAddr) {
        self.send(&SimPacket {
            bytes: Rc::from(bytes),
            peer,
            direction: Direction::Down,
            forged: false,
        });
    }

    fn commit_wait_ms(&mut self) -> u64 {
        if self.now < self.slow_disk_until {
            self.rng.u64(500..=8_000)
        } else {
            self.rng.u64(0..=self.plan.commit_ms)
        }
    }

    /// Delivers a datagram to the collector's socket.
    pub(super) fn on_packet_up(&mut self, packet: SimPacket) -> CheckResult {
        let collector = &mut self.collector;
        if collector.instance.is_none() {
            return Ok(());
        }
        if collector.is_frozen {
            if collector.socket_buffer.len() < self.plan.kernel_buffer {
                collector.socket_buffer.push_back(packet);
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

    fn receive(&mut self, packet: &SimPacket) -> CheckResult {
        self.begin_budget_windows()?;
        let Some(instance) = &mut self.collector.instance else { return Ok(()) };
        let Ok(message) = instance.verify_and_decode(packet, self.now) else { return Ok(()) };
        ensure!(!packet.forged, "a forged datagram was accepted");
        let repeated = self.oracle.is_repeated(&packet.bytes);
        let before = ReplaySnapshot::of(&instance.fleet, message.agent);
        let over_budget = instance.fleet.counters().over_budget;
        self.trace(|| {
            let (agent, session, sequence) = (message.agent, message.session, message.sequence);
            let fresh = if message.fresh { "live" } else { "unconfirmed" };
            let again = if repeated { " again" } else { "" };
            format!("{agent} {session:x} #{sequence} {fresh}{again} {:?}", message.body)
        });
        let outputs = self.handle_input(Input::Message(&message));
        let Some(instance) = &mut self.collector.instance else { return Ok(()) };
        if repeated && before.is_some() {
            let after = ReplaySnapshot::of(&instance.fleet, message.agent);
            ensure!(before == after, "a repeated datagram changed {before:?} to {after:?}");
        }
        if instance.fleet.counters().over_budget == over_budget {
            self.oracle.on_message(&message, &instance.fleet, self.disk.control.id, self.now)?;
        } else {
            self.oracle.on_over_budget(&message, self.now)?;
        }
        self.perform_outputs(outputs)
    }

    pub(super) fn tick_collector(&mut self) -> CheckResult {
        self.begin_budget_windows()?;
        let dropped = std::mem::take(&mut self.collector.dropped);
        if dropped > 0 {
            self.trace(|| format!("kernel dropped {dropped}"));
            let outputs = self.handle_input(Input::KernelDrops { count: dropped });
            let from = self.collector.last_tick.unwrap_or(self.now);
            self.oracle.on_kernel_drops(from, self.now);
            self.roster.postpone(self.now.since(from), false);
            self.collector.last_tick = Some(self.now);
            self.perform_outputs(outputs)?;
        }
        if self.collector.drops_until.is_some_and(|until| until <= self.now) {
            self.collector.drops_until = None;
        }
        let outputs = self.handle_input(Input::Tick);
        self.collector.last_tick = Some(self.now);
        self.collector.lateness_ms = self.rng.pick(&[0, 0, 1, 10, 40]);
        self.oracle.on_tick(self.now);
        self.perform_outputs(outputs)?;
        if let Some(instance) = &self.collector.instance {
            self.replicas.check(&instance.fleet, true, self.now)?;
        }
        self.roster.on_tick(self.now)?;
        self.budgets.check_resumed(self.now)
    }

    /// Ends a freeze: the collector drains its socket, then handles what the store reported.
    pub(super) fn unfreeze_collector(&mut self) -> CheckResult {
        if !std::mem::take(&mut self.collector.is_frozen) {
            return Ok(());
        }
        self.trace(|| "collector unfreezes".to_owned());
        while let Some(packet) = self.collector.socket_buffer.pop_front() {
            self.receive(&packet)?;
        }
        while let Some(notice) = self.collector.pending_notices.pop_front() {
            self.on_store_notice(notice)?;
        }
        self.tick_collector()
    }

    /// Delivers a notice of the store to the start of the collector that wrote the rows.
    pub(super) fn deliver_notice(&mut self, start: u64, notice: StoreNotice) -> CheckResult {
        if self.collector.instance.as_ref().is_none_or(|instance| instance.number != start) {
            return Ok(());
        }
        if self.collector.is_frozen {
            self.collector.pending_notices.push_back(notice);
            return Ok(());
        }
        self.on_store_notice(notice)
    }

    fn on_store_notice(&mut self, notice: StoreNotice) -> CheckResult {
        match notice {
            StoreNotice::Abandoned(ticket) => {
                self.budgets.on_abandoned(ticket);
                self.step_core(Input::Abandoned { ticket, why: "refused".into() })
            }
            StoreNotice::Stored(stored) => {
                self.ledger.on_stored(&stored)?;
                self.budgets.on_stored(&stored);
                self.step_core(Input::HistoryCommitted {
                    ticket: stored.ticket,
                    known: stored.known,
                })
            }
            StoreNotice::Persisted(commands) => {
                let last = commands.iter().map(|it| it.ticket).max().expect("some are durable");
                let outputs = self.handle_input(Input::ControlCommitted { ticket: last });
                self.oracle.on_commands_durable(&commands, self.disk.control.id, self.now)?;
                self.budgets.on_commands_durable(&commands);
                self.perform_outputs(outputs)
            }
        }
    }

    pub(super) fn commit_control(&mut self) -> CheckResult {
        if !self.disk.control_queue.is_scheduled {
            return Ok(());
        }
        let (rng, refuses) = (&mut self.rng, self.plan.disk_refuses);
        let notices = self.disk.commit_control(self.now, || rng.chance(refuses));
        self.schedule_notices(notices);
        Ok(())
    }

    pub(super) fn commit_history(&mut self) -> CheckResult {
        if !self.disk.history_queue.is_scheduled {
            return Ok(());
        }
        let notices = self.disk.commit_history(self.now);
        self.schedule_notices(notices);
        self.ledger.check_disk(&self.disk)
    }

    fn schedule_notices(&mut self, notices: Vec<StoreNotice>) {
        let start = self.collector.starts;
        for notice in notices {
            // All at one moment and in order: each database has one writer.
            self.after_ms(1, SimEvent::StoreNotice(start, notice));
        }
    }

    /// Delivers an operator's command.
    pub(super) fn send_command(&mut self, request: CommandRequest) -> CheckResult {
        if self.collector.is_frozen {
            self.after_ms(50, SimEvent::Command(request));
            return Ok(());
        }
        self.trace(|| format!("{request:?}"));
        self.step_core(Input::Command(request))
    }

    /// Repeats a command whose count was not confirmed, with the count.
    fn on_command_refused(&mut self, request_id: u64, refusal: &CommandRefusal) {
        if let CommandRefusal::CountNotConfirmed { hits, expected: None } = refusal {
            let (hits, all) = (*hits, self.agent_names());
            let request = self.request(request_id, all, Some(hits));
            self.after_ms(10, SimEvent::Command(request));
        }
    }
}
