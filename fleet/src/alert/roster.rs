//! Agents that are expected: one that never came is an incident, too.
//!
//! 1. An agent of the roster that the fleet does not know is waited for since the collector started, since the
//!    roster has it, or since it was forgotten. Time that was not observed does not count.
//! 2. When its time has passed it is an incident; three and more of which that is found at once are one.
//! 3. Its first live beat ends that, and so does a roster without it. From then on it is judged as any other.
//!
//! Nothing is stored of an agent that never came, but for its name in the incident.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, IncidentId, ScopeKind, Severity};

use super::World;
use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::scope::Scope;
use super::shortage::{NeverSeen, Shortage};
use crate::agent::Agent;
use crate::gap::ObservedTime;
use crate::time::MonoTime;

/// From so many on, those that are found missing at once have one cause.
const TOGETHER_MIN: usize = 3;

/// The agents that are waited for.
#[derive(Debug)]
pub(crate) struct Roster {
    waiting: BTreeMap<Box<str>, Waiting>,
    /// When to look again.
    pub(super) due: MonoTime,
}

/// An agent that has not come.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: MonoTime,
    /// The same, in observed time.
    observed_since: ObservedTime,
    incident: Option<IncidentId>,
}

/// An agent that is expected and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedAgent<'a> {
    pub agent: &'a str,
    /// Since when it is waited for.
    pub since: MonoTime,
    /// Its time has passed, and this is the incident.
    pub incident: Option<IncidentId>,
}

impl Default for Roster {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), due: MonoTime::NEVER }
    }
}

impl AlertEngine {
    /// Returns the agents that are expected and not there.
    pub(crate) fn expected_agents(&self) -> impl Iterator<Item = ExpectedAgent<'_>> {
        let waiting = self.roster.waiting.iter();
        waiting.map(|(agent, &Waiting { since, incident, .. })| ExpectedAgent {
            agent,
            since,
            incident,
        })
    }

    /// Takes over the roster of the rules.
    pub(super) fn set_roster(&mut self, world: &World<'_>, now: MonoTime) {
        let expected = &self.rules.expected;
        let left_out = self.roster.waiting.keys().filter(|name| !expected.contains_key(*name));
        let left_out: Vec<Box<str>> = left_out.cloned().collect();
        for name in left_out {
            self.stop_waiting(&name, now);
        }
        let names: Vec<Box<str>> = self.rules.expected.keys().cloned().collect();
        for name in names.into_iter().filter(|name| !is_there(world, name)) {
            self.wait_for(name, world, now);
        }
    }

    /// Goes on with the incidents of agents that the last collector has waited for.
    pub(super) fn begin_roster(&mut self, world: &World<'_>, now: MonoTime) {
        self.set_roster(world, now);
        let missing = self.incidents.values().filter_map(|incident| match &incident.shortage {
            Some(Shortage::NeverSeen(it)) => Some((incident.id, it.clone())),
            _ => None,
        });
        let missing: Vec<(IncidentId, NeverSeen)> = missing.collect();
        for (id, NeverSeen { agents, since, .. }) in missing {
            for name in agents {
                match self.roster.waiting.get_mut(&name).filter(|it| it.incident.is_none()) {
                    Some(waiting) => (waiting.since, waiting.incident) = (since, Some(id)),
                    None => self.take_out(id, &name, now),
                }
            }
        }
    }

    /// Waits for an agent of the roster from now on.
    fn wait_for(&mut self, name: Box<str>, world: &World<'_>, now: MonoTime) {
        let observed_since = world.context.clock.observed(now);
        let waiting = Waiting { since: now, observed_since, incident: None };
        self.roster.waiting.entry(name).or_insert(waiting);
        self.roster.due = now;
    }

    /// Takes in that an agent was forgotten: one of the roster is expected again.
    pub(super) fn expect_again(&mut self, name: Box<str>, world: &World<'_>, now: MonoTime) {
        if self.rules.expected.contains_key(&name) {
            self.wait_for(name, world, now);
        }
    }

    /// Takes in that an agent is there, or expected no longer.
    pub(super) fn stop_waiting(&mut self, name: &str, now: MonoTime) {
        let waiting = self.roster.waiting.remove(name);
        if let Some(id) = waiting.and_then(|waiting| waiting.incident) {
            self.take_out(id, name, now);
        }
    }

    fn take_out(&mut self, id: IncidentId, name: &str, now: MonoTime) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(Shortage::NeverSeen(missing)) = &mut incident.shortage else { return };
        missing.agents.remove(name);
        if missing.agents.is_empty() {
            incident.ended = Some(now);
        }
        incident.is_dirty = true;
        self.look_at(id, now);
    }

    /// Makes incidents of those whose time has passed.
    pub(super) fn judge_roster(&mut self, world: &World<'_>, now: MonoTime) {
        if self.roster.due > now {
            return;
        }
        let clock = world.context.clock;
        let mut due = MonoTime::NEVER;
        let mut found: BTreeMap<MonoTime, BTreeSet<Box<str>>> = BTreeMap::new();
        for (name, waiting) in self.roster.waiting.iter().filter(|(_, it)| it.incident.is_none()) {
            let within = self.rules.expected.get(name).copied().unwrap_or(Duration::MAX);
            let until = clock.mono(waiting.observed_since + within);
            if until <= now {
                found.entry(waiting.since).or_default().insert(name.clone());
            } else {
                due = due.min(until);
            }
        }
        self.roster.due = due;
        for (since, agents) in found {
            if agents.len() >= TOGETHER_MIN {
                self.miss(agents, since, world, now);
            } else {
                agents.into_iter().for_each(|it| self.miss([it].into(), since, world, now));
            }
        }
    }

    /// Makes an incident of agents that have not come in time.
    fn miss(
        &mut self,
        agents: BTreeSet<Box<str>>,
        since: MonoTime,
        world: &World<'_>,
        now: MonoTime,
    ) {
        let id = self.take_id();
        let name = match agents.first().filter(|_| agents.len() == 1) {
            Some(only) => (**only).into(),
            None => "".into(),
        };
        let scope = Scope { kind: ScopeKind::Expected, name };
        let interval = CauseInterval { from: since, to: now };
        let mut incident = Incident::new(id, scope, interval, (now, AgentStatus::UNKNOWN));
        incident.severity = Severity::Critical;
        for name in &agents {
            if let Some(waiting) = self.roster.waiting.get_mut(name) {
                waiting.incident = Some(id);
            }
        }
        let expected = u32::try_from(agents.len()).unwrap_or(u32::MAX);
        incident.shortage = Some(Shortage::NeverSeen(NeverSeen { agents, expected, since }));
        self.insert(incident, now);
        self.route_shortage(world, id);
    }
}

/// Returns whether the fleet knows an agent: it was live at some time, or has a command.
fn is_there(world: &World<'_>, name: &str) -> bool {
    let agent = world.agents.find(name).and_then(|index| world.agents.get(index));
    agent.is_some_and(Agent::is_stored)
}
