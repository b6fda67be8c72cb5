//! Which routes an incident takes, to which sinks they lead, and what silences keep quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, Identity, IncidentId, ScopeKind, Severity};

use super::World;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::rules::{AlertRoute, AlertRules, Escalation, Silence};
use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::time::MonoTime;

/// What is to be done for one sink.
#[derive(Clone, Copy, Debug)]
pub struct SinkDuty<'a> {
    pub hold: Duration,
    pub repeat: Option<Duration>,
    pub escalation: Option<&'a Escalation>,
}

impl AlertRules {
    /// Returns what is to be done for each sink when an agent is in `status`, and nobody keeps it quiet.
    pub fn duties_of(
        &self,
        agent: &str,
        identity: Option<&Identity>,
        status: AgentStatus,
    ) -> BTreeMap<&str, SinkDuty<'_>> {
        let taken = self.routes_of(agent, identity, status);
        let mut duties = BTreeMap::new();
        for route in taken.into_iter().filter_map(|number| self.routes.get(number)) {
            for sink in &route.sinks {
                add(&mut duties, sink, SinkDuty::of(route));
            }
        }
        duties
    }
}

impl<'a> SinkDuty<'a> {
    fn of(route: &'a AlertRoute) -> Self {
        Self { hold: route.hold, repeat: route.repeat, escalation: route.escalation.as_ref() }
    }
}

impl AlertEngine {
    /// Notes which routes a member takes.
    pub(super) fn route_member(
        &mut self,
        world: &World<'_>,
        id: IncidentId,
        index: AgentIndex,
        status: AgentStatus,
    ) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(agent) = world.agents.get(index) else { return };
        if !is_silenced(&self.silences, agent, status) {
            let taken = self.rules.routes_of(agent.name(), agent.identity(), status);
            incident.routes.extend(taken);
        }
    }

    /// Finds the routes of all incidents anew.
    pub(super) fn reroute_all(&mut self, world: &World<'_>, now: MonoTime) {
        let ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        for id in ids {
            let Some(incident) = self.incidents.get_mut(&id) else { continue };
            incident.routes.clear();
            if incident.scope.kind == ScopeKind::Budget {
                self.route_budget(id, world);
            }
            let Some(incident) = self.incidents.get(&id) else { continue };
            let in_trouble = incident.members.values().filter(|member| member.left.is_none());
            let members: Vec<_> =
                in_trouble.filter_map(|member| Some((member.index?, member.status))).collect();
            for (index, status) in members {
                self.route_member(world, id, index, status);
            }
            self.route_shortage(world, id);
            self.look_at(id, now);
        }
    }

    /// Forgets the silences that are over, and tells what they kept quiet.
    pub(super) fn expire_silences(&mut self, world: &World<'_>, now: MonoTime) {
        let before = self.silences.len();
        self.silences.retain(|silence| silence.until > now);
        if self.silences.len() < before {
            self.reroute_all(world, now);
        }
    }

    /// Returns until when all members in trouble are silenced; `None`: not all of them are.
    pub(super) fn silenced_until(
        &self,
        incident: &Incident,
        world: &World<'_>,
    ) -> Option<MonoTime> {
        if self.silences.is_empty() {
            return None;
        }
        let until = || self.silences.iter().map(|silence| silence.until).min();
        if incident.scope.kind == ScopeKind::Budget {
            return self.is_budget_silenced(&incident.scope, world).then(until).flatten();
        }
        if incident.extent() == 0 {
            return None;
        }
        let mut in_trouble = incident.members.values().filter(|member| member.left.is_none());
        let all = match incident.shortage {
            Some(_) => self.is_shortage_silenced(incident, world),
            None => in_trouble.all(|member| {
                let agent = member.index.and_then(|index| world.agents.get(index));
                agent.is_some_and(|agent| is_silenced(&self.silences, agent, member.status))
            }),
        };
        all.then(until).flatten()
    }
}

/// Returns what is to be done for each sink of an incident. Of a sink that takes no notices all others are told.
pub(super) fn duties<'a>(
    incident: &Incident,
    routes: impl Iterator<Item = &'a AlertRoute> + Clone,
) -> BTreeMap<&'a str, SinkDuty<'a>> {
    let mut duties: BTreeMap<&str, SinkDuty<'a>> = BTreeMap::new();
    let is_sink = incident.scope.kind == ScopeKind::Sink;
    // Both are as they are told at once: they don't come and go.
    let is_certain = is_sink || incident.scope.kind == ScopeKind::Budget;
    let wants_somebody =
        incident.scope.kind != ScopeKind::Budget || incident.severity == Severity::Critical;
    for (number, route) in routes.enumerate() {
        if !is_sink && !incident.routes.contains(&number) {
            continue;
        }
        for sink in route.sinks.iter().filter(|it| !is_sink || ***it != *incident.scope.name) {
            let duty = SinkDuty::of(route);
            let wanted = SinkDuty {
                hold: if is_certain { Duration::ZERO } else { duty.hold },
                repeat: duty.repeat.filter(|_| wants_somebody),
                escalation: duty.escalation.filter(|_| wants_somebody),
            };
            add(&mut duties, sink, wanted);
        }
    }
    duties
}

/// Adds what a route wants of a sink; where several lead to one, the shortest times hold.
fn add<'a>(duties: &mut BTreeMap<&'a str, SinkDuty<'a>>, sink: &'a str, duty: SinkDuty<'a>) {
    let known = duties.entry(sink).or_insert(duty);
    known.hold = known.hold.min(duty.hold);
    known.repeat = [known.repeat, duty.repeat].into_iter().flatten().min();
    known.escalation = known.escalation.or(duty.escalation);
}

pub(super) fn is_silenced(silences: &[Silence], agent: &Agent, status: AgentStatus) -> bool {
    silences.iter().any(|it| it.filter.matches(agent.name(), agent.identity(), status))
}
