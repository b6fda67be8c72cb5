//! The state of one run, and its event loop.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{CommandRequest, MonoTime};
use heartline_protocol::Direction;

use super::agent::SimAgent;
use super::alert_watch::AlertWatch;
use super::attacker::SimAttacker;
use super::budget_watch::BudgetWatch;
use super::collector::SimCollector;
use super::disk::{SimDisk, StoreNotice};
use super::ledger::WorkLedger;
use super::network::{SimNetwork, SimPacket, address};
use super::oracle::FleetOracle;
use super::plan::RunPlan;
use super::replica_watch::ReplicaWatch;
use super::roster_watch::RosterWatch;
use super::thief::SimThief;
use super::violation::{CheckResult, StepTrace, ensure};

/// A scheduled event.
#[derive(Debug)]
pub(super) enum SimEvent {
    PacketArrives(SimPacket),
    /// `control.db` commits.
    CommitControl,
    /// `history.db` commits.
    CommitHistory,
    /// A notice of the store to this start of the collector.
    StoreNotice(u64, StoreNotice),
    Command(CommandRequest),
    CollectorUnfreezes,
    CollectorStarts,
    AgentStarts(usize),
    /// SIGKILL of all its processes, and a start.
    AgentRestarts(usize),
    SnapshotRestored(usize),
    Fault,
    /// The attacker sends a recording, and as many more times.
    ReplayFlood(SimPacket, u32),
    /// The attacker sends the next of several recordings.
    RecordingsRotate(Vec<SimPacket>),
    /// The thief sends a beat, and as many more later.
    ThiefSends(u32),
    /// From now on there are no faults.
    FaultsEnd,
    /// Every agent must be as expected by now.
    RunEnds,
}

/// One run.
pub(super) struct SimWorld {
    pub(super) now: MonoTime,
    pub(super) rng: Rng,
    pub(super) plan: RunPlan,
    pub(super) agents: Vec<SimAgent>,
    pub(super) network: SimNetwork,
    pub(super) attacker: SimAttacker,
    pub(super) thief: SimThief,
    pub(super) collector: SimCollector,
    pub(super) disk: SimDisk,
    pub(super) oracle: FleetOracle,
    pub(super) ledger: WorkLedger,
    pub(super) alert_watch: AlertWatch,
    pub(super) budgets: BudgetWatch,
    pub(super) roster: RosterWatch,
    pub(super) replicas: ReplicaWatch,
    pub(super) trace: StepTrace,
    pub(super) slow_disk_until: MonoTime,
    pub(super) faults_ended: bool,
    /// By how much the wall clock was set since the collector started, in ms.
    pub(super) wall_shift_ms: i64,
    pub(super) requests: u64,
    /// Sessions that ended with all work confirmed.
    pub(super) complete: Vec<u64>,
    events: BTreeMap<(MonoTime, u64), SimEvent>,
    serial: u64,
    steps: u64,
    /// Consecutive steps at one simulated time.
    steps_at_now: u32,
}

/// What the event loop does next.
enum NextStep {
    Event,
    Tick,
    Process { agent: usize, process: usize },
}

/// Most steps at one simulated time.
const STEPS_AT_ONE_TIME_MAX: u32 = 10_000;
/// Start of every run; ages reach back before it.
const START: MonoTime = MonoTime::from_millis(1_000_000_000);

impl SimWorld {
    pub(super) fn new(seed: u64, trace: StepTrace) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = RunPlan::draw(&mut rng);
        let agents = (0..plan.agents)
            .map(|number| SimAgent::new(number, plan.policy.groups[number]))
            .collect();
        let mut world = Self {
            now: START,
            network: SimNetwork::new(plan.agents),
            attacker: SimAttacker::default(),
            thief: SimThief::default(),
            collector: SimCollector::default(),
            disk: SimDisk::default(),
            oracle: FleetOracle::new(&plan),
            alert_watch: AlertWatch::default(),
            budgets: BudgetWatch::default(),
            roster: RosterWatch::default(),
            replicas: ReplicaWatch::default(),
            ledger: WorkLedger::default(),
            slow_disk_until: START,
            faults_ended: false,
            wall_shift_ms: 0,
            requests: 0,
            complete: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            steps: 0,
            steps_at_now: 0,
            rng,
            plan,
            agents,
            trace,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        let faults_end = START + self.plan.faults_for;
        // Flooding lasts for a minute after the last beat too many, and flapping for a minute after that.
        let settle_time = Duration::from_millis(u64::from(self.plan.interval_ms) * 30 + 150_000);
        self.after_ms(0, SimEvent::CollectorStarts);
        for agent in 0..self.plan.agents {
            let wait_ms = self.rng.u64(0..=u64::from(self.plan.interval_ms));
            self.after_ms(wait_ms, SimEvent::AgentStarts(agent));
        }
        self.after_ms(self.plan.fault_interval_ms, SimEvent::Fault);
        self.at(faults_end, SimEvent::FaultsEnd);
        self.at(faults_end + settle_time, SimEvent::RunEnds);
    }

    /// Runs to the end; returns the number of steps and the simulated time.
    pub(super) fn run(&mut self) -> CheckResult<(u64, Duration)> {
        loop {
            let (at, next) = self.next_step();
            ensure!(at >= self.now, "time runs backwards");
            self.steps_at_now = if at == self.now { self.steps_at_now + 1 } else { 0 };
            ensure!(
                self.steps_at_now < STEPS_AT_ONE_TIME_MAX,
                "{STEPS_AT_ONE_TIME_MAX} steps, and no time passes"
            );
            self.now = at;
            self.steps += 1;
            match next {
                NextStep::Tick => self.tick_collector()?,
                NextStep::Process { agent, process } => self.run_process(agent, process)?,
                NextStep::Event => {
                    let (_, event) = self.events.pop_first().expect("it was chosen");
                    if matches!(event, SimEvent::RunEnds) {
                        self.check_end()?;
                        return Ok((self.steps, self.now.since(START)));
                    }
                    self.handle_event(event)?;
                }
            }
        }
    }

    /// Returns the next step. A tick comes after everything else at its time: the socket is drained
    /// first.
    fn next_step(&self) -> (MonoTime, NextStep) {
        let event = self.events.first_key_value().expect("the end of the run is scheduled");
        let mut next = (event.0.0, NextStep::Event);
        for (agent, it) in self.agents.iter().enumerate() {
            for (process, it) in it.processes.iter().enumerate() {
                let due = it.due().unwrap_or(self.now).max(self.now);
                if due < next.0 {
                    next = (due, NextStep::Process { agent, process });
                }
            }
        }
        let tick_at = self.collector.tick_at().max(self.now);
        if tick_at < next.0 { (tick_at, NextStep::Tick) } else { next }
    }

    fn handle_event(&mut self, event: SimEvent) -> CheckResult {
        match event {
            SimEvent::PacketArrives(packet) => match packet.direction {
                Direction::Up => self.on_packet_up(packet),
                Direction::Down => self.on_packet_down(&packet),
            },
            SimEvent::CommitControl => self.commit_control(),
            SimEvent::CommitHistory => self.commit_history(),
            SimEvent::StoreNotice(start, notice) => self.deliver_notice(start, notice),
            SimEvent::Command(request) => self.send_command(request),
            SimEvent::CollectorUnfreezes => self.unfreeze_collector(),
            SimEvent::CollectorStarts => self.start_collector(),
            SimEvent::AgentStarts(agent) => {
                self.start_agent(agent);
                Ok(())
            }
            SimEvent::AgentRestarts(agent) => {
                if !self.faults_ended {
                    self.agents[agent].processes.clear();
                }
                self.start_agent(agent);
                Ok(())
            }
            SimEvent::SnapshotRestored(agent) => {
                if !self.faults_ended {
                    self.restore_snapshot(agent);
                }
                Ok(())
            }
            SimEvent::Fault => self.inject_fault(),
            SimEvent::ReplayFlood(packet, more) => {
                self.send_recording(packet, more);
                Ok(())
            }
            SimEvent::RecordingsRotate(recordings) => {
                self.rotate_recordings(recordings);
                Ok(())
            }
            SimEvent::ThiefSends(more) => {
                self.send_of_thief(more);
                Ok(())
            }
            SimEvent::FaultsEnd => self.end_faults(),
            SimEvent::RunEnds => Ok(()),
        }
    }

    pub(super) fn at(&mut self, at: MonoTime, event: SimEvent) {
        self.serial += 1;
        self.events.insert((at.max(self.now), self.serial), event);
    }

    pub(super) fn after_ms(&mut self, ms: u64, event: SimEvent) {
        self.at(self.now.plus_millis(ms), event);
    }

    /// Sends a datagram through the network and past the attacker.
    pub(super) fn send(&mut self, packet: &SimPacket) {
        self.attacker.record(packet, &mut self.rng);
        for at in self.network.arrivals(packet, &self.plan, &mut self.rng, self.now) {
            self.at(at, SimEvent::PacketArrives(packet.clone()));
        }
    }

    /// Sends the datagrams of a process.
    pub(super) fn send_up(&mut self, agent: usize, port: u16, datagrams: Vec<Rc<[u8]>>) {
        for bytes in datagrams {
            let peer = address(agent, port);
            self.send(&SimPacket { bytes, peer, direction: Direction::Up, forged: false });
        }
    }

    /// Adds a line to the trace.
    pub(super) fn trace(&mut self, text: impl FnOnce() -> String) {
        self.trace.push(self.now.since(START), self.steps, text);
    }
}
