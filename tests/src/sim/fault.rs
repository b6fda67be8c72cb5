//! Kinds of faults, their injection, and the checks at the end of a run.

use fastrand::Rng;
use heartline_fleet::{CommandRequest, ForgetRequest, Input, MonoTime};
use heartline_protocol::Direction;
use heartline_vocabulary::{Action, AgentStatus, Reason};

use super::network::SimPacket;
use super::supervisor::draw_exit;
use super::violation::{CheckResult, ensure};
use super::world::{SimEvent, SimWorld};
use crate::random::RngExt as _;

/// Faults, and actions of operators and attackers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// SIGKILL; starts again later.
    CollectorCrash,
    /// Clean shutdown; starts again later.
    CollectorStop,
    /// Datagrams wait in the socket buffer, as far as they fit.
    CollectorFreeze,
    /// Datagrams are dropped although the collector runs.
    KernelDrops,
    /// Commits take seconds for a while.
    SlowDisk,
    /// SIGKILL; starts again later.
    AgentCrash,
    /// Clean shutdown; starts again later.
    AgentStop,
    AgentFreeze,
    /// SIGKILL and a new start, several times in a row.
    CrashLoop,
    /// A second process starts under the name of a running agent.
    SecondProcess,
    /// One of two processes under one name ends.
    SecondProcessEnds,
    /// A snapshot of a process is taken; a copy of it goes on later.
    Snapshot,
    /// The program of a supervisor ends; the next one starts later.
    ProgramExits,
    /// The emitter in the program of a supervisor says nothing for a while.
    EmitterSilent,
    TasksStuck,
    /// One task hangs beside others that end.
    TaskHangs,
    WaitsForPerson,
    PartitionOneWay,
    PartitionBothWays,
    /// The attacker sends a recording.
    Replay,
    /// The attacker sends one recording again and again.
    ReplayFlood,
    /// The attacker sends several recordings in rotation, until the run ends.
    ReplayRotation,
    /// A thief with the key of one agent sends far too many beats.
    ThiefFloods,
    Kill,
    Resume,
    Forget,
    /// `control.db` is copied.
    ControlCopied,
    /// SIGKILL; starts again with the last copy of `control.db`.
    ControlRestored,
    /// SIGKILL; starts again without any command, under a new control id.
    ControlLost,
    /// The wall clock is set.
    ClockStep,
}

/// All kinds, the frequent ones more than once.
const FREQUENCIES: [FaultKind; 42] = [
    FaultKind::CollectorCrash,
    FaultKind::CollectorCrash,
    FaultKind::CollectorStop,
    FaultKind::CollectorFreeze,
    FaultKind::CollectorFreeze,
    FaultKind::KernelDrops,
    FaultKind::SlowDisk,
    FaultKind::AgentCrash,
    FaultKind::AgentCrash,
    FaultKind::AgentStop,
    FaultKind::AgentFreeze,
    FaultKind::CrashLoop,
    FaultKind::SecondProcess,
    FaultKind::SecondProcessEnds,
    FaultKind::Snapshot,
    FaultKind::ProgramExits,
    FaultKind::ProgramExits,
    FaultKind::EmitterSilent,
    FaultKind::TasksStuck,
    FaultKind::TaskHangs,
    FaultKind::WaitsForPerson,
    FaultKind::PartitionOneWay,
    FaultKind::PartitionOneWay,
    FaultKind::PartitionBothWays,
    FaultKind::Replay,
    FaultKind::Replay,
    FaultKind::Replay,
    FaultKind::Replay,
    FaultKind::Replay,
    FaultKind::ReplayFlood,
    FaultKind::ReplayRotation,
    FaultKind::ThiefFloods,
    FaultKind::Kill,
    FaultKind::Kill,
    FaultKind::Kill,
    FaultKind::Resume,
    FaultKind::Resume,
    FaultKind::Forget,
    FaultKind::ControlCopied,
    FaultKind::ControlCopied,
    FaultKind::ControlRestored,
    FaultKind::ControlLost,
];

impl FaultKind {
    /// Draws a kind; `None` unless it is enabled. Bit `n` of `enabled` stands for the kind `n`.
    pub(super) fn draw(enabled: u64, rng: &mut Rng) -> Option<Self> {
        let at = rng.usize(..FREQUENCIES.len() + 1);
        let fault = FREQUENCIES.get(at).copied().unwrap_or(Self::ClockStep);
        (enabled >> fault as u32 & 1 == 1).then_some(fault)
    }
}

impl SimWorld {
    /// Injects a fault and schedules the next one.
    pub(super) fn inject_fault(&mut self) -> CheckResult {
        if self.faults_ended {
            return Ok(());
        }
        let wait_ms = self.rng.u64(0..=2 * self.plan.fault_interval_ms);
        self.after_ms(wait_ms, SimEvent::Fault);
        let Some(fault) = FaultKind::draw(self.plan.faults, &mut self.rng) else { return Ok(()) };
        let agent = self.rng.usize(..self.plan.agents);
        self.trace(|| format!("{fault:?} (agent-{agent})"));
        match fault {
            FaultKind::CollectorCrash => self.crash_collector(),
            FaultKind::CollectorStop => {
                if !self.collector.is_frozen {
                    self.step_core(Input::End)?;
                    self.commit_control()?;
                    self.commit_history()?;
                }
                self.crash_collector();
            }
            FaultKind::CollectorFreeze => {
                self.collector.is_frozen = self.collector.instance.is_some();
                let for_ms = self.fault_duration_ms();
                self.after_ms(for_ms, SimEvent::CollectorUnfreezes);
            }
            FaultKind::KernelDrops => {
                let for_ms = self.rng.u64(1..=250);
                self.collector.drops_until = Some(self.now.plus_millis(for_ms));
            }
            FaultKind::SlowDisk => {
                self.slow_disk_until = self.now.plus_millis(self.rng.u64(1_000..=20_000));
            }
            FaultKind::Kill | FaultKind::Resume => self.issue_command(fault, agent),
            FaultKind::Forget => self.forget(agent)?,
            FaultKind::Replay | FaultKind::ReplayFlood => {
                let more = if fault == FaultKind::ReplayFlood { self.rng.u64(20..=200) } else { 0 };
                if let Some(packet) = self.attacker.pick_recording(&mut self.rng) {
                    self.send_recording(packet, more as u32);
                }
            }
            FaultKind::ControlCopied => self.disk.control.copy(),
            FaultKind::ControlRestored => {
                self.crash_collector();
                self.disk.control.restore_copy();
            }
            FaultKind::ControlLost => {
                self.crash_collector();
                self.disk.control.lose_commands();
            }
            FaultKind::ReplayRotation => {
                let count = self.rng.usize(2..=12);
                let recordings = self.attacker.pick_recordings(count, &mut self.rng);
                self.rotate_recordings(recordings);
            }
            FaultKind::ThiefFloods => {
                let beats = self.rng.u64(20..=1_500);
                self.start_thief(beats as u32);
            }
            FaultKind::ClockStep => {
                self.wall_shift_ms += self.rng.u64(0..=7_200_000) as i64 - 3_600_000;
            }
            FaultKind::PartitionOneWay | FaultKind::PartitionBothWays => {
                self.partition(fault, agent);
            }
            _ => self.inject_process_fault(fault, agent),
        }
        Ok(())
    }

    /// Injects a fault of one agent's process.
    fn inject_process_fault(&mut self, fault: FaultKind, agent: usize) {
        let (until, ms) = (self.fault_end(), self.fault_duration_ms());
        let now = self.now;
        let processes = &mut self.agents[agent].processes;
        if processes.is_empty() {
            return;
        }
        let at = self.rng.usize(..processes.len());
        match fault {
            FaultKind::AgentCrash => {
                processes.clear();
                let wait_ms = if self.rng.chance(300) { self.rng.u64(0..=200) } else { ms };
                self.after_ms(wait_ms, SimEvent::AgentStarts(agent));
            }
            FaultKind::CrashLoop => {
                processes.clear();
                for start in 1..=self.rng.u64(2..=8) {
                    let wait_ms = start * self.rng.u64(1..=2_000);
                    self.after_ms(wait_ms, SimEvent::AgentRestarts(agent));
                }
            }
            FaultKind::AgentStop => {
                processes.iter_mut().for_each(|process| process.shut_down(now));
                self.after_ms(1_500 + ms, SimEvent::AgentStarts(agent));
            }
            FaultKind::SecondProcessEnds if processes.len() > 1 => {
                if self.rng.chance(500) {
                    processes[at].shut_down(now);
                } else {
                    processes.remove(at);
                }
            }
            FaultKind::AgentFreeze => processes[at].frozen_until = Some(until),
            FaultKind::SecondProcess if processes.len() < 2 => self.start_process(agent),
            FaultKind::Snapshot => {
                self.take_snapshot(agent, at);
                self.after_ms(ms, SimEvent::SnapshotRestored(agent));
            }
            FaultKind::ProgramExits => {
                let exit = draw_exit(&mut self.rng);
                let restarts_at = if self.rng.chance(300) { now } else { until };
                processes[at].end_program(exit, restarts_at, now);
            }
            FaultKind::EmitterSilent => processes[at].silence_emitter(now, until),
            FaultKind::TasksStuck => processes[at].block_tasks(until),
            FaultKind::TaskHangs => processes[at].hang_task(until),
            FaultKind::WaitsForPerson => processes[at].waiting_until = until,
            _ => {}
        }
    }

    fn partition(&mut self, fault: FaultKind, agent: usize) {
        let (until, direction) =
            (self.fault_end(), self.rng.pick(&[Direction::Up, Direction::Down]));
        self.network.partition(agent, direction, until);
        if fault == FaultKind::PartitionBothWays {
            self.network.partition(agent, Direction::Up, until);
            self.network.partition(agent, Direction::Down, until);
        }
    }

    fn crash_collector(&mut self) {
        self.disk.crash();
        self.collector.crash();
        let down_ms = if self.rng.chance(300) { 0 } else { self.fault_duration_ms() };
        self.after_ms(down_ms, SimEvent::CollectorStarts);
    }

    /// Sends a recording, now and `more` times later.
    pub(super) fn send_recording(&mut self, packet: SimPacket, more: u32) {
        if more > 0 && !self.faults_ended {
            let wait_ms = self.rng.u64(0..=8);
            self.after_ms(wait_ms, SimEvent::ReplayFlood(packet.clone(), more - 1));
        }
        self.at(self.now, SimEvent::PacketArrives(packet));
    }

    /// Kills or resumes one agent or all of them, possibly twice with the same request id.
    fn issue_command(&mut self, fault: FaultKind, agent: usize) {
        self.requests += 1;
        let is_for_all = self.rng.chance(300);
        let agents =
            if is_for_all { self.agent_names() } else { vec![self.agents[agent].name.to_string()] };
        let mut request = self.request(self.requests, agents, None);
        request.action = if fault == FaultKind::Kill { Action::Kill } else { Action::Resume };
        for _ in 0..=self.rng.u64(0..=1) {
            let wait_ms = self.rng.u64(0..=300);
            self.after_ms(wait_ms, SimEvent::Command(request.clone()));
        }
    }

    pub(super) fn agent_names(&self) -> Vec<String> {
        self.agents.iter().map(|agent| agent.name.to_string()).collect()
    }

    pub(super) fn request(
        &self,
        request_id: u64,
        agents: Vec<String>,
        expect: Option<u32>,
    ) -> CommandRequest {
        CommandRequest {
            request_id,
            action: Action::Kill,
            cause: Reason::Operator,
            agents,
            reason: "over budget".into(),
            by: "root@desk".into(),
            expect,
        }
    }

    fn forget(&mut self, agent: usize) -> CheckResult {
        if self.collector.is_frozen {
            return Ok(());
        }
        self.requests += 1;
        let (request_id, agents) = (self.requests, vec![self.agents[agent].name.to_string()]);
        self.step_core(Input::Forget(ForgetRequest { request_id, agents, by: "root@desk".into() }))
    }

    fn fault_duration_ms(&mut self) -> u64 {
        let interval_ms = u64::from(self.plan.interval_ms);
        let most_ms = interval_ms * self.rng.pick(&[1, 4, 15]);
        self.rng.u64(0..=most_ms.max(50))
    }

    fn fault_end(&mut self) -> MonoTime {
        let ms = self.fault_duration_ms();
        self.now.plus_millis(ms)
    }

    /// Ends all faults: every agent runs, and no new work begins.
    pub(super) fn end_faults(&mut self) -> CheckResult {
        self.trace(|| "faults end".to_owned());
        self.faults_ended = true;
        self.network.repair();
        self.slow_disk_until = self.now;
        self.plan.disk_refuses = 0;
        let now = self.now;
        for agent in 0..self.plan.agents {
            let processes = &mut self.agents[agent].processes;
            for process in processes.iter_mut() {
                process.unblock_tasks(now);
                process.frozen_until = process.frozen_until.map(|_| now);
            }
            for second in processes.iter_mut().skip(1) {
                second.shut_down(now);
            }
            self.after_ms(1_500, SimEvent::AgentStarts(agent));
        }
        self.start_collector()?;
        self.unfreeze_collector()
    }

    /// Checks the end of a run: every agent is as expected, and all work is accounted for.
    pub(super) fn check_end(&mut self) -> CheckResult {
        self.ledger.check_disk(&self.disk)?;
        for session in &self.complete {
            self.ledger.check_complete(*session, &self.disk)?;
        }
        let Some(instance) = &self.collector.instance else {
            ensure!(false, "no collector runs");
            return Ok(());
        };
        ensure!(instance.fleet.uncommitted_work() == 0, "work is never stored");
        for (number, agent) in self.agents.iter().enumerate() {
            ensure!(agent.processes.len() == 1, "{} does not run", agent.name);
            let process = &agent.processes[0];
            let engine = &process.engine;
            // The original of a copy may have ended before its work was stored.
            if !process.is_copy {
                self.ledger.check_complete(engine.session(), &self.disk)?;
            }
            let view =
                instance.fleet.find(&agent.name).and_then(|index| instance.fleet.agent(index));
            let Some(view) = view else {
                ensure!(false, "{} is not known", agent.name);
                return Ok(());
            };
            let killed = view.desired().is_some_and(|desired| desired.killed);
            let is_blocked = engine.applied().blocked_by(Some(self.disk.control.id)).is_some();
            let crash_looping = AgentStatus::degraded(Reason::CrashLooping);
            let crashed = AgentStatus::unreachable(Reason::Crashed);
            let expected = match (killed, is_blocked) {
                (true, _) => {
                    let durable = self.disk.control.desired(view.id().0);
                    AgentStatus::killed(durable.map_or(Reason::Operator, |it| it.cause))
                }
                // Its supervisor waits for the resume of that kill; where the agent was forgotten meanwhile,
                // nothing is known of the crash.
                (false, true) if process.has_crashed_program() && view.status() == crashed => {
                    crashed
                }
                (false, true) => AgentStatus::degraded(Reason::Blocked),
                // Its restarts may have been lately, and what it did before it became idle may have been
                // bad; every step was checked for that.
                (false, false) if view.status() == crash_looping => crash_looping,
                (false, false)
                    if matches!(view.status().reason, Some(Reason::Failing | Reason::Slow)) =>
                {
                    view.status()
                }
                (false, false) => AgentStatus::HEALTHY,
            };
            let is_killed = engine.applied().is_killed();
            ensure!(is_killed == (killed || is_blocked), "{} is killed: {is_killed}", agent.name);
            ensure!(view.status() == expected, "{} is {:?}", agent.name, view.status());
            self.ledger.check_agent(number, &agent.sessions, &self.disk)?;
            ensure!(view.session() == engine.session(), "{} has another session", agent.name);
            let Some(desired) = view.desired() else { continue };
            let applied = engine.applied().of(Some(self.disk.control.id));
            // An agent that was forgotten may remember a higher generation than the collector.
            let is_applied = applied.generation >= desired.generation;
            ensure!(is_applied, "{} never applied {desired:?}", agent.name);
            let is_reported =
                desired.obeyed_ms.is_some() || applied.generation > desired.generation;
            ensure!(is_reported, "{} obeys, but is not known to: {desired:?}", agent.name);
        }
        Ok(())
    }
}
