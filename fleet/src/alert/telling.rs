//! Who is told of an incident, and when.
//!
//! For each sink of the routes that the incident's members take, first match wins:
//! 1. never told: when the route's hold has passed since the trouble began (*opened*, or *flapping*); beyond the
//!    ceiling of the sink in the next list instead;
//! 2. the incident began to flap, or came to rest: *flapping*, *settled*; while it flaps, nothing else; or its budget
//!    has reached the next level: *updated*;
//! 3. it is worse than it was told, or has twice as many members: *updated*;
//! 4. other members, and the last notice is `update_every` old: *updated*; where there are fewer, once no more have
//!    become well for a while;
//! 5. nobody has acknowledged it: *escalated* to the route's second sinks, once; a *reminder* every `repeat`. Not to
//!    sinks that do both by themselves.
//!
//! When it is over, whoever was told of it is told so. While all members are silenced nothing is told but that, and
//! what was decided before and is not delivered yet is held back where it is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_vocabulary::{NoticeId, NoticeKind, ScopeKind};

use super::World;
use super::engine::AlertEngine;
use super::incident::{Incident, Told, badness};
use super::notice::{IncidentFacts, OutgoingNotice};
use super::routing::duties;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// An incident that changes all the time is recorded so often, apart from its notices.
const RECORD_EVERY: Duration = Duration::from_millis(250);

/// Multiple of the recovery hold after which an incident that lost members is taken to lose no more.
const SETTLED_AFTER: u32 = 3;

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
        let silenced_until = self.silenced_until(incident, world);
        if incident.is_silenced != silenced_until.is_some() {
            incident.is_silenced = silenced_until.is_some();
            // What waits for its delivery waits for this.
            (incident.is_dirty, incident.recorded_at) = (true, MonoTime::NEVER_YET);
        }
        if let Some(until) = silenced_until {
            plan.next = until;
            return plan;
        }
        self.settle(incident, &mut plan, now);
        let news = incident.news.take();
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
            if incident.flapping.is_some() && flaps(incident) {
                continue;
            }
            let is_worse = badness(incident.worst) > badness(told.worst);
            let has_doubled = incident.extent() >= told.in_trouble.max(1).saturating_mul(2);
            if is_worse || has_doubled {
                plan.tell_at(now, NoticeKind::Updated, sink, now);
                continue;
            }
            let has_changed = incident.extent() != told.in_trouble && !incident.is_recovering();
            let mut update_at = told.last + rules.update_every;
            if incident.extent() < told.in_trouble {
                // What recovers member by member is told once, when it is over or goes no further.
                update_at = update_at.max(incident.shrunk_at + rules.recovery_hold * SETTLED_AFTER);
            }
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
            incident.news = Some(NoticeKind::Settled);
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
}

/// Returns whether nothing but its flapping is told of an incident that flaps.
fn flaps(incident: &Incident) -> bool {
    matches!(incident.scope.kind, ScopeKind::Agent | ScopeKind::Replicas)
}

impl Told {
    fn new(incident: &Incident, now: MonoTime, is_listed: bool) -> Self {
        Self {
            first: now,
            last: now,
            in_trouble: incident.extent(),
            worst: incident.worst,
            is_escalated: false,
            is_listed,
        }
    }
}
