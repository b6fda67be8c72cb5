//! What must hold of groups of which so many agents must run, computed from the states of their agents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::{Agent, Fleet, Incident, MonoTime, ReplicaRule};
use heartline_vocabulary::{AgentStatus, Reason, ScopeKind, State};

use super::violation::{CheckResult, ensure};

/// Watches one start of the collector.
#[derive(Debug, Default)]
pub(super) struct ReplicaWatch {
    groups: BTreeMap<Arc<str>, WatchedGroup>,
    recovery_hold: Duration,
}

#[derive(Debug)]
struct WatchedGroup {
    rule: ReplicaRule,
    /// Until then agents may come that were never there.
    arrival_until: MonoTime,
    /// Since when it has had too few, or, while somebody is told, enough.
    short_since: Option<MonoTime>,
    enough_since: Option<MonoTime>,
    /// Somebody is told, or was when the collector started.
    is_told: bool,
    ticks: u32,
}

/// Time after a start in which agents that were never there before may come.
const ARRIVAL: Duration = Duration::from_secs(300);
/// How soon an incident begins and ends.
const TOLD_WITHIN: (Duration, u32) = (Duration::from_millis(500), 3);

impl ReplicaWatch {
    /// Returns the watch of a start that goes on with incidents of before.
    pub(super) fn new(
        rules: &BTreeMap<Arc<str>, ReplicaRule>,
        recovery_hold: Duration,
        incidents: &[Incident],
        now: MonoTime,
    ) -> Self {
        let group = |(name, &rule): (&Arc<str>, &ReplicaRule)| {
            let group = WatchedGroup {
                rule,
                arrival_until: now + ARRIVAL,
                short_since: None,
                enough_since: None,
                is_told: incidents.iter().any(|it| is_of(it, name)),
                ticks: 0,
            };
            (Arc::clone(name), group)
        };
        Self { groups: rules.iter().map(group).collect(), recovery_hold }
    }

    /// Returns whether the trouble of an agent may be held back, as it is for its group.
    pub(super) fn may_hold_back(&self, agent: &Agent) -> bool {
        group_of(agent).is_some_and(|group| self.groups.contains_key(group))
    }

    /// Checks the fleet after an input; `is_tick`: whatever is due has been handled.
    pub(super) fn check(&mut self, fleet: &Fleet, is_tick: bool, now: MonoTime) -> CheckResult {
        let open = || fleet.incidents().filter(|it| it.ended.is_none());
        let is_in_doubt = open().any(|it| it.scope.kind == ScopeKind::Collector);
        for (name, group) in &mut self.groups {
            let members =
                || fleet.agents().map(|it| it.1).filter(|it| group_of(it) == Some(&**name));
            let count = |runs: fn(AgentStatus) -> bool| {
                members().filter(|it| runs(it.status())).count() as u32
            };
            let running = count(runs);
            let unknown = count(|status| status.state == State::Unknown);
            let is_arriving = now < group.arrival_until;
            let absent = group.rule.expect.saturating_sub(members().count() as u32);
            let may_run = running + unknown + if is_arriving { absent } else { 0 };
            let is_short = may_run < group.rule.alert_below && !is_in_doubt;
            let since = |was: Option<MonoTime>, holds: bool| holds.then(|| was.unwrap_or(now));
            group.short_since = since(group.short_since, is_short);
            group.enough_since = since(group.enough_since, running >= group.rule.alert_below);
            let incident = open().find(|it| is_of(it, name));
            let has_lasted = |since: Option<MonoTime>, hold: Duration| {
                since.is_some_and(|since| now.since(since) >= hold)
            };
            if incident.is_some() && !group.is_told {
                let is_due = has_lasted(group.short_since, group.rule.hold);
                ensure!(is_due, "{name} is told as short since {:?}", group.short_since);
            }
            let is_over = group.is_told && incident.is_none();
            let is_well = has_lasted(group.enough_since, self.recovery_hold);
            ensure!(!is_over || is_well, "{name} is told as over since {:?}", group.enough_since);
            group.is_told = incident.is_some();
            let late = |hold: Duration| hold + TOLD_WITHIN.0;
            let is_untold =
                incident.is_none() && has_lasted(group.short_since, late(group.rule.hold));
            let is_unended = incident.is_some_and(|it| it.flapping.is_none())
                && has_lasted(group.enough_since, late(self.recovery_hold));
            if is_tick {
                group.ticks = if is_untold || is_unended { group.ticks + 1 } else { 0 };
            }
            ensure!(
                group.ticks <= TOLD_WITHIN.1,
                "{name}: {running} run, {unknown} are unknown, told: {}",
                group.is_told
            );
        }
        Ok(())
    }
}

fn group_of(agent: &Agent) -> Option<&str> {
    agent.identity().and_then(|identity| identity.shared.group.as_deref())
}

fn is_of(incident: &Incident, group: &str) -> bool {
    incident.scope.kind == ScopeKind::Replicas && *incident.scope.name == *group
}

/// Returns whether an agent does its work, late or slowly perhaps.
fn runs(status: AgentStatus) -> bool {
    let at_work = [Reason::Late, Reason::Slow, Reason::Fast, Reason::Flooding];
    status == AgentStatus::HEALTHY
        || at_work.into_iter().any(|reason| status == AgentStatus::degraded(reason))
}
