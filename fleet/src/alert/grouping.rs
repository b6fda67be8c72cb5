//! Which incident trouble is part of.
//!
//! For each agent whose trouble is in no incident, in this order:
//! 1. **What it needs is in trouble**: it is a member of that incident, as affected.
//! 2. **An incident of a scope of its is going on**, and the causes overlap: it is a member.
//! 3. **Enough replicas of its group run**: it is held back (`replicas.rs`), and counts as evidence alone.
//! 4. **Others may share its fate**: while agents of its scopes are overdue and not judged yet, it waits, at most
//!    `group_hold_max`. So does what its work tells of it, while so many of a host, group or dependency have bad tasks
//!    as well (*suspects*) that it could not be chance.
//! 5. **Its scopes are asked from the narrowest to the widest**: of all trouble with an overlapping cause that is in
//!    no incident of a scope, the narrowest scope that has too many for chance (`scope.rs`) and explains 80 % makes the
//!    incident; where none explains so many, the narrowest that has too many. Suspects count, and are no members.
//!    Incidents of single agents become part of it.
//! 6. Where that would be most of the fleet, the collector doubts itself.
//! 7. Otherwise it is an incident of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_vocabulary::{IncidentId, Reason, ScopeKind};

use super::World;
use super::cause_interval::CauseInterval;
use super::engine::AlertEngine;
use super::incident::{Incident, Member};
use super::scope::{Scope, is_beyond_chance, is_doubtful};
use super::trouble::Trouble;
use crate::agent::Agent;
use crate::agent_table::AgentIndex;
use crate::time::MonoTime;

/// Time between two looks at trouble that waits for others.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Agents of one scope that are looked at for others that are overdue.
const LOOKED_AT_MAX: usize = 256;

/// Whether a scope has agents that are overdue and not judged yet, as far as it was asked; with a reason: whether its
/// agents with such tasks are too many for chance.
type Overdue = BTreeMap<(Scope, Option<Reason>), bool>;

impl AlertEngine {
    /// Decides on all trouble that is in no incident.
    pub(super) fn decide(&mut self, world: &World<'_>, now: MonoTime) {
        if self.decide_at.is_none_or(|at| at > now) {
            return;
        }
        let mut overdue = Overdue::new();
        // What others need comes before those that need it.
        for index in self.undecided.clone() {
            self.join(world, index, now);
        }
        for index in self.undecided.clone() {
            if !self.undecided.contains(&index) || self.hold_back(world, index, now) {
                continue;
            }
            if self.is_decidable(world, index, &mut overdue, now) {
                self.form(world, index, now);
                self.adopt_dependants(world, index, now);
            }
        }
        self.decide_at = (!self.undecided.is_empty()).then(|| now + LOOK_EVERY);
    }

    /// Makes an agent a member of an incident that goes on, if there is one for it (rules 1 and 2).
    fn join(&mut self, world: &World<'_>, index: AgentIndex, now: MonoTime) {
        let Some((agent, trouble)) = self.find(world, index) else { return };
        if let Some(id) = self.incident_of_dependency(world, agent, &trouble) {
            self.admit(world, id, index, MemberRole::Affected, now);
            return;
        }
        let is_of_cause = |id: &IncidentId| {
            let incident = self.incidents.get(id)?;
            incident.interval.overlaps(trouble.interval).then_some(*id)
        };
        let own = Scope { kind: ScopeKind::Dependency, name: agent.name().into() };
        let collector = Scope { kind: ScopeKind::Collector, ..Scope::fleet() };
        let mut scopes = [own].into_iter().chain(Scope::shared_by(agent)).chain([collector]);
        let found =
            scopes.find_map(|scope| self.by_scope.get(&scope)?.iter().find_map(is_of_cause));
        if let Some(id) = found {
            self.admit(world, id, index, MemberRole::Own, now);
        }
    }

    /// Returns the incident of an agent that this one needs, and that was in trouble before it.
    fn incident_of_dependency(
        &self,
        world: &World<'_>,
        agent: &Agent,
        trouble: &Trouble,
    ) -> Option<IncidentId> {
        let depends = agent.identity().map_or(&[][..], |identity| &identity.shared.depends);
        depends.iter().find_map(|name| {
            let needed = self.troubles.get(&world.agents.find(name)?)?;
            let is_before = needed.interval.from <= trouble.interval.to;
            needed.incident.filter(|_| is_before && needed.recovery.is_none())
        })
    }

    /// Returns whether nothing is left to be waited for (rule 4). What was restored waits for its judgement.
    fn is_decidable(
        &self,
        world: &World<'_>,
        index: AgentIndex,
        overdue: &mut Overdue,
        now: MonoTime,
    ) -> bool {
        let Some((agent, trouble)) = self.find(world, index) else { return true };
        if agent.restored.is_some() {
            return false;
        }
        let is_of_silence =
            |reason| matches!(reason, Reason::Silent | Reason::Late | Reason::OneWay);
        let asked = match trouble.status.reason {
            Some(reason) if is_of_work(reason) => Some(reason),
            Some(reason) if is_of_silence(reason) => None,
            _ => return true,
        };
        if now >= trouble.noticed + self.rules.group_hold_max {
            return true;
        }
        let awaits = |scope: &Scope| match asked {
            Some(reason) => self.has_many_suspects(world, scope, reason),
            None => self.has_overdue(world, scope, now),
        };
        !Scope::shared_by(agent)
            .any(|scope| *overdue.entry((scope, asked)).or_insert_with_key(|(it, _)| awaits(it)))
    }

    /// Returns the agents of a scope whose work may soon bring them into that trouble.
    fn suspects<'a>(
        &'a self,
        world: &'a World<'_>,
        scope: &'a Scope,
        reason: Reason,
    ) -> impl Iterator<Item = AgentIndex> + 'a {
        let is_suspect = move |index: &AgentIndex| {
            let agent = world.agents.get(*index);
            agent.is_some_and(|agent| agent.is_suspected(reason))
                && !self.troubles.contains_key(index)
        };
        let asked = if is_of_work(reason) { LOOKED_AT_MAX } else { 0 };
        world.context.population.of(scope).take(asked).filter(is_suspect)
    }

    /// Returns whether some agents of a scope are in such trouble or may soon be, and too many for chance.
    fn has_many_suspects(&self, world: &World<'_>, scope: &Scope, reason: Reason) -> bool {
        let suspects = self.suspects(world, scope, reason).count();
        if suspects == 0 {
            return false;
        }
        let is_alike = |index: &AgentIndex| {
            let trouble = self.troubles.get(index);
            trouble.is_some_and(|trouble| trouble.status.reason == Some(reason))
        };
        let judged = world.context.population.of(scope).take(LOOKED_AT_MAX).filter(is_alike);
        let hit = u32::try_from(suspects + judged.count()).unwrap_or(u32::MAX);
        is_beyond_chance(scope.kind, hit, world.count(scope))
    }

    /// Returns whether agents of a scope have missed a beat, and are not in trouble yet.
    fn has_overdue(&self, world: &World<'_>, scope: &Scope, now: MonoTime) -> bool {
        let observed = world.context.clock.observed(now);
        let is_overdue = |index: AgentIndex| {
            world.agents.get(index).is_some_and(|agent| {
                let beat_and_half = Duration::from_millis(u64::from(agent.interval_ms) * 3 / 2);
                agent.heard_since_start
                    && !agent.is_killed()
                    && agent.ended().is_none()
                    && observed.since(agent.silent_since) >= beat_and_half
                    && !self.troubles.contains_key(&index)
            })
        };
        if scope.kind == ScopeKind::Fleet {
            // A sample, all over the fleet.
            let step = (world.agents.slot_count() as usize).div_ceil(LOOKED_AT_MAX).max(1);
            return (0..world.agents.slot_count()).step_by(step).map(AgentIndex).any(is_overdue);
        }
        world.context.population.of(scope).take(LOOKED_AT_MAX).any(is_overdue)
    }

    /// Makes the incident of an agent's trouble (rules 5 to 7).
    pub(super) fn form(&mut self, world: &World<'_>, index: AgentIndex, now: MonoTime) {
        let Some((agent, trouble)) = self.find(world, index) else { return };
        let alike = self.alike(world, trouble.interval);
        let scope = self.scope_of(world, agent, &alike, trouble.status.reason);
        let members: Vec<AgentIndex> = match &scope {
            Some(Scope { kind: ScopeKind::Collector, .. }) => alike,
            Some(scope) => alike.into_iter().filter(|&it| world.is_in(it, scope)).collect(),
            None => vec![index],
        };
        let alone = || Scope { kind: ScopeKind::Agent, name: agent.name().into() };
        let scope = scope.unwrap_or_else(alone);
        let singles: BTreeSet<IncidentId> =
            members.iter().filter_map(|it| self.troubles.get(it)?.incident).collect();
        let id = match singles.first() {
            Some(&oldest) => {
                self.widen(oldest, scope);
                oldest
            }
            None => {
                let id = self.take_id();
                let opened = (trouble.since, trouble.status);
                self.insert(Incident::new(id, scope, trouble.interval, opened), now);
                id
            }
        };
        for member in members {
            self.admit(world, id, member, MemberRole::Own, now);
        }
        for merged in singles.into_iter().filter(|&it| it != id) {
            self.merge(merged, id, now);
        }
    }

    /// Returns the scope of an agent in trouble for `reason` that explains why all of `alike` are, and those that may soon
    /// be; `None`: chance does.
    pub(super) fn scope_of(
        &self,
        world: &World<'_>,
        agent: &Agent,
        alike: &[AgentIndex],
        reason: Option<Reason>,
    ) -> Option<Scope> {
        let mut hit: BTreeSet<AgentIndex> = alike.iter().copied().collect();
        if let Some(reason) = reason {
            for scope in Scope::shared_by(agent) {
                hit.extend(self.suspects(world, &scope, reason));
            }
        }
        let scope = choose(world, agent, &hit)?;
        let hit = u32::try_from(alike.len()).unwrap_or(u32::MAX);
        let is_doubt = scope.kind == ScopeKind::Fleet && is_doubtful(hit, world.count(&scope));
        Some(if is_doubt { Scope { kind: ScopeKind::Collector, ..scope } } else { scope })
    }

    /// Makes those that need an agent members of its incident, where they fell into trouble with it or after it, and
    /// are in incidents of their own.
    fn adopt_dependants(&mut self, world: &World<'_>, index: AgentIndex, now: MonoTime) {
        let Some((agent, trouble)) = self.find(world, index) else { return };
        let Some(id) = trouble.incident else { return };
        let scope = Scope { kind: ScopeKind::Dependency, name: agent.name().into() };
        let dependants: Vec<AgentIndex> = world.context.population.of(&scope).collect();
        for dependant in dependants {
            let Some(theirs) = self.troubles.get(&dependant) else { continue };
            let is_after = trouble.interval.from <= theirs.interval.to;
            let single = theirs.incident.filter(|it| *it != id && self.is_single(*it));
            if is_after && (single.is_some() || theirs.incident.is_none()) {
                self.admit(world, id, dependant, MemberRole::Affected, now);
                if let Some(single) = single {
                    self.merge(single, id, now);
                }
            }
        }
    }

    /// Returns all agents in trouble with an overlapping cause that are in no incident of a scope.
    pub(super) fn alike(&self, world: &World<'_>, interval: CauseInterval) -> Vec<AgentIndex> {
        let is_free = |trouble: &Trouble| trouble.incident.is_none_or(|id| self.is_single(id));
        let is_judged = |index: AgentIndex| {
            world.agents.get(index).is_some_and(|agent| agent.restored.is_none())
        };
        let alike = self.troubles.iter().filter(|(index, trouble)| {
            trouble.recovery.is_none()
                && trouble.interval.overlaps(interval)
                && is_free(trouble)
                && is_judged(**index)
        });
        alike.map(|(&index, _)| index).collect()
    }

    fn is_single(&self, id: IncidentId) -> bool {
        self.incidents.get(&id).is_some_and(|it| it.scope.kind == ScopeKind::Agent)
    }

    pub(super) fn find<'a>(
        &self,
        world: &World<'a>,
        index: AgentIndex,
    ) -> Option<(&'a Agent, Trouble)> {
        Some((world.agents.get(index)?, *self.troubles.get(&index)?))
    }

    /// Gives an incident a wider scope.
    fn widen(&mut self, id: IncidentId, scope: Scope) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let before = std::mem::replace(&mut incident.scope, scope.clone());
        incident.is_dirty = true;
        self.unlist_scope(&before, id);
        self.by_scope.entry(scope).or_default().insert(id);
    }

    /// Removes an incident from those of a scope.
    pub(super) fn unlist_scope(&mut self, scope: &Scope, id: IncidentId) {
        if let Some(ids) = self.by_scope.get_mut(scope) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_scope.remove(scope);
            }
        }
    }

    /// Makes an agent in trouble a member of an incident.
    pub(super) fn admit(
        &mut self,
        world: &World<'_>,
        id: IncidentId,
        index: AgentIndex,
        role: MemberRole,
        now: MonoTime,
    ) {
        let Some(trouble) = self.troubles.get_mut(&index) else { return };
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        trouble.incident = Some(id);
        let is_affected = role == MemberRole::Affected;
        let member = Member {
            index: Some(index),
            joined: now,
            status: trouble.status,
            since: trouble.since,
            left: None,
            is_affected,
        };
        let interval = (role == MemberRole::Own).then_some(trouble.interval);
        incident.admit(trouble.id, member, interval);
        let penalty = self.penalties.get(&trouble.id).filter(|it| it.is_flapping);
        if let Some(penalty) = penalty.filter(|_| role != MemberRole::Replica) {
            incident.flapping = Some(penalty.outages);
        }
        let status = trouble.status;
        self.undecided.remove(&index);
        self.held_back.remove(&index);
        self.route_member(world, id, index, status);
        self.look_at(id, now);
    }

    /// Ends an incident of one agent that turned out to be part of another.
    fn merge(&mut self, merged: IncidentId, into: IncidentId, now: MonoTime) {
        let Some(incident) = self.incidents.get_mut(&merged) else { return };
        incident.merged_into = Some(into);
        incident.ended = Some(now);
        incident.is_dirty = true;
        self.look_at(merged, now);
    }
}

/// Why an agent is a member of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberRole {
    /// It has the cause in common.
    Own,
    /// Its group has too few replicas, whatever the cause of each is.
    Replica,
    /// It needs what is in trouble.
    Affected,
}

/// Returns whether a reason is one of an agent's work.
const fn is_of_work(reason: Reason) -> bool {
    matches!(reason, Reason::Failing | Reason::Slow | Reason::Fast)
}

/// Returns the scope of `agent` that explains why all of `alike`, which are in trouble or may soon be, are; `None`:
/// chance does.
fn choose(world: &World<'_>, agent: &Agent, alike: &BTreeSet<AgentIndex>) -> Option<Scope> {
    let beyond_chance: Vec<(Scope, u32)> = Scope::shared_by(agent)
        .filter_map(|scope| {
            let hit = alike.iter().filter(|&&it| world.is_in(it, &scope)).count();
            let hit = u32::try_from(hit).unwrap_or(u32::MAX);
            is_beyond_chance(scope.kind, hit, world.count(&scope)).then_some((scope, hit))
        })
        .collect();
    let explains = |hit: u32| hit as usize * 5 >= alike.len() * 4;
    let best = beyond_chance.iter().find(|(_, hit)| explains(*hit)).or(beyond_chance.first());
    best.map(|(scope, _)| scope.clone())
}
