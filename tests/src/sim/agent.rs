//! The agents' side of a run: starts, due work, received datagrams.

use fastrand::Rng;
use heartline_engine::{AgentKeys, AppliedStates, EngineConfig, IdentityConfig};
use heartline_fleet::MonoTime;
use heartline_protocol::{AgentName, Token, TokenScope};

use super::collector_instance::{EPOCH, master};
use super::network::{SimPacket, agent_of_address};
use super::process::SimProcess;
use super::thief::THIEF;
use super::violation::{CheckResult, ensure};
use super::world::SimWorld;

/// An agent: its processes, usually one at a time, and the file in which they store a kill.
#[derive(Debug)]
pub(super) struct SimAgent {
    pub(super) name: AgentName,
    /// Running processes, oldest first.
    pub(super) processes: Vec<SimProcess>,
    /// The applied states in the file, which outlives every process.
    pub(super) stored: AppliedStates,
    /// Every session it ever had.
    pub(super) sessions: Vec<u64>,
    keys: AgentKeys,
    group: Option<&'static str>,
    ports: u16,
    /// Snapshot of the memory of one of its processes.
    snapshot: Option<SimProcess>,
}

impl SimAgent {
    pub(super) fn new(number: usize, group: Option<&'static str>) -> Self {
        let name = AgentName::new(&format!("agent-{number}")).expect("a valid name");
        let token = Token {
            epoch: EPOCH,
            scope: TokenScope::default(),
            key: master().scope_key(EPOCH, ""),
        };
        let keys = AgentKeys::new(&token, &name).expect("the token covers all");
        Self {
            name,
            processes: Vec::new(),
            stored: AppliedStates::default(),
            sessions: Vec::new(),
            keys,
            group,
            ports: 1_000,
            snapshot: None,
        }
    }

    pub(super) fn start(&mut self, interval_ms: u32, now: MonoTime, rng: &mut Rng) {
        self.ports += 1;
        let config = EngineConfig {
            interval_ms,
            identity: IdentityConfig {
                host: Some("machine-1".to_owned()),
                group: self.group.map(str::to_owned),
                ..IdentityConfig::default()
            },
            applied: self.stored.clone(),
            ..EngineConfig::new(self.name.clone(), self.keys.clone(), rng.u64(..))
        };
        self.sessions.push(config.session);
        self.processes.push(SimProcess::new(config, self.ports, now, rng));
    }

    /// Stores applied states, before anything else is sent. Another process may have stored newer
    /// ones.
    pub(super) fn store(&mut self, applied: &AppliedStates) {
        for state in applied.as_slice() {
            self.stored.apply(*state, None);
        }
    }
}

impl SimWorld {
    pub(super) fn start_agent(&mut self, agent: usize) {
        if !self.agents[agent].processes.is_empty() {
            return;
        }
        self.start_process(agent);
    }

    /// Starts a process even if one runs already.
    pub(super) fn start_process(&mut self, agent: usize) {
        let interval_ms = self.plan.interval_ms(&mut self.rng);
        let supervisor = self.plan.supervisor(interval_ms, &mut self.rng);
        let faults_ended = self.faults_ended;
        let Self { agents, now, rng, .. } = self;
        agents[agent].start(interval_ms, *now, rng);
        let process = agents[agent].processes.last_mut().expect("it was started");
        process.idle = faults_ended;
        process.supervisor = supervisor;
        let session = process.engine.session();
        self.trace(|| format!("agent-{agent} starts {session:x} every {interval_ms} ms"));
    }

    /// Takes a snapshot of a process.
    pub(super) fn take_snapshot(&mut self, agent: usize, process: usize) {
        let agent = &mut self.agents[agent];
        agent.snapshot = agent.processes[process].snapshot().or(agent.snapshot.take());
    }

    /// Starts a copy of the process that the agent's snapshot is of, beside it if it still runs.
    pub(super) fn restore_snapshot(&mut self, agent: usize) {
        let it = &mut self.agents[agent];
        let Some(mut copy) = it.snapshot.clone().filter(|_| it.processes.len() < 2) else { return };
        it.ports += 1;
        copy.port = it.ports;
        let session = copy.engine.session();
        it.processes.push(copy);
        self.oracle.on_copy(agent);
        self.trace(|| format!("agent-{agent} goes on as a copy of {session:x}"));
    }

    /// Lets a process do what is due.
    pub(super) fn run_process(&mut self, agent: usize, process: usize) -> CheckResult {
        let Self { agents, now, rng, .. } = self;
        let it = &mut agents[agent].processes[process];
        if it.frozen_until.take().is_some() {
            for packet in std::mem::take(&mut it.inbox) {
                self.receive_datagram(agent, process, &packet)?;
            }
            return Ok(());
        }
        if it.restarts_at().is_some_and(|at| at <= *now) {
            self.restart_program(agent, process);
            return Ok(());
        }
        let (mut sent, in_flight) = (Vec::new(), it.in_flight());
        it.run_due(*now, rng, &mut sent);
        let killed = it.engine.applied().is_killed();
        ensure!(!killed || it.in_flight() <= in_flight, "a killed agent has begun a task");
        if !it.is_copy {
            self.ledger.record_done(it.engine.session(), it.done);
        }
        let (port, is_over) = (it.port, it.due().is_none());
        if is_over {
            let it = self.agents[agent].processes.remove(process);
            self.trace(|| format!("agent-{agent} has ended {:x}", it.engine.session()));
            if it.is_complete() && !it.is_copy {
                self.complete.push(it.engine.session());
            }
        }
        self.send_up(agent, port, sent);
        Ok(())
    }

    /// Has a supervisor start its next program: its end was reported, and all its work is durable.
    fn restart_program(&mut self, agent: usize, process: usize) {
        let new = self.rng.u64(..);
        let it = &mut self.agents[agent].processes[process];
        let before = it.engine.session();
        let done = it.restart_program(new, self.now);
        it.idle = self.faults_ended;
        self.ledger.record_done(before, done);
        self.complete.push(before);
        self.agents[agent].sessions.push(new);
        self.trace(|| format!("agent-{agent} starts its next program: {new:x} after {before:x}"));
    }

    /// Delivers a datagram to an agent's machine.
    pub(super) fn on_packet_down(&mut self, packet: &SimPacket) -> CheckResult {
        if packet.peer == THIEF {
            self.thief.receive(&packet.bytes);
        }
        let Some(agent) = agent_of_address(packet.peer) else { return Ok(()) };
        let port = packet.peer.port();
        let found = self.agents[agent].processes.iter().position(|it| it.port == port);
        let Some(process) = found else { return Ok(()) };
        self.receive_datagram(agent, process, packet)
    }

    fn receive_datagram(
        &mut self,
        agent: usize,
        process: usize,
        packet: &SimPacket,
    ) -> CheckResult {
        let now = self.now;
        let it = &mut self.agents[agent].processes[process];
        if it.frozen_until.is_some() {
            it.inbox.push(packet.clone());
            return Ok(());
        }
        let (before, session) = (it.engine.applied().clone(), it.engine.session());
        let pending = it.engine.pending_segment();
        let has_changed = it.receive(&packet.bytes, now);
        let confirmed = pending.filter(|_| it.engine.pending_segment().is_none());
        if it.engine.is_session_taken() {
            let new = self.rng.u64(..);
            if !it.is_copy {
                self.ledger.record_session_left(session, new);
            }
            it.begin_session(new, now);
            it.idle = self.faults_ended;
            self.agents[agent].sessions.push(new);
            self.trace(|| format!("agent-{agent} leaves {session:x}, which is taken, for {new:x}"));
        }
        let it = &mut self.agents[agent].processes[process];
        let applied = it.engine.applied().clone();
        ensure!(!packet.forged || applied == before, "a forged datagram was obeyed");
        for state in before.as_slice() {
            let is_kept = applied.of(state.control).generation >= state.generation;
            ensure!(is_kept, "an agent's generation fell behind {state:?}");
        }
        self.oracle.check_applied_change(agent, &before, &applied)?;
        if has_changed {
            self.agents[agent].store(&applied);
        }
        if let Some(segment) = confirmed {
            self.ledger.check_confirmed(session, segment, &self.disk)?;
        }
        self.check_applied(agent, &applied)?;
        let it = &mut self.agents[agent].processes[process];
        let mut sent = Vec::new();
        it.transmit(now, &mut sent);
        let port = it.port;
        self.send_up(agent, port, sent);
        Ok(())
    }

    /// Checks that the applied state is the durable one of its generation.
    fn check_applied(&self, agent: usize, applied: &AppliedStates) -> CheckResult {
        let Some(expected) = self.oracle.expected_agent(agent) else { return Ok(()) };
        let Some(desired) = self.disk.control.desired(expected.id) else { return Ok(()) };
        if self.disk.control.was_restored {
            // The numbers of lost commands are given out again, until the agent's beats come.
            return Ok(());
        }
        let applied = applied.of(Some(self.disk.control.id));
        ensure!(
            applied.generation != desired.generation || applied.killed == desired.killed,
            "agent-{agent} has applied {applied:?}, and {desired:?} is durable"
        );
        Ok(())
    }
}
