//! The year: agents take turns, events befall them, and the collector judges.

use anyhow::Result;
use fastrand::Rng;
use heartline_vocabulary::Action;

use super::agent::{Sent, YearAgent};
use super::collector::YearCollector;
use super::plan::{self, EventQueue, PlannedFault, SiteEvent, StopKind};
use super::rules::YearRules;
use super::site::{
    AGENTS, DAY_MS, GROUPS, HOUR_MS, INTERVAL_MS, MINUTE_MS, SECOND_MS, agents_of_group, group_of,
};
use super::truth::{Attention, FaultId, FaultKind};
use super::watch::Watch;

/// Time between the turns of two agents.
const STEP_MS: u64 = INTERVAL_MS / AGENTS as u64;
/// Turns between two commits.
const COMMIT_EVERY: u64 = 8;
/// Agents of one host and group beat at times that have nothing to do with each other.
const SCATTER: u64 = 73;
/// Beats of a thousand that are lost by themselves.
const LOST_PERMILLE: u64 = 1;
/// A failing agent fails so many of its tasks, and a slow one takes so many times as long.
const FAILING: f64 = 0.9;
const SLOWNESS: f64 = 5.0;

/// The site and its collector.
pub(super) struct World {
    now_ms: u64,
    rng: Rng,
    events: EventQueue,
    agents: Vec<YearAgent>,
    pub(super) collector: YearCollector,
    /// Since when and until when each group's upstream fails.
    upstream_out: [Option<UpstreamOutage>; GROUPS.len()],
    pub(super) beats: u64,
}

#[derive(Clone, Copy)]
struct UpstreamOutage {
    from_ms: u64,
    to_ms: u64,
    fault: FaultId,
}

impl World {
    pub(super) fn new(days: u64, seed: u64, rules: YearRules, watch: Watch) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut events = plan::draw(days, &mut rng);
        (0..AGENTS).for_each(|agent| events.add(0, SiteEvent::Start { agent }));
        let mut collector = YearCollector::new(rules, watch);
        collector.start(0);
        Self {
            now_ms: 0,
            rng,
            events,
            agents: (0..AGENTS).map(YearAgent::new).collect(),
            collector,
            upstream_out: [None; GROUPS.len()],
            beats: 0,
        }
    }

    /// Runs for so many days.
    pub(super) fn run(&mut self, days: u64) -> Result<()> {
        for step in 0..days * DAY_MS / STEP_MS {
            self.now_ms = step * STEP_MS;
            if step > 0 && self.now_ms.is_multiple_of(HOUR_MS) {
                let is_midnight = self.now_ms.is_multiple_of(DAY_MS);
                self.collector.end_hour(is_midnight, self.now_ms);
            }
            while let Some(event) = self.events.pop_due(self.now_ms) {
                self.befall(event)?;
            }
            let agent = (step * SCATTER % AGENTS as u64) as usize;
            if self.agents[agent].is_running {
                self.take_turn(agent);
            }
            self.collector.tick(self.now_ms);
            if step.is_multiple_of(COMMIT_EVERY) {
                self.collector.commit(self.now_ms);
            }
            if step.is_multiple_of(AGENTS as u64) {
                self.collector.watch.advance(self.now_ms);
            }
        }
        Ok(())
    }

    fn take_turn(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let agent = &mut self.agents[number];
        let out = self.upstream_out[group_of(number)];
        let from_ms = now_ms.saturating_sub(INTERVAL_MS);
        let out_ms =
            out.map_or(0, |out| out.to_ms.min(now_ms).saturating_sub(out.from_ms.max(from_ms)));
        agent.work(now_ms, out_ms, &mut self.rng);
        let truth = &mut self.collector.watch.truth;
        if let Some(out) = out.filter(|_| out_ms > 0) {
            truth.count_failed(out.fault, agent.failed);
        }
        if let Some(fault) = agent.fault.filter(|_| agent.failing.is_some()) {
            truth.count_failed(fault, agent.failed);
        }
        let is_lost = self.rng.u64(..1_000) < LOST_PERMILLE;
        self.send(number, &Sent::Beat, is_lost);
    }

    fn send(&mut self, number: usize, what: &Sent, is_lost: bool) {
        let now_ms = self.now_ms;
        let agent = &mut self.agents[number];
        if is_lost || now_ms < agent.cut_until_ms || !self.collector.is_running() {
            agent.lose();
            return;
        }
        if agent.is_commanded {
            agent.is_commanded = false;
            agent.applied = self.collector.desired(&agent.name).unwrap_or(agent.applied);
        }
        self.beats += 1;
        self.collector.receive(number, agent, what, now_ms);
    }

    fn befall(&mut self, event: SiteEvent) -> Result<()> {
        match event {
            SiteEvent::Deploy { group } => self.deploy(group),
            SiteEvent::Stop { agent, how } => {
                if self.is_well(agent) {
                    self.stop(agent, how);
                }
            }
            SiteEvent::Start { agent } => self.start(agent),
            SiteEvent::Cut { agents, for_ms } => {
                let until_ms = self.now_ms + for_ms;
                self.cut(&agents, until_ms);
                self.disturb(FaultKind::Silence, agents, for_ms, Attention::Unwanted);
            }
            SiteEvent::CutAgain { agent, until_ms } => {
                if self.now_ms < until_ms {
                    let for_ms = self.rng.u64(6..=8) * MINUTE_MS;
                    self.cut(&[agent], self.now_ms + for_ms);
                    let again_ms = self.now_ms + 20 * MINUTE_MS;
                    self.events.add(again_ms, SiteEvent::CutAgain { agent, until_ms });
                }
            }
            SiteEvent::Crash { agent, down_ms } => {
                if self.is_well(agent) {
                    // Only a supervisor tells.
                    let is_told = GROUPS[group_of(agent)].is_supervised;
                    let attention = if is_told { Attention::Optional } else { Attention::Unwanted };
                    self.disturb(FaultKind::Crash, vec![agent], down_ms, attention);
                    self.stop(agent, StopKind::Crashed);
                    self.events.add(self.now_ms + down_ms, SiteEvent::Start { agent });
                }
            }
            SiteEvent::CrashAgain { agent, until_ms } => {
                if self.now_ms < until_ms {
                    self.stop(agent, StopKind::Crashed);
                    self.events.add(self.now_ms + 5 * SECOND_MS, SiteEvent::Start { agent });
                    let again_ms = self.now_ms + self.rng.u64(50..80) * SECOND_MS;
                    self.events.add(again_ms, SiteEvent::CrashAgain { agent, until_ms });
                }
            }
            SiteEvent::UpstreamOut { group, for_ms } => self.fail_upstream(group, for_ms),
            SiteEvent::FaultBegins(fault) => self.begin_fault(&fault),
            SiteEvent::FaultEnds(fault) => self.end_fault(&fault),
            SiteEvent::CollectorStops { is_clean, for_ms } => {
                if self.collector.is_running() {
                    self.collector.stop(is_clean, self.now_ms);
                    self.events.add(self.now_ms + for_ms, SiteEvent::CollectorStarts);
                }
            }
            SiteEvent::CollectorStarts => self.collector.start(self.now_ms),
            SiteEvent::OperatorKills { mut agents, for_ms } => {
                agents.retain(|&agent| self.is_well(agent));
                if self.collector.is_running() && !agents.is_empty() {
                    self.command(Action::Kill, &agents)?;
                    self.events.add(self.now_ms + for_ms, SiteEvent::OperatorResumes { agents });
                }
            }
            SiteEvent::OperatorResumes { agents } if self.collector.is_running() => {
                self.command(Action::Resume, &agents)?;
            }
            SiteEvent::OperatorResumes { .. } => {
                self.events.add(self.now_ms + MINUTE_MS, event);
            }
        }
        Ok(())
    }

    /// Returns whether an agent runs, and has no fault that lasts.
    fn is_well(&self, agent: usize) -> bool {
        self.agents[agent].is_running && self.agents[agent].fault.is_none()
    }

    /// Records something that is over soon.
    fn disturb(
        &mut self,
        kind: FaultKind,
        agents: Vec<usize>,
        for_ms: u64,
        attention: Attention,
    ) -> FaultId {
        let truth = &mut self.collector.watch.truth;
        truth.begin(kind, agents, (self.now_ms, self.now_ms + for_ms), attention)
    }

    fn cut(&mut self, agents: &[usize], until_ms: u64) {
        for &agent in agents {
            let cut_until_ms = &mut self.agents[agent].cut_until_ms;
            *cut_until_ms = until_ms.max(*cut_until_ms);
        }
    }

    fn stop(&mut self, agent: usize, how: StopKind) {
        if self.agents[agent].is_running {
            let is_told = how == StopKind::Goodbye || GROUPS[group_of(agent)].is_supervised;
            let how = if is_told { how } else { StopKind::Killed };
            self.send(agent, &Sent::Stop(how), false);
            self.agents[agent].is_running = false;
        }
    }

    fn start(&mut self, agent: usize) {
        if !self.agents[agent].is_running && !self.agents[agent].is_gone {
            self.agents[agent].start(self.now_ms, &mut self.rng);
            self.send(agent, &Sent::Beat, false);
        }
    }

    fn deploy(&mut self, group: usize) {
        let is_clean = self.rng.u64(..10) < 7;
        let how = if is_clean { StopKind::Goodbye } else { StopKind::Killed };
        let mut at_ms = self.now_ms;
        for agent in agents_of_group(group) {
            let down_ms = self.rng.u64(10..=60) * SECOND_MS;
            self.events.add(at_ms, SiteEvent::Stop { agent, how });
            self.events.add(at_ms + down_ms, SiteEvent::Start { agent });
            let truth = &mut self.collector.watch.truth;
            let time = (at_ms, at_ms + down_ms);
            truth.begin(FaultKind::Silence, [agent], time, Attention::Unwanted);
            at_ms += 20 * SECOND_MS;
        }
    }

    fn fail_upstream(&mut self, group: usize, for_ms: u64) {
        let (from_ms, to_ms) = (self.now_ms, self.now_ms + for_ms);
        if self.upstream_out[group].is_some_and(|out| out.to_ms > from_ms) {
            return;
        }
        let agents: Vec<usize> = agents_of_group(group).collect();
        for &agent in &agents {
            self.agents[agent].failed = 0;
        }
        let fault = self.disturb(FaultKind::Failing, agents, for_ms, plan::attention_for(for_ms));
        self.upstream_out[group] = Some(UpstreamOutage { from_ms, to_ms, fault });
    }

    fn begin_fault(&mut self, planned: &PlannedFault) {
        let PlannedFault { kind, ref members, begin_ms, end_ms } = *planned;
        let time = (begin_ms, end_ms);
        let truth = &mut self.collector.watch.truth;
        let id = truth.begin(kind, members.iter().copied(), time, Attention::Needed);
        for &number in members {
            let agent = &mut self.agents[number];
            agent.fault = Some(id);
            match kind {
                FaultKind::Silence if members.len() == 1 && self.rng.bool() => {
                    self.cut(members, end_ms);
                }
                FaultKind::Silence => {
                    // A host that is lost reports nothing.
                    let is_host = members.len() > 1;
                    let how = if is_host { StopKind::Killed } else { StopKind::Crashed };
                    self.stop(number, how);
                    self.agents[number].is_gone = true;
                }
                FaultKind::Flapping => {
                    let event = SiteEvent::CutAgain { agent: number, until_ms: end_ms };
                    self.events.add(begin_ms, event);
                }
                FaultKind::CrashLoop => {
                    let event = SiteEvent::CrashAgain { agent: number, until_ms: end_ms };
                    self.events.add(begin_ms, event);
                }
                FaultKind::Hang => agent.hang(begin_ms),
                FaultKind::Failing => {
                    (agent.failing, agent.failed) = (Some(FAILING), 0);
                }
                FaultKind::Slow => agent.slowness = SLOWNESS,
                FaultKind::NoWork => agent.has_no_work = true,
                FaultKind::Crash => {}
            }
        }
    }

    /// Ends a fault; a hanging process is started again.
    fn end_fault(&mut self, planned: &PlannedFault) {
        for &number in &planned.members {
            let agent = &mut self.agents[number];
            let hung = agent.hangs_since_ms.take().is_some();
            (agent.fault, agent.failing, agent.slowness) = (None, None, 1.0);
            (agent.has_no_work, agent.is_gone) = (false, false);
            if hung {
                self.stop(number, StopKind::Killed);
            }
            self.start(number);
        }
    }

    fn command(&mut self, action: Action, agents: &[usize]) -> Result<()> {
        self.collector.command(action, agents, self.now_ms)?;
        agents.iter().for_each(|&agent| self.agents[agent].is_commanded = true);
        Ok(())
    }
}
