//! What goes wrong, carried out; and how all of it ends.

use heartline_fleet::{CommandRequest, ForgetRequest, Input, MonoTime};

use heartline_vocabulary::{Action, AgentStatus, Reason};

use super::fault::Fault;
use super::network::{Packet, Way};
use super::violation::{Checked, hold};
use super::world::{Event, World};
use crate::random::RngExt as _;

impl World {
    /// Something goes wrong, and something else will.
    pub(super) fn fault(&mut self) -> Checked {
        if self.healed {
            return Ok(());
        }
        let wait_ms = self.rng.u64(0..=2 * self.plan.fault_every_ms);
        self.after_ms(wait_ms, Event::Fault);
        let Some(fault) = Fault::draw(self.plan.faults, &mut self.rng) else { return Ok(()) };
        let agent = self.rng.usize(..self.plan.agents);
        self.note(|| format!("{fault:?} (agent-{agent})"));
        match fault {
            Fault::CollectorCrash => self.collector_gone(),
            Fault::CollectorStop => {
                if !self.collector.is_frozen {
                    self.feed(Input::End)?;
                    self.commit_control()?;
                    self.commit_history()?;
                }
                self.collector_gone();
            }
            Fault::CollectorFreeze => {
                self.collector.is_frozen = self.collector.shell.is_some();
                let for_ms = self.a_while_ms();
                self.after_ms(for_ms, Event::CollectorThaws);
            }
            Fault::KernelDrops => {
                let for_ms = self.rng.u64(1..=250);
                self.collector.drops_until = Some(self.now.plus_millis(for_ms));
            }
            Fault::SlowDisk => {
                self.slow_disk_until = self.now.plus_millis(self.rng.u64(1_000..=20_000));
            }
            Fault::Kill | Fault::Resume => self.operate(fault, agent),
            Fault::Forget => self.forget(agent)?,
            Fault::Attack | Fault::Flood => {
                let more = if fault == Fault::Flood { self.rng.u64(20..=200) } else { 0 };
                if let Some(packet) = self.attacker.send(&mut self.rng) {
                    self.attack(packet, more as u32);
                }
            }
            Fault::ClockStep => {
                self.wall_shift_ms += self.rng.u64(0..=7_200_000) as i64 - 3_600_000;
            }
            Fault::CutOneWay | Fault::CutBothWays => self.cut(fault, agent),
            _ => self.strike(fault, agent),
        }
        Ok(())
    }

    /// A fault of one agent's process.
    fn strike(&mut self, fault: Fault, agent: usize) {
        let (until, ms) = (self.a_while(), self.a_while_ms());
        let now = self.now;
        let processes = &mut self.agents[agent].processes;
        if processes.is_empty() {
            return;
        }
        let at = self.rng.usize(..processes.len());
        match fault {
            Fault::AgentCrash => {
                processes.clear();
                let wait_ms = if self.rng.chance(300) { self.rng.u64(0..=200) } else { ms };
                self.after_ms(wait_ms, Event::AgentStarts(agent));
            }
            Fault::AgentStop => {
                processes.iter_mut().for_each(|process| process.goodbye(now));
                self.after_ms(1_500 + ms, Event::AgentStarts(agent));
            }
            Fault::SecondEnds if processes.len() > 1 => {
                if self.rng.chance(500) {
                    processes[at].goodbye(now);
                } else {
                    processes.remove(at);
                }
            }
            Fault::AgentFreeze => processes[at].frozen_until = Some(until),
            Fault::SecondProcess if processes.len() < 2 => self.start_process(agent),
            Fault::Stuck => processes[at].stick(until),
            Fault::Waits => processes[at].waits_until = until,
            _ => {}
        }
    }

    fn cut(&mut self, fault: Fault, agent: usize) {
        let (until, way) = (self.a_while(), self.rng.pick(&[Way::Up, Way::Down]));
        self.network.cut(agent, way, until);
        if fault == Fault::CutBothWays {
            self.network.cut(agent, Way::Up, until);
            self.network.cut(agent, Way::Down, until);
        }
    }

    fn collector_gone(&mut self) {
        self.disk.crash();
        self.collector.vanish();
        let down_ms = if self.rng.chance(300) { 0 } else { self.a_while_ms() };
        self.after_ms(down_ms, Event::CollectorStarts);
    }

    /// An attacker sends something that it recorded.
    pub(super) fn attack(&mut self, packet: Packet, more: u32) {
        if more > 0 && !self.healed {
            let wait_ms = self.rng.u64(0..=8);
            self.after_ms(wait_ms, Event::Attack(packet.clone(), more - 1));
        }
        self.at(self.now, Event::Arrives(packet));
    }

    /// An operator kills or resumes one agent or all of them, and may say it twice.
    fn operate(&mut self, fault: Fault, agent: usize) {
        self.requests += 1;
        let everybody = self.rng.chance(300);
        let agents =
            if everybody { self.everybody() } else { vec![self.agents[agent].name.to_string()] };
        let mut request = self.request(self.requests, agents, None);
        request.action = if fault == Fault::Kill { Action::Kill } else { Action::Resume };
        for _ in 0..=self.rng.u64(0..=1) {
            let wait_ms = self.rng.u64(0..=300);
            self.after_ms(wait_ms, Event::Command(request.clone()));
        }
    }

    pub(super) fn everybody(&self) -> Vec<String> {
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
            reason: "it burns money".into(),
            by: "root@desk".into(),
            expect,
        }
    }

    fn forget(&mut self, agent: usize) -> Checked {
        if self.collector.is_frozen {
            return Ok(());
        }
        self.requests += 1;
        let (request_id, agents) = (self.requests, vec![self.agents[agent].name.to_string()]);
        self.feed(Input::Forget(ForgetRequest { request_id, agents, by: "root@desk".into() }))
    }

    fn a_while_ms(&mut self) -> u64 {
        let interval_ms = u64::from(self.plan.interval_ms);
        let most_ms = interval_ms * self.rng.pick(&[1, 4, 15]);
        self.rng.u64(0..=most_ms.max(50))
    }

    fn a_while(&mut self) -> MonoTime {
        let ms = self.a_while_ms();
        self.now.plus_millis(ms)
    }

    /// Nothing goes wrong any more, everybody runs, and no new work is begun.
    pub(super) fn heal(&mut self) -> Checked {
        self.note(|| "all is well".to_owned());
        self.healed = true;
        self.network.heal();
        self.slow_disk_until = self.now;
        self.plan.disk_refuses = 0;
        let now = self.now;
        for agent in 0..self.plan.agents {
            let processes = &mut self.agents[agent].processes;
            for process in processes.iter_mut() {
                process.unstick(now);
                process.frozen_until = process.frozen_until.map(|_| now);
            }
            for second in processes.iter_mut().skip(1) {
                second.goodbye(now);
            }
            self.after_ms(1_500, Event::AgentStarts(agent));
        }
        self.start_collector()?;
        self.thaw()
    }

    /// The end: everybody is as they should be, and every book is closed.
    pub(super) fn check_end(&mut self) -> Checked {
        self.ledger.check_disk(&self.disk)?;
        for session in &self.complete {
            self.ledger.check_complete(*session, &self.disk)?;
        }
        let Some(shell) = &self.collector.shell else {
            hold!(false, "no collector runs");
            return Ok(());
        };
        hold!(shell.fleet.unconfirmed_work() == 0, "work is under way for ever");
        for agent in &self.agents {
            hold!(agent.processes.len() == 1, "{} does not run", agent.name);
            let engine = &agent.processes[0].engine;
            self.ledger.check_complete(engine.session(), &self.disk)?;
            let view = shell.fleet.find(&agent.name).and_then(|index| shell.fleet.view(index));
            let Some(view) = view else {
                hold!(false, "{} is not known", agent.name);
                return Ok(());
            };
            let killed = view.desired().is_some_and(|desired| desired.killed);
            let expected =
                if killed { AgentStatus::killed(Reason::Operator) } else { AgentStatus::HEALTHY };
            hold!(view.status() == expected, "{} is {:?}", agent.name, view.status());
            self.ledger.check_shown(&view, &agent.sessions, &self.disk)?;
            hold!(view.session() == engine.session(), "{} has another session", agent.name);
            let Some(desired) = view.desired() else { continue };
            let applied = engine.applied();
            // Whoever was forgotten may remember more than the collector does.
            let is_applied = applied.generation >= desired.generation;
            hold!(is_applied, "{} never heard of {desired:?}", agent.name);
            let is_told = desired.obeyed_ms.is_some() || applied.generation > desired.generation;
            hold!(is_told, "{} obeys, and nobody knows: {desired:?}", agent.name);
        }
        Ok(())
    }
}
