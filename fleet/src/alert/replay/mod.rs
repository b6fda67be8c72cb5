//! Alerts judged again, from what history has recorded: what other rules would have told.
//!
//! The engine is the one of the live fleet. What it reads of agents is put in their places as far as history knows
//! it: status, identity, interval, and when the last beat before a silence came (`last_beat.rs`). Nothing is received
//! and nothing is judged here but alerts, and time is a value as everywhere in the core.
//!
//! History does not know everything, so that a replay under the same rules differs from what was told in these ways
//! only:
//! 1. When something was noticed is not recorded, only when it became true, and in which order: notices are a moment
//!    earlier, those of stalls up to an interval of the agent.
//! 2. Agents that were overdue and came back before they were late made others wait, which is not recorded.
//! 3. A collector that starts again forgets how often agents that are not flapping fell, and which lists it sent; a
//!    replay goes on.
//! 4. Limits of stalls that agents declare are not recorded: those of the rules stand for them.

mod last_beat;
mod recording;

use std::collections::{BTreeMap, BTreeSet};

use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, Reason};

use self::recording::Step;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::input::AlertInput;
use super::rules::AlertRules;
use super::{AlertEvent, World};
use crate::agent::Agent;
use crate::agent_table::{AgentIndex, AgentTable};
use crate::context::HandlerContext;
use crate::gap::ObservedTime;
use crate::output::HistoryDbRow;
use crate::session::Session;
use crate::thresholds::{HealthRules, ThresholdTable};
use crate::time::MonoTime;

pub use recording::{RecordedAgent, RecordedEvent};

/// By what alerts are judged again, and from when on.
#[derive(Clone, Debug)]
pub struct ReplaySetup {
    pub rules: AlertRules,
    /// The thresholds by which agents were judged, as far as the causes of their transitions do not tell.
    pub health: HealthRules,
    pub begin: MonoTime,
    /// The agents that are known then.
    pub agents: Vec<RecordedAgent>,
}

/// A fleet of which only the past is known.
pub struct AlertReplay {
    agents: AgentTable,
    context: HandlerContext,
    alerts: AlertEngine,
    /// All that there ever were.
    names: BTreeMap<AgentRowId, Box<str>>,
    now: MonoTime,
}

impl AlertReplay {
    /// Judges a recording until a time; `events` are in the order in which they were stored. Hands the records of
    /// incidents and the notices over, in order, and returns the names of the agents by their numbers in them.
    pub fn run(
        setup: ReplaySetup,
        events: Vec<(MonoTime, RecordedEvent)>,
        until: MonoTime,
        mut take: impl FnMut(HistoryDbRow),
    ) -> BTreeMap<AgentRowId, Box<str>> {
        let ReplaySetup { rules, health, begin, agents } = setup;
        let steps = recording::steps(&health, begin, &agents, events);
        let control = const { ControlId::new(1).expect("it is not 0") };
        let mut replay = Self {
            agents: AgentTable::new([1, 2, 3, 4], usize::MAX),
            context: HandlerContext::new(control, ThresholdTable::new(health)),
            alerts: AlertEngine::new(rules, IncidentId(1)),
            names: BTreeMap::new(),
            now: begin,
        };
        for agent in agents {
            replay.put(agent);
        }
        replay.begin();
        let mut steps = steps.into_iter().peekable();
        while let Some((at, step)) = steps.next() {
            if at > until {
                break;
            }
            replay.advance(at, &mut take);
            let mut events = Vec::new();
            replay.take_in(step, at, &mut events);
            // What became true at one moment was judged in one sweep.
            while let Some((_, step)) = steps.next_if(|(next, step)| {
                *next == at && matches!(step, Step::Transition { .. } | Step::LastBeat { .. })
            }) {
                replay.take_in(step, at, &mut events);
            }
            replay.handle(events, &mut take);
        }
        replay.advance(until, &mut take);
        replay.handle(Vec::new(), &mut take);
        replay.names
    }

    fn begin(&mut self) {
        self.watch_groups();
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.begin(&world, self.now);
        self.alerts.update_timeout();
    }

    fn watch_groups(&mut self) {
        let groups = self.alerts.rules().groups.keys().cloned();
        self.context.population.watch(groups, &self.agents);
    }

    /// Lets time pass, up to a moment whose events are to come.
    fn advance(&mut self, to: MonoTime, take: &mut impl FnMut(HistoryDbRow)) {
        while self.alerts.poll_timeout() < to {
            self.now = self.alerts.poll_timeout().max(self.now.plus_millis(1)).min(to);
            self.handle(Vec::new(), take);
        }
        self.now = self.now.max(to);
    }

    fn handle(&mut self, mut events: Vec<AlertEvent>, take: &mut impl FnMut(HistoryDbRow)) {
        if self.context.population.take_changes().members {
            events.push(AlertEvent::Regrouped);
        }
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.handle(events, &world, self.now);
        self.alerts.update_timeout();
        self.alerts.take_rows().for_each(take);
    }

    fn take_in(&mut self, step: Step, at: MonoTime, events: &mut Vec<AlertEvent>) {
        match step {
            Step::Agent(agent) => self.put(*agent),
            Step::LastBeat { agent } => {
                let silent_since = self.context.clock.observed(at);
                if let Some(agent) = self.agent_mut(&agent) {
                    (agent.last_live, agent.silent_since) = (at, silent_since);
                }
            }
            Step::NotHeard { agent, last_live } => {
                let silent_since = self.context.clock.observed(at);
                if let Some(agent) = self.agent_mut(&agent) {
                    (agent.last_live, agent.silent_since) = (last_live, silent_since);
                }
            }
            Step::Transition { agent, from, to, at } => {
                if self.agents.find(&agent).is_none() {
                    self.put(RecordedAgent::unknown(agent.clone()));
                }
                let Some(index) = self.agents.find(&agent) else { return };
                self.set_status(index, to, at);
                events.push(AlertEvent::Transition { index, from, to, at });
            }
            Step::Forgotten { agent } => {
                let Some(index) = self.agents.find(&agent) else { return };
                let Some(agent) = self.agents.remove(index) else { return };
                let now_is = (index, agent.status);
                self.context.population.update(now_is, agent.identity(), None);
                let name = agent.name.clone();
                events.push(AlertEvent::Forgotten { index, id: agent.id(), name, at });
            }
            Step::Gap { lost } => self.context.clock.add_gap(lost),
            Step::Alert(input) => self.input(*input),
            Step::Acknowledged { agents, by } => self.acknowledge(&agents, &by),
        }
    }

    /// Puts an agent in its place, or changes what it is.
    fn put(&mut self, recorded: RecordedAgent) {
        let RecordedAgent { agent: name, identity, interval_ms, status, since } = recorded;
        if let Some(index) = self.agents.find(&name) {
            let Some(agent) = self.agents.get_mut(index) else { return };
            let before = agent.identity.take();
            let now_is = (index, agent.status);
            self.context.population.update(now_is, before.as_ref(), identity.as_ref());
            agent.identity = identity;
            return;
        }
        let id = AgentRowId(i64::try_from(self.names.len() + 1).unwrap_or(i64::MAX));
        self.names.insert(id, name.clone());
        let thresholds = self.context.thresholds.intern(&name);
        let mut agent = Agent::new(&name, id, thresholds, Session::new(0, 0), since.min(self.now));
        if interval_ms > 0 {
            agent.interval_ms = interval_ms;
        }
        agent.identity = identity;
        agent.is_stored = true;
        agent.heard_since_start = true;
        agent.silent_since = ObservedTime::NEVER;
        let index = self.agents.insert(agent);
        let identity = self.agents.get(index).and_then(Agent::identity);
        self.context.population.update((index, AgentStatus::UNKNOWN), None, identity);
        self.set_status(index, status, since);
        if last_beat::is_silence(status) {
            let silent_for =
                last_beat::limit(&self.context.thresholds, index, &self.agents, status);
            if let Some(agent) = self.agents.get_mut(index) {
                agent.last_live = since - silent_for;
                agent.silent_since = self.context.clock.observed(agent.last_live);
            }
        }
    }

    fn set_status(&mut self, index: AgentIndex, status: AgentStatus, at: MonoTime) {
        let Some(agent) = self.agents.get_mut(index) else { return };
        let before = std::mem::replace(&mut agent.status, status);
        agent.since = at;
        self.context.population.take_status(agent.identity.as_ref(), before, status);
        if !last_beat::is_silence(status) {
            // It beats, or is not expected to.
            agent.silent_since = ObservedTime::NEVER;
        }
        agent.progress_at = MonoTime::NEVER_YET;
        if status.reason == Some(Reason::Stalled) {
            let health = &self.context.thresholds.get(agent.thresholds).health;
            agent.progress_at = at - health.stall_after;
        }
    }

    fn input(&mut self, input: AlertInput) {
        if let AlertInput::Rules(rules) = &input {
            let groups = rules.groups.keys().cloned();
            self.context.population.watch(groups, &self.agents);
        }
        let world = World { agents: &self.agents, context: &self.context };
        self.alerts.take_input(input, &world, self.now);
    }

    /// Acknowledges the incidents in which one of these agents is.
    fn acknowledge(&mut self, agents: &[Box<str>], by: &str) {
        let known = agents.iter().filter_map(|name| self.agents.find(name));
        let ids: BTreeSet<AgentRowId> =
            known.filter_map(|index| Some(self.agents.get(index)?.id())).collect();
        let is_meant = |incident: &&Incident| {
            incident.members.iter().any(|(id, it)| it.left.is_none() && ids.contains(id))
        };
        let meant: Vec<IncidentId> =
            self.alerts.incidents().filter(is_meant).map(|incident| incident.id).collect();
        for id in meant {
            self.input(AlertInput::Acknowledge { id, by: by.into() });
        }
    }

    fn agent_mut(&mut self, name: &str) -> Option<&mut Agent> {
        let index = self.agents.find(name)?;
        self.agents.get_mut(index)
    }
}
