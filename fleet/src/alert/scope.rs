//! The scopes of agents that can share a cause, and how many of them it takes.

use std::sync::Arc;

use heartline_vocabulary::ScopeKind;

use crate::agent::Agent;

/// A scope: agents that something can befall together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// From the narrowest to the widest.
    pub kind: ScopeKind,
    /// The agent, process (`4007 on m3`), host, group, sink, or budget (`mail-day of mail.7` of one for each agent); empty for a fleet, a
    /// collector, and several agents that were expected.
    pub name: Arc<str>,
}

impl Scope {
    /// The whole fleet.
    pub(crate) fn fleet() -> Self {
        Self { kind: ScopeKind::Fleet, name: "".into() }
    }

    /// Returns whether an agent is in it, as one of [`Self::shared_by`].
    pub(crate) fn has(&self, agent: &Agent) -> bool {
        let Some(identity) = agent.identity() else {
            return self.kind == ScopeKind::Fleet;
        };
        let shared = &*identity.shared;
        match self.kind {
            ScopeKind::Process => self.process().is_some_and(|(pid, host)| {
                identity.pid == Some(pid) && shared.host.as_deref() == Some(host)
            }),
            ScopeKind::Host => shared.host.as_ref() == Some(&self.name),
            ScopeKind::Dependency => shared.depends.contains(&self.name),
            ScopeKind::Group => shared.group.as_ref() == Some(&self.name),
            ScopeKind::Fleet => true,
            ScopeKind::Agent
            | ScopeKind::Collector
            | ScopeKind::Sink
            | ScopeKind::Budget
            | ScopeKind::Replicas
            | ScopeKind::Expected => false,
        }
    }

    /// Returns the number of a process, and its host.
    pub(crate) fn process(&self) -> Option<(u32, &str)> {
        let (pid, host) = self.name.split_once(ON).filter(|_| self.kind == ScopeKind::Process)?;
        Some((pid.parse().ok()?, host))
    }

    /// Returns the scopes of an agent that may have others in them, from the narrowest to the widest.
    pub(crate) fn shared_by(agent: &Agent) -> impl Iterator<Item = Self> {
        let shared = agent.identity().map(|identity| &*identity.shared);
        let named = |kind, name: &Arc<str>| Self { kind, name: Arc::clone(name) };
        let host = shared.and_then(|it| it.host.as_ref());
        let pid = agent.identity().and_then(|identity| identity.pid);
        let process = host.zip(pid).map(|(host, pid)| Self {
            kind: ScopeKind::Process,
            name: format!("{pid}{ON}{host}").into(),
        });
        let depends = shared.map_or(&[][..], |it| &it.depends);
        let group = shared.and_then(|it| it.group.as_ref());
        process
            .into_iter()
            .chain(host.map(|host| named(ScopeKind::Host, host)))
            .chain(depends.iter().map(move |agent| named(ScopeKind::Dependency, agent)))
            .chain(group.map(|group| named(ScopeKind::Group, group)))
            .chain([Self::fleet()])
    }
}

/// Between the number of a process and its host.
const ON: &str = " on ";

/// Returns whether `hit` agents of the `of` that a scope has are too many for chance.
///
/// 1. A process: all of its agents, two at least. Where some of them live, it does.
/// 2. A host: three agents, or both where it has two. By chance three of one host within half a minute happen
///    once in fifty years in a fleet of 10,000 agents on 200 hosts; two of many happen every few days.
/// 3. A group, and the dependants of one agent: three agents and 30 %, or twenty.
/// 4. The fleet: five agents and 15 %, or fifty.
pub(crate) const fn is_beyond_chance(kind: ScopeKind, hit: u32, of: u32) -> bool {
    let (hit, of) = (hit as u64, of as u64);
    match kind {
        ScopeKind::Process => hit >= 2 && hit >= of,
        ScopeKind::Host => hit >= 3 || (hit == 2 && of == 2),
        ScopeKind::Group | ScopeKind::Dependency => hit >= 20 || (hit >= 3 && hit * 10 >= of * 3),
        ScopeKind::Fleet => hit >= 50 || (hit >= 5 && hit * 100 >= of * 15),
        ScopeKind::Agent
        | ScopeKind::Collector
        | ScopeKind::Sink
        | ScopeKind::Budget
        | ScopeKind::Replicas
        | ScopeKind::Expected => false,
    }
}

/// Returns whether so many agents at once say more about the collector, or its network, than about the agents.
pub(crate) const fn is_doubtful(hit: u32, of: u32) -> bool {
    hit >= 5 && hit as u64 * 2 > of as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_more_of_a_wider_scope() {
        let is = is_beyond_chance;
        assert!(is(ScopeKind::Process, 2, 2) && !is(ScopeKind::Process, 9, 10));
        assert!(!is(ScopeKind::Process, 1, 1));
        assert!(is(ScopeKind::Host, 3, 400) && is(ScopeKind::Host, 2, 2));
        assert!(!is(ScopeKind::Host, 2, 3) && !is(ScopeKind::Host, 1, 1));
        assert!(is(ScopeKind::Group, 3, 10) && !is(ScopeKind::Group, 3, 11));
        assert!(is(ScopeKind::Group, 20, 10_000) && !is(ScopeKind::Group, 2, 2));
        assert!(is(ScopeKind::Fleet, 5, 33) && !is(ScopeKind::Fleet, 5, 34));
        assert!(is(ScopeKind::Fleet, 50, 1_000_000));
        assert!(is_doubtful(6, 11) && !is_doubtful(5, 10) && !is_doubtful(4, 4));
    }
}
