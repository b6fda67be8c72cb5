//! Who is told of an incident, and when.
//!
//! For each sink of the routes that the incident's members take, first match wins:
//! 1. never told: when the route's hold has passed since the trouble began (*opened*, or *flapping*); beyond the
//!    ceiling of the sink in the next list instead;
//! 2. the incident began to flap, or came to rest: *flapping*, *settled*; while it flaps, nothing else;
//! 3. it is worse than it was told, or has twice as many members: *updated*;
//! 4. other members, and the last notice is `update_every` old: *updated*;
//! 5. nobody has acknowledged it: *escalated* to the route's second sinks, once; a *reminder* every `repeat`. Not to
//!    sinks that do both by themselves.
//!
//! When it is over, whoever was told of it is told so. While all members are silenced nothing is told but that.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, IncidentId, NoticeId, NoticeKind, ScopeKind};

use super::World;
use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::{Incident, Told, badness};
use super::notice::{IncidentFacts, OutgoingNotice};
use super::rules::{AlertRoute, Escalation, Silence};
use super::scope::Scope;
use crate::agent_table::AgentIndex;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// An incident that changes all the time is recorded so often, apart from its notices.
const RECORD_EVERY: Duration = Duration::from_millis(250);

/// What is to be done for one sink.
#[derive(Clone, Copy, Debug)]
struct Duty<'a> {
    hold: Duration,
    repeat: Option<Duration>,
    escalation: Option<&'a Escalation>,
}

/// What is to be told now, and when to look again.
#[derive(Debug)]
struct Plan {
    notices: BTreeMap<NoticeKind, Vec<Box<str>>>,
    next: MonoTime,
}

impl Plan {
    /// Tells a sink now if the time has come, and has it looked at then otherwise.
    fn tell_at(&mut self, at: MonoTime, kind: NoticeKind, sink: &str, now: MonoTime) -> bool {
        if at <= now {
            self.notices.entry(kind).or_default().push(sink.into());
        } else {
            self.next = self.next.min(at);
        }
        at <= now
    }
}

impl AlertEngine {
    /// Tells what is due of every incident.
    pub(super) fn tell_due(&mut self, world: &World<'_>, now: MonoTime) {
        while let Some(&(at, id)) = self.due.first() {
            if at > now {
                break;
            }
            self.due.pop_first();
            let Some(mut incident) = self.incidents.remove(&id) else { continue };
            incident.due = MonoTime::NEVER;
            self.tell(&mut incident, world, now);
            self.record(&mut incident, now);
            if incident.ended.is_some() {
                let scope = incident.scope.clone();
                self.unlist_scope(&scope, id);
            } else {
                if incident.due != MonoTime::NEVER {
                    self.due.insert((incident.due, id));
                }
                self.incidents.insert(id, incident);
            }
        }
        self.tell_digests(world, now);
    }

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
        if !is_silenced(&self.silences, world, index, status) {
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
            let in_trouble = incident.members.values().filter(|member| member.left.is_none());
            let members: Vec<_> =
                in_trouble.filter_map(|member| Some((member.index?, member.status))).collect();
            for (index, status) in members {
                self.route_member(world, id, index, status);
            }
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

    fn tell(&mut self, incident: &mut Incident, world: &World<'_>, now: MonoTime) {
        let plan = match incident.ended {
            Some(_) => self.plan_end(incident, world, now),
            None => self.plan(incident, world, now),
        };
        // What comes after a notice depends on it.
        incident.due = if plan.notices.is_empty() { plan.next } else { now };
        for (kind, sinks) in plan.notices {
            self.emit(incident, kind, sinks, world, now);
        }
    }

    fn plan(&mut self, incident: &mut Incident, world: &World<'_>, now: MonoTime) -> Plan {
        let mut plan = Plan { notices: BTreeMap::new(), next: MonoTime::NEVER };
        if let Some(&until) = self.silenced_until(incident, world).as_ref() {
            plan.next = until;
            return plan;
        }
        self.settle(incident, &mut plan, now);
        let news = incident.flapping_news.take();
        let rules = &self.rules;
        for (sink, duty) in duties(incident, rules.routes.iter()) {
            let traits = rules.sinks.get(sink).copied().unwrap_or_default();
            let Some(told) = incident.told.get(sink).copied() else {
                let kind = match incident.flapping {
                    Some(_) => NoticeKind::Flapping,
                    None => NoticeKind::Opened,
                };
                let at = incident.opened + duty.hold;
                let storm = self.storms.entry(sink.into()).or_default();
                if at > now || traits.groups || storm.try_tell(&rules.storm, now) {
                    plan.tell_at(at, kind, sink, now);
                } else {
                    storm.list(incident.id, &rules.storm, now);
                    incident.told.insert(sink.into(), Told::new(incident, now, true));
                }
                continue;
            };
            if told.is_listed {
                continue;
            }
            if let Some(kind) = news {
                plan.tell_at(now, kind, sink, now);
                continue;
            }
            if incident.flapping.is_some() && incident.scope.kind == ScopeKind::Agent {
                continue;
            }
            let is_worse = badness(incident.worst) > badness(told.worst);
            let has_doubled = incident.in_trouble >= told.in_trouble.max(1).saturating_mul(2);
            if is_worse || has_doubled {
                plan.tell_at(now, NoticeKind::Updated, sink, now);
                continue;
            }
            let has_changed = incident.in_trouble != told.in_trouble;
            let update_at = told.last + rules.update_every;
            if has_changed && plan.tell_at(update_at, NoticeKind::Updated, sink, now) {
                continue;
            }
            if incident.acknowledged.is_some() {
                continue;
            }
            if let Some(escalation) = duty.escalation.filter(|_| !told.is_escalated)
                && plan.tell_at(told.first + escalation.after, NoticeKind::Escalated, sink, now)
            {
                continue;
            }
            if let Some(repeat) = duty.repeat.filter(|_| !traits.reminds) {
                plan.tell_at(told.last + repeat, NoticeKind::Reminder, sink, now);
            }
        }
        self.escalate(incident, &mut plan);
        plan
    }

    /// Ends the flapping of an incident whose agent has come to rest in trouble.
    fn settle(&mut self, incident: &mut Incident, plan: &mut Plan, now: MonoTime) {
        if incident.flapping.is_none() || incident.scope.kind != ScopeKind::Agent {
            return;
        }
        for (id, member) in incident.members.iter().filter(|(_, member)| member.left.is_none()) {
            let is_well = member
                .index
                .and_then(|it| self.troubles.get(&it))
                .is_none_or(|trouble| trouble.recovery.is_some());
            let Some(penalty) = self.penalties.get_mut(id).filter(|_| !is_well) else { continue };
            let rests_at = penalty.rests_at(&self.rules.flapping, member.since);
            if rests_at > now {
                plan.next = plan.next.min(rests_at);
                continue;
            }
            (penalty.is_flapping, penalty.outages) = (false, 0);
            incident.flapping = None;
            incident.flapping_news = Some(NoticeKind::Settled);
            incident.is_dirty = true;
        }
    }

    /// Turns the sinks whose escalation is due into those that are to be told instead.
    fn escalate(&self, incident: &mut Incident, plan: &mut Plan) {
        let Some(from) = plan.notices.remove(&NoticeKind::Escalated) else { return };
        let mut to: Vec<Box<str>> = Vec::new();
        for (sink, duty) in duties(incident, self.rules.routes.iter()) {
            if let Some(escalation) =
                duty.escalation.filter(|_| from.iter().any(|it| **it == *sink))
            {
                to.extend(escalation.sinks.iter().cloned());
            }
        }
        to.sort();
        to.dedup();
        for sink in from {
            if let Some(told) = incident.told.get_mut(&sink) {
                told.is_escalated = true;
            }
        }
        incident.is_dirty = true;
        plan.notices.insert(NoticeKind::Escalated, to);
    }

    fn plan_end(&mut self, incident: &Incident, world: &World<'_>, now: MonoTime) -> Plan {
        let mut plan = Plan { notices: BTreeMap::new(), next: MonoTime::NEVER };
        let kind = match incident.merged_into {
            Some(_) => NoticeKind::Merged,
            None => NoticeKind::Resolved,
        };
        for (sink, told) in &incident.told {
            if told.is_listed {
                let facts = IncidentFacts::of(incident, world, now);
                let storm = self.storms.entry(sink.clone()).or_default();
                storm.unlist(facts, &self.rules.storm, now);
            } else {
                plan.tell_at(now, kind, sink, now);
            }
        }
        plan
    }

    /// Returns until when all members in trouble are silenced; `None`: not all of them are.
    fn silenced_until(&self, incident: &Incident, world: &World<'_>) -> Option<MonoTime> {
        if self.silences.is_empty() || incident.in_trouble == 0 {
            return None;
        }
        let mut in_trouble = incident.members.values().filter(|member| member.left.is_none());
        let all = in_trouble.all(|member| {
            member.index.is_some_and(|it| is_silenced(&self.silences, world, it, member.status))
        });
        let until = || self.silences.iter().map(|silence| silence.until).min();
        all.then(until).flatten()
    }

    /// Emits a notice, behind the record of its incident.
    fn emit(
        &mut self,
        incident: &mut Incident,
        kind: NoticeKind,
        sinks: Vec<Box<str>>,
        world: &World<'_>,
        now: MonoTime,
    ) {
        if sinks.is_empty() {
            return;
        }
        incident.notices += 1;
        for sink in &sinks {
            let told = Told::new(incident, now, false);
            let first = incident.told.get(sink).map_or(now, |before| before.first);
            let is_escalated = incident.told.get(sink).is_some_and(|before| before.is_escalated);
            incident.told.insert(sink.clone(), Told { first, is_escalated, ..told });
        }
        incident.is_dirty = true;
        incident.recorded_at = MonoTime::NEVER_YET;
        self.record(incident, now);
        let id = NoticeId { incident: incident.id, number: incident.notices };
        let facts = IncidentFacts::of(incident, world, now);
        let listed = Vec::new();
        let notice = OutgoingNotice { id, kind, at: now, sinks, incident: facts, listed };
        self.rows.push(HistoryDbRow::Notice(Box::new(notice)));
    }

    /// Records an incident that has changed.
    fn record(&mut self, incident: &mut Incident, now: MonoTime) {
        if !incident.is_dirty {
            return;
        }
        let at = incident.recorded_at + RECORD_EVERY;
        if at > now && incident.ended.is_none() {
            incident.due = incident.due.min(at);
            return;
        }
        (incident.recorded_at, incident.is_dirty) = (now, false);
        self.rows.push(HistoryDbRow::Incident(Box::new(incident.clone())));
    }

    /// Sends the lists that are due.
    fn tell_digests(&mut self, world: &World<'_>, now: MonoTime) {
        let due = self.storms.iter().filter(|(_, storm)| storm.due.is_some_and(|at| at <= now));
        let sinks: Vec<Box<str>> = due.map(|(sink, _)| sink.clone()).collect();
        for sink in sinks {
            self.tell_digest(sink, world, now);
        }
    }

    fn tell_digest(&mut self, sink: Box<str>, world: &World<'_>, now: MonoTime) {
        let next_id = self.next_id;
        let Some(storm) = self.storms.get_mut(&sink) else { return };
        storm.due = None;
        let (id, before) = storm.digest.unwrap_or((next_id, 0));
        let over = std::mem::take(&mut storm.over);
        let open = storm.listed.iter().filter_map(|id| self.incidents.get(id));
        let open: Vec<IncidentFacts> =
            open.map(|incident| IncidentFacts::of(incident, world, now)).collect();
        let is_over = open.is_empty();
        let number = before + 1;
        storm.digest = (!is_over).then_some((id, number));
        if before == 0 {
            self.take_id();
        }
        let listed: Vec<IncidentFacts> = open.into_iter().chain(over).collect();
        let opened = listed.iter().map(|facts| facts.incident.opened).min().unwrap_or(now);
        let worst = listed.iter().map(|facts| facts.incident.worst).max_by_key(|&it| badness(it));
        let interval = CauseInterval { from: opened, to: now };
        let begun = (opened, worst.unwrap_or(AgentStatus::UNKNOWN));
        let mut incident = Incident::new(id, Scope::fleet(), interval, begun);
        incident.ended = is_over.then_some(now);
        let kind = if is_over { NoticeKind::Resolved } else { NoticeKind::Digest };
        let id = NoticeId { incident: id, number };
        let incident = IncidentFacts::of(&incident, world, now);
        let sinks = vec![sink];
        let notice = OutgoingNotice { id, kind, at: now, sinks, incident, listed };
        self.rows.push(HistoryDbRow::Notice(Box::new(notice)));
    }
}

impl Told {
    fn new(incident: &Incident, now: MonoTime, is_listed: bool) -> Self {
        Self {
            first: now,
            last: now,
            in_trouble: incident.in_trouble,
            worst: incident.worst,
            is_escalated: false,
            is_listed,
        }
    }
}

/// Returns what is to be done for each sink; where several routes lead to one, the shortest times hold. Of a sink
/// that takes no notices all others are told.
fn duties<'a>(
    incident: &Incident,
    routes: impl Iterator<Item = &'a AlertRoute> + Clone,
) -> BTreeMap<&'a str, Duty<'a>> {
    let mut duties: BTreeMap<&str, Duty<'a>> = BTreeMap::new();
    let is_sink = incident.scope.kind == ScopeKind::Sink;
    for (number, route) in routes.enumerate() {
        if !is_sink && !incident.routes.contains(&number) {
            continue;
        }
        for sink in route.sinks.iter().filter(|it| !is_sink || ***it != *incident.scope.name) {
            let duty = Duty {
                hold: if is_sink { Duration::ZERO } else { route.hold },
                repeat: route.repeat,
                escalation: route.escalation.as_ref(),
            };
            let known = duties.entry(sink).or_insert(duty);
            known.hold = known.hold.min(duty.hold);
            known.repeat = [known.repeat, duty.repeat].into_iter().flatten().min();
            known.escalation = known.escalation.or(duty.escalation);
        }
    }
    duties
}

fn is_silenced(
    silences: &[Silence],
    world: &World<'_>,
    index: AgentIndex,
    status: AgentStatus,
) -> bool {
    let Some(agent) = world.agents.get(index) else { return false };
    silences.iter().any(|it| it.filter.matches(agent.name(), agent.identity(), status))
}
