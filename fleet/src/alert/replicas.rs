//! Groups of which so many agents must run.
//!
//! 1. While enough run, the trouble of single agents of a group is *held back*: that is what replicas are for. It
//!    still counts where other agents share its cause.
//! 2. A group has too few where the agents that run, those not heard yet since the collector started, and, for a
//!    while after that start, those that may still come, are fewer than `alert_below`. That is an incident when it
//!    has lasted for the hold of the group. Whatever was held back since all ran becomes part of it.
//! 3. Most of the fleet at once is a doubt about the collector. While that lasts, no group has too few.
//! 4. The incident is over when enough have run for `recovery_hold`. A group that has too few again and again flaps,
//!    as agents do, and its incident goes on until it is at rest.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, IncidentId, NoticeKind, Reason, ScopeKind};

use super::World;
use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::grouping::MemberRole;
use super::incident::Incident;
use super::penalty::Penalty;
use super::replica_rule::{GroupTally, ReplicaRule, runs};
use super::rules::AlertRules;
use super::scope::Scope;
use super::shortage::{ReplicaShortage, Shortage};
use crate::agent_table::AgentIndex;
use crate::time::MonoTime;

/// Time after a start in which agents that were never there before may come.
const ARRIVAL: Duration = Duration::from_secs(300);
/// Most agents of a group that are asked whether the whole fleet shares their fate.
const DOUBTED_MAX: usize = 8;

/// A group whose replicas are counted, to read.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaGroup<'a> {
    pub name: &'a str,
    pub rule: ReplicaRule,
    pub running: u32,
    /// That it has too few, where it is one.
    pub incident: Option<IncidentId>,
}

/// A group whose replicas are counted.
#[derive(Debug)]
pub(super) struct GroupWatch {
    rule: ReplicaRule,
    phase: GroupPhase,
    /// When all that are expected ran last.
    full_at: Option<MonoTime>,
    /// Until then agents may come that were never there.
    arrival_until: MonoTime,
    penalty: Penalty,
    /// When to judge it again if nothing happens.
    pub(super) due: MonoTime,
}

#[derive(Clone, Copy, Debug)]
enum GroupPhase {
    Enough,
    TooFew {
        since: MonoTime,
    },
    Told {
        incident: IncidentId,
        /// Since when enough run again.
        well_since: Option<MonoTime>,
        /// When it had too few for the last time.
        fell_at: MonoTime,
    },
}

impl GroupWatch {
    fn new(rule: ReplicaRule, now: MonoTime) -> Self {
        Self {
            rule,
            phase: GroupPhase::Enough,
            full_at: None,
            arrival_until: now + ARRIVAL,
            penalty: Penalty::new(now),
            due: now,
        }
    }

    fn shortage(&self, running: u32) -> ReplicaShortage {
        let ReplicaRule { expect, alert_below, .. } = self.rule;
        ReplicaShortage { running, expect, alert_below, full_at: self.full_at }
    }

    /// Takes in how many run. Those that were not heard yet since the collector started change nothing.
    fn count(&self, incident: &mut Incident, tally: GroupTally) {
        let told = match &incident.shortage {
            Some(Shortage::Replicas(it)) => it.running,
            _ => 0,
        };
        let may_run = tally.running.saturating_add(tally.unknown);
        let shortage = self.shortage(told.clamp(tally.running, may_run));
        let has_changed = match &incident.shortage {
            Some(Shortage::Replicas(it)) => {
                (it.running, it.expect, it.alert_below)
                    != (shortage.running, shortage.expect, shortage.alert_below)
            }
            _ => true,
        };
        if has_changed {
            incident.shortage = Some(Shortage::Replicas(shortage));
            incident.is_dirty = true;
        }
    }

    /// Takes in that enough run; returns since when, where that has lasted.
    fn recover(
        &mut self,
        incident: &Incident,
        rules: &AlertRules,
        now: MonoTime,
    ) -> Option<MonoTime> {
        let GroupPhase::Told { well_since, .. } = &mut self.phase else { return None };
        let since = *well_since.get_or_insert(now);
        self.due = match incident.flapping {
            Some(_) => self.penalty.rests_at(&rules.flapping, since),
            None => since + rules.recovery_hold,
        };
        (self.due <= now).then_some(since)
    }

    /// Takes in that too few run, still or again; one that flaps may have come to rest.
    fn stay_short(&mut self, incident: &mut Incident, rules: &AlertRules, now: MonoTime) {
        let GroupPhase::Told { well_since, fell_at, .. } = &mut self.phase else { return };
        if well_since.take().is_some() {
            *fell_at = now;
            if self.penalty.fall(&rules.flapping, now) {
                incident.news = Some(NoticeKind::Flapping);
            }
            incident.flapping = self.penalty.is_flapping.then_some(self.penalty.outages);
            incident.is_dirty = true;
        }
        self.due = MonoTime::NEVER;
        if incident.flapping.is_none() {
            return;
        }
        let rests_at = self.penalty.rests_at(&rules.flapping, *fell_at);
        if rests_at > now {
            self.due = rests_at;
            return;
        }
        (self.penalty.is_flapping, self.penalty.outages) = (false, 0);
        incident.flapping = None;
        incident.news = Some(NoticeKind::Settled);
        incident.is_dirty = true;
    }
}

impl AlertEngine {
    /// Returns the incident of a group that has too few replicas.
    pub(super) fn incident_of_group(&self, name: &str) -> Option<IncidentId> {
        match self.groups.get(name)?.phase {
            GroupPhase::Told { incident, .. } => Some(incident),
            _ => None,
        }
    }

    /// Takes over the rules for groups.
    pub(super) fn set_groups(&mut self, world: &World<'_>, now: MonoTime) {
        let is_gone = |name: &&Arc<str>| !self.rules.groups.contains_key(*name);
        let removed: Vec<Arc<str>> = self.groups.keys().filter(is_gone).cloned().collect();
        for name in removed {
            if let Some(GroupPhase::Told { incident, .. }) =
                self.groups.remove(&name).map(|watch| watch.phase)
            {
                self.end_unwatched(incident, now);
            }
        }
        for (name, &rule) in &self.rules.groups {
            let watch =
                self.groups.entry(Arc::clone(name)).or_insert_with(|| GroupWatch::new(rule, now));
            watch.rule = rule;
        }
        self.release_strays(world, now);
    }

    /// Goes on with the incidents of groups that the last collector has left.
    pub(super) fn begin_groups(&mut self, world: &World<'_>, now: MonoTime) {
        self.set_groups(world, now);
        let is_of_group = |it: &&Incident| it.scope.kind == ScopeKind::Replicas;
        let left: Vec<(IncidentId, Arc<str>)> = self
            .incidents
            .values()
            .filter(is_of_group)
            .map(|it| (it.id, it.scope.name.clone()))
            .collect();
        for (id, name) in left {
            let Some(incident) = self.incidents.get(&id) else { continue };
            let Some(watch) = self.groups.get_mut(&name) else {
                self.end_unwatched(id, now);
                continue;
            };
            if let Some(Shortage::Replicas(shortage)) = &incident.shortage {
                watch.full_at = shortage.full_at;
            }
            if let Some(outages) = incident.flapping {
                watch.penalty = Penalty::restored(&self.rules.flapping, outages, now);
            }
            watch.phase =
                GroupPhase::Told { incident: id, well_since: None, fell_at: incident.opened };
        }
        self.release_strays(world, now);
    }

    /// Holds the trouble of an agent back where enough others of its group run, or makes it part of the incident of
    /// the group. Returns whether it has such a group.
    pub(super) fn hold_back(
        &mut self,
        world: &World<'_>,
        index: AgentIndex,
        now: MonoTime,
    ) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let Some((agent, trouble)) = self.find(world, index) else { return false };
        let group = agent.identity().and_then(|identity| identity.shared.group.as_ref());
        let Some(watch) = group.and_then(|group| self.groups.get(group)) else { return false };
        // What was restored waits for its judgement.
        if agent.restored.is_some() {
            return false;
        }
        if let GroupPhase::Told { incident, .. } = watch.phase
            && !runs(trouble.status)
        {
            self.admit(world, incident, index, MemberRole::Replica, now);
        } else {
            self.undecided.remove(&index);
            self.held_back.insert(index);
        }
        true
    }

    /// Decides on what was held back for a group that its agent has left, or that nobody counts any more.
    pub(super) fn release_strays(&mut self, world: &World<'_>, now: MonoTime) {
        let is_stray = |index: &AgentIndex| {
            let agent = world.agents.get(*index);
            let identity = agent.and_then(|agent| agent.identity());
            let group = identity.and_then(|identity| identity.shared.group.as_ref());
            group.is_none_or(|group| !self.groups.contains_key(group))
        };
        let strays: Vec<AgentIndex> =
            self.held_back.iter().filter(|it| is_stray(it)).copied().collect();
        for stray in strays {
            self.decide_anew(stray, now);
        }
    }

    /// Has it decided anew what becomes of trouble that was held back.
    pub(super) fn decide_anew(&mut self, index: AgentIndex, now: MonoTime) {
        if self.held_back.remove(&index) {
            self.undecided.insert(index);
            self.decide_at = Some(now);
        }
    }

    /// Judges all groups.
    pub(super) fn judge_groups(&mut self, world: &World<'_>, now: MonoTime) {
        let names: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for name in names {
            self.judge_group(world, &name, now);
        }
    }

    fn judge_group(&mut self, world: &World<'_>, name: &Arc<str>, now: MonoTime) {
        let tally = world.context.population.tally(name);
        let is_in_doubt = self.is_in_doubt();
        let Some(watch) = self.groups.get_mut(name) else { return };
        let rule = watch.rule;
        if tally.running >= rule.expect {
            watch.full_at = Some(now);
        }
        if let GroupPhase::Told { .. } = watch.phase {
            self.follow_group(name, tally, now);
            return;
        }
        let is_arriving = now < watch.arrival_until;
        let to_come = if is_arriving { rule.expect.saturating_sub(tally.total()) } else { 0 };
        let may_run = tally.running.saturating_add(tally.unknown).saturating_add(to_come);
        if may_run >= rule.alert_below || is_in_doubt {
            watch.phase = GroupPhase::Enough;
            watch.due = if is_arriving { watch.arrival_until } else { MonoTime::NEVER };
            return;
        }
        let since = match watch.phase {
            GroupPhase::TooFew { since } => since,
            _ => now,
        };
        watch.phase = GroupPhase::TooFew { since };
        watch.due = since + rule.hold;
        if watch.due <= now {
            watch.due = MonoTime::NEVER;
            self.open_group(world, name, (tally.running, since), now);
        }
    }

    /// Makes the incident of a group, or of the collector where that explains it.
    fn open_group(
        &mut self,
        world: &World<'_>,
        name: &Arc<str>,
        (running, since): (u32, MonoTime),
        now: MonoTime,
    ) {
        let gone = self.gone_members(world, name);
        let mut doubted = gone.iter().take(DOUBTED_MAX).copied();
        if let Some(index) = doubted.find(|&it| self.is_fate_of_fleet(world, it)) {
            self.form(world, index, now);
            return;
        }
        let id = self.take_id();
        let Some(watch) = self.groups.get_mut(name) else { return };
        let scope = Scope { kind: ScopeKind::Replicas, name: Arc::clone(name) };
        let interval = CauseInterval { from: watch.full_at.unwrap_or(since).min(since), to: since };
        let worst = AgentStatus::unreachable(Reason::Silent);
        let mut incident = Incident::new(id, scope, interval, (since, worst));
        incident.shortage = Some(Shortage::Replicas(watch.shortage(running)));
        watch.penalty.fall(&self.rules.flapping, now);
        incident.flapping = watch.penalty.is_flapping.then_some(watch.penalty.outages);
        watch.phase = GroupPhase::Told { incident: id, well_since: None, fell_at: now };
        self.insert(incident, now);
        for member in gone {
            self.admit(world, id, member, MemberRole::Replica, now);
        }
        self.route_shortage(world, id);
    }

    /// Returns what was held back of a group since all that are expected ran; as many as these at most, the newest.
    fn gone_members(&self, world: &World<'_>, name: &Arc<str>) -> Vec<AgentIndex> {
        let Some(watch) = self.groups.get(name) else { return Vec::new() };
        let scope = Scope { kind: ScopeKind::Group, name: Arc::clone(name) };
        let held = self.held_back.iter().filter(|&&index| world.is_in(index, &scope));
        let mut gone: Vec<(Reverse<MonoTime>, AgentIndex)> = held
            .filter_map(|&index| {
                let trouble = self.troubles.get(&index)?;
                let is_recent = watch.full_at.is_none_or(|full_at| trouble.noticed >= full_at);
                (is_recent && !runs(trouble.status)).then_some((Reverse(trouble.noticed), index))
            })
            .collect();
        gone.sort_unstable();
        gone.truncate(watch.rule.expect as usize);
        gone.into_iter().map(|(_, index)| index).collect()
    }

    /// Goes on with the incident of a group.
    fn follow_group(&mut self, name: &Arc<str>, tally: GroupTally, now: MonoTime) {
        let rules = &self.rules;
        let Some(watch) = self.groups.get_mut(name) else { return };
        let GroupPhase::Told { incident: id, .. } = watch.phase else { return };
        let Some(incident) = self.incidents.get_mut(&id) else {
            watch.phase = GroupPhase::Enough;
            return;
        };
        watch.count(incident, tally);
        let mut over_since = None;
        if tally.running >= watch.rule.alert_below {
            over_since = watch.recover(incident, rules, now);
        } else {
            watch.stay_short(incident, rules, now);
        }
        match over_since {
            Some(since) => self.end_group(name, since, now),
            None if incident.is_dirty => self.look_at(id, now),
            None => {}
        }
    }

    /// Ends the incident of a group of which enough have run since `at`.
    fn end_group(&mut self, name: &Arc<str>, at: MonoTime, now: MonoTime) {
        let Some(watch) = self.groups.get_mut(name) else { return };
        let GroupPhase::Told { incident, .. } = watch.phase else { return };
        (watch.phase, watch.due) = (GroupPhase::Enough, MonoTime::NEVER);
        (watch.penalty.is_flapping, watch.penalty.outages) = (false, 0);
        self.end_shortage(incident, at, now);
    }

    /// Ends the incident of a group that nobody counts any more.
    fn end_unwatched(&mut self, id: IncidentId, now: MonoTime) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.remark = Some("the config file has no [[group]] of this name any more".into());
        }
        self.end_shortage(id, now, now);
    }

    /// Ends an incident; the trouble of its members is held back from now on.
    fn end_shortage(&mut self, id: IncidentId, at: MonoTime, now: MonoTime) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let in_trouble = incident.members.iter().filter(|(_, member)| member.left.is_none());
        let left: Vec<_> = in_trouble.map(|(&agent, member)| (agent, member.index)).collect();
        left.iter().for_each(|&(agent, _)| incident.release(agent, at));
        incident.ended = Some(at);
        incident.is_dirty = true;
        for index in left.into_iter().filter_map(|(_, index)| index) {
            self.hold_released(index);
        }
        self.look_at(id, now);
    }

    fn hold_released(&mut self, index: AgentIndex) {
        let Some(trouble) = self.troubles.get_mut(&index) else { return };
        trouble.incident = None;
        match trouble.recovery {
            None => {
                self.held_back.insert(index);
            }
            // Nobody waits for the end of what is no part of an incident.
            Some(recovery) => self.end_trouble(index, recovery.since),
        }
    }

    /// Returns whether most of the fleet seems to share the fate of an agent.
    fn is_fate_of_fleet(&self, world: &World<'_>, index: AgentIndex) -> bool {
        let Some((agent, trouble)) = self.find(world, index) else { return false };
        let alike = self.alike(world, trouble.interval);
        let scope = self.scope_of(world, agent, &alike, trouble.status.reason);
        scope.is_some_and(|it| it.kind == ScopeKind::Collector)
    }
}
