//! Which agents each host and group has, and which agents need each agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heartline_vocabulary::{AgentStatus, Identity, ScopeKind, SharedIdentity};

use super::replica_rule::GroupTally;
use super::scope::Scope;
use crate::agent_table::{AgentIndex, AgentTable};

/// The agents of each scope. Changes where an agent's identity does, which is rare.
#[derive(Debug, Default)]
pub(crate) struct Population {
    hosts: Members,
    groups: Members,
    dependants: Members,
    /// How the agents of groups with a rule for their replicas are.
    tallies: BTreeMap<Arc<str>, GroupTally>,
    changes: TallyChanges,
}

/// What has happened to the tallies since somebody asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TallyChanges {
    /// Agents are in other states.
    pub(crate) states: bool,
    /// Agents came to a group, or left one.
    pub(crate) members: bool,
}

type Members = BTreeMap<Arc<str>, BTreeSet<AgentIndex>>;

impl Population {
    /// Takes in that an agent has another identity; `None`: it is not known, or gone.
    pub(crate) fn update(
        &mut self,
        (index, status): (AgentIndex, AgentStatus),
        before: Option<&Identity>,
        after: Option<&Identity>,
    ) {
        let [before, after] = [before, after].map(|it| it.map(|identity| &*identity.shared));
        let hosts = [before, after].map(|it| it.and_then(|it| it.host.clone()));
        let groups = [before, after].map(|it| it.and_then(|it| it.group.clone()));
        replace(&mut self.hosts, index, hosts);
        if !self.tallies.is_empty() && groups[0] != groups[1] {
            let [before, after] = &groups;
            self.tally_of(before.as_deref()).into_iter().for_each(|tally| tally.remove(status));
            self.tally_of(after.as_deref()).into_iter().for_each(|tally| tally.add(status));
            self.changes = TallyChanges { states: true, members: true };
        }
        replace(&mut self.groups, index, groups);
        let depends = |it: Option<&SharedIdentity>| {
            it.map_or_else(BTreeSet::new, |it| it.depends.iter().cloned().collect())
        };
        let (before, after): (BTreeSet<Arc<str>>, BTreeSet<_>) = (depends(before), depends(after));
        for gone in before.difference(&after) {
            replace(&mut self.dependants, index, [Some(Arc::clone(gone)), None]);
        }
        for new in after.difference(&before) {
            replace(&mut self.dependants, index, [None, Some(Arc::clone(new))]);
        }
    }

    /// Takes in that an agent is in another state.
    pub(crate) fn take_status(
        &mut self,
        identity: Option<&Identity>,
        from: AgentStatus,
        to: AgentStatus,
    ) {
        if self.tallies.is_empty() {
            return;
        }
        let group = identity.and_then(|identity| identity.shared.group.as_deref());
        if let Some(tally) = self.tally_of(group) {
            tally.remove(from);
            tally.add(to);
            self.changes.states = true;
        }
    }

    /// Keeps tallies of these groups from now on, and of no other.
    pub(crate) fn watch(&mut self, groups: impl Iterator<Item = Arc<str>>, agents: &AgentTable) {
        let tally = |group: Arc<str>| {
            let mut tally = GroupTally::default();
            let members = self.groups.get(&group).into_iter().flatten();
            members.filter_map(|&it| agents.get(it)).for_each(|agent| tally.add(agent.status));
            (group, tally)
        };
        self.tallies = groups.map(tally).collect();
        self.changes = TallyChanges { states: true, members: true };
    }

    /// Returns the tally of a group; an empty one where none is kept.
    pub(crate) fn tally(&self, group: &str) -> GroupTally {
        self.tallies.get(group).copied().unwrap_or_default()
    }

    /// Returns whether anything has happened to the tallies.
    pub(crate) fn has_changed(&self) -> bool {
        self.changes.states
    }

    /// Returns what has happened to the tallies since the last call.
    pub(crate) fn take_changes(&mut self) -> TallyChanges {
        std::mem::take(&mut self.changes)
    }

    fn tally_of(&mut self, group: Option<&str>) -> Option<&mut GroupTally> {
        self.tallies.get_mut(group?)
    }

    /// Returns the agents of a host, of a group, or that need an agent.
    pub(crate) fn of(&self, scope: &Scope) -> impl Iterator<Item = AgentIndex> {
        self.members(scope).into_iter().flatten().copied()
    }

    /// Returns the number of agents of a scope in a fleet of `fleet` agents.
    pub(crate) fn count(&self, scope: &Scope, fleet: u32) -> u32 {
        match scope.kind {
            ScopeKind::Fleet | ScopeKind::Collector => fleet,
            ScopeKind::Agent => 1,
            _ => self.members(scope).map_or(0, |it| u32::try_from(it.len()).unwrap_or(u32::MAX)),
        }
    }

    fn members(&self, scope: &Scope) -> Option<&BTreeSet<AgentIndex>> {
        match scope.kind {
            ScopeKind::Host => self.hosts.get(&scope.name),
            ScopeKind::Group | ScopeKind::Replicas => self.groups.get(&scope.name),
            ScopeKind::Dependency => self.dependants.get(&scope.name),
            // Its agents are those of its host with its number.
            ScopeKind::Process
            | ScopeKind::Agent
            | ScopeKind::Fleet
            | ScopeKind::Collector
            | ScopeKind::Sink
            | ScopeKind::Budget
            | ScopeKind::Expected => None,
        }
    }
}

fn replace(members: &mut Members, index: AgentIndex, [before, after]: [Option<Arc<str>>; 2]) {
    if before == after {
        return;
    }
    if let Some(before) = before
        && let Some(set) = members.get_mut(&before)
    {
        set.remove(&index);
        if set.is_empty() {
            members.remove(&before);
        }
    }
    if let Some(after) = after {
        members.entry(after).or_default().insert(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(host: &str, group: &str, depends: &[&str]) -> Identity {
        let depends = depends.iter().map(|&it| it.into()).collect();
        let (host, group) = (Some(host.into()), Some(group.into()));
        SharedIdentity { host, group, depends, ..SharedIdentity::default() }.into()
    }

    #[test]
    fn agents_move_between_hosts_and_leave_nothing_behind() {
        let mut population = Population::default();
        let scope = |kind, name: &str| Scope { kind, name: name.into() };
        let (first, second) = (identity("m1", "mail", &["db"]), identity("m2", "mail", &["mq"]));
        population.update((AgentIndex(1), AgentStatus::HEALTHY), None, Some(&first));
        population.update((AgentIndex(2), AgentStatus::HEALTHY), None, Some(&first));
        population.update((AgentIndex(1), AgentStatus::HEALTHY), Some(&first), Some(&second));
        let count = |population: &Population, kind, name| population.count(&scope(kind, name), 9);
        assert_eq!(count(&population, ScopeKind::Host, "m1"), 1);
        assert_eq!(count(&population, ScopeKind::Host, "m2"), 1);
        assert_eq!(count(&population, ScopeKind::Group, "mail"), 2);
        assert_eq!(count(&population, ScopeKind::Dependency, "db"), 1);
        let of: Vec<_> = population.of(&scope(ScopeKind::Dependency, "mq")).collect();
        assert_eq!(of, [AgentIndex(1)]);
        assert_eq!(population.count(&Scope::fleet(), 9), 9);
        population.update((AgentIndex(1), AgentStatus::HEALTHY), Some(&second), None);
        population.update((AgentIndex(2), AgentStatus::HEALTHY), Some(&first), None);
        assert!(population.hosts.is_empty() && population.groups.is_empty());
        assert!(population.dependants.is_empty());
    }
}
