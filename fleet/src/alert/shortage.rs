//! Incidents that are not about trouble of agents that are there, but about agents that are not: a group with too few
//! replicas, and agents that were expected and never came.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_vocabulary::{
    AgentStatus, Identity, IncidentId, Reason, ScopeKind, SharedIdentity, State,
};

use super::World;
use super::engine::AlertEngine;
use super::incident::Incident;
use super::replica_rule::runs;
use super::routing::is_silenced;
use super::scope::Scope;
use crate::agent::Agent;
use crate::time::MonoTime;

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Too few agents of a group run.
    Replicas(ReplicaShortage),
    /// Agents were expected and have never been seen.
    NeverSeen(NeverSeen),
}

/// Too few agents of a group run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaShortage {
    pub running: u32,
    pub expect: u32,
    pub alert_below: u32,
    /// When all that are expected ran last, as far as it is known: what went before has nothing to do with it.
    pub full_at: Option<MonoTime>,
}

/// Agents that were expected and have never been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverSeen {
    pub agents: BTreeSet<Box<str>>,
    /// How many they were at first.
    pub expected: u32,
    /// Since when they are waited for.
    pub since: MonoTime,
}

/// Where the agents are that a group lacks: those that it has lost since all ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoneReplicas {
    /// Unreachable, or degraded so that they do no work.
    pub lost: u32,
    /// Killed by an operator or a policy.
    pub killed: u32,
    /// They stopped by themselves.
    pub stopped: u32,
    /// Not heard yet since the collector started.
    pub unknown: u32,
}

/// A transition may be judged a little later than it is stamped.
const SLACK: Duration = Duration::from_secs(1);
/// Most agents of a group that are asked for their routes.
const ROUTED_MAX: usize = 256;

/// What the routes and silences of a group are asked about.
const LOST: AgentStatus = AgentStatus::unreachable(Reason::Silent);

impl Incident {
    /// Returns how many agents are in it: members in trouble, or those that there are too few.
    pub fn extent(&self) -> u32 {
        match &self.shortage {
            None => self.in_trouble,
            Some(Shortage::Replicas(it)) => it.expect.saturating_sub(it.running),
            Some(Shortage::NeverSeen(it)) => u32::try_from(it.agents.len()).unwrap_or(u32::MAX),
        }
    }

    /// Returns whether enough replicas of its group run again, and it is over when that has lasted.
    pub(crate) fn is_recovering(&self) -> bool {
        matches!(&self.shortage, Some(Shortage::Replicas(it)) if it.running >= it.alert_below)
    }

    /// Returns how many agents have been in it, and how many its scope has.
    pub(crate) fn size(&self, world: &World<'_>) -> (u32, u32) {
        match &self.shortage {
            None => {
                let members = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
                (members, world.count(&self.scope))
            }
            Some(Shortage::Replicas(it)) => (it.expect, it.expect),
            Some(Shortage::NeverSeen(it)) => (it.expected, it.expected),
        }
    }
}

impl GoneReplicas {
    /// Counts the agents that a group has lost.
    pub(super) fn of(incident: &Incident, world: &World<'_>) -> Self {
        let mut gone = Self::default();
        let Some(Shortage::Replicas(shortage)) = &incident.shortage else { return gone };
        for agent in gone_agents(&incident.scope, shortage, world) {
            let status = agent.status;
            match (status.state, status.reason) {
                (State::Unknown, _) => gone.unknown += 1,
                (State::Killed, Some(Reason::Shutdown)) => gone.stopped += 1,
                (State::Killed, _) => gone.killed += 1,
                _ => gone.lost += 1,
            }
        }
        gone
    }
}

/// Returns the agents of a group that do not run, without those that were gone when all that are expected ran.
fn gone_agents<'a>(
    scope: &Scope,
    shortage: &ReplicaShortage,
    world: &World<'a>,
) -> impl Iterator<Item = &'a Agent> {
    let full_at = shortage.full_at;
    let agents = world.agents;
    let members = world.context.population.of(scope).filter_map(|index| agents.get(index));
    members.filter(move |agent| {
        let is_recent = full_at.is_none_or(|full_at| agent.since + SLACK >= full_at);
        // Whoever is degraded is there now.
        !runs(agent.status) && (is_recent || agent.status.state == State::Degraded)
    })
}

impl AlertEngine {
    /// Notes which routes an incident takes whose agents are not there.
    ///
    /// 1. A group takes those that an agent of it would take that is unreachable.
    /// 2. An agent that never came takes those for unreachable agents and those for `unknown`.
    pub(super) fn route_shortage(&mut self, world: &World<'_>, id: IncidentId) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let taken: BTreeSet<usize> = match &incident.shortage {
            None => return,
            Some(Shortage::Replicas(_)) => {
                let agents = world.context.population.of(&incident.scope).take(ROUTED_MAX);
                let agents = agents.filter_map(|index| world.agents.get(index));
                let of_agents =
                    agents.flat_map(|it| self.rules.routes_of(it.name(), it.identity(), LOST));
                let group = identity_of_group(&incident.scope);
                of_agents.chain(self.rules.routes_of("", Some(&group), LOST)).collect()
            }
            Some(Shortage::NeverSeen(it)) => {
                it.agents.iter().flat_map(|name| self.rules.routes_of_missing(name)).collect()
            }
        };
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.routes.extend(taken);
        }
    }

    /// Returns whether silences keep an incident quiet whose agents are not there. A group is silenced where it is
    /// itself, and where enough agents would run if those that are silenced did.
    pub(super) fn is_shortage_silenced(&self, incident: &Incident, world: &World<'_>) -> bool {
        match &incident.shortage {
            None => false,
            Some(Shortage::Replicas(shortage)) => {
                let group = identity_of_group(&incident.scope);
                if self.silences.iter().any(|it| it.filter.matches("", Some(&group), LOST)) {
                    return true;
                }
                let gone = gone_agents(&incident.scope, shortage, world);
                let silenced = gone.filter(|it| is_silenced(&self.silences, it, it.status)).count();
                let silenced = u32::try_from(silenced).unwrap_or(u32::MAX);
                shortage.running.saturating_add(silenced) >= shortage.alert_below
            }
            Some(Shortage::NeverSeen(it)) => it.agents.iter().all(|name| {
                let unknown = AgentStatus::UNKNOWN;
                self.silences.iter().any(|silence| silence.filter.matches(name, None, unknown))
            }),
        }
    }

    /// Returns whether the collector suspects itself, so that nobody else is accused.
    pub(super) fn is_in_doubt(&self) -> bool {
        let collector = Scope { kind: ScopeKind::Collector, ..Scope::fleet() };
        let ids = self.by_scope.get(&collector).into_iter().flatten();
        ids.filter_map(|id| self.incidents.get(id)).any(|incident| incident.ended.is_none())
    }
}

/// Returns what is known of an agent of a group of which nothing else is.
fn identity_of_group(scope: &Scope) -> Identity {
    SharedIdentity { group: Some(scope.name.clone()), ..SharedIdentity::default() }.into()
}
