//! What must hold of incidents and notices, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heartline_fleet::{Fleet, HistoryDbRow, MonoTime, Output};
use heartline_vocabulary::{AgentRowId, IncidentId, NoticeKind, State};

use super::replica_watch::ReplicaWatch;
use super::violation::{CheckResult, ensure};

/// Longer than trouble waits to be part of an incident, with a look every second.
const DECIDED_WITHIN: Duration = Duration::from_secs(63);

/// Watches the outputs of one start of the collector.
#[derive(Debug, Default)]
pub(super) struct AlertWatch {
    /// Incidents that were recorded, with the number of their newest notice and whether it was the last.
    incidents: BTreeMap<IncidentId, (u32, bool)>,
    /// Since when each agent has been seen unreachable.
    unreachable: BTreeMap<AgentRowId, MonoTime>,
    checked: Option<MonoTime>,
}

impl AlertWatch {
    /// Returns the watch of a start that goes on with incidents of before.
    pub(super) fn new(restored: impl Iterator<Item = (IncidentId, u32)>) -> Self {
        let incidents = restored.map(|(id, notices)| (id, (notices, false))).collect();
        Self { incidents, ..Self::default() }
    }

    /// Checks that a notice follows the record of its incident, that notices are numbered without a hole, and that
    /// nothing follows the last one.
    pub(super) fn check_output(&mut self, output: &Output) -> CheckResult {
        match output {
            Output::WriteHistory(HistoryDbRow::Incident(incident)) => {
                self.incidents.entry(incident.id).or_default();
            }
            Output::WriteHistory(HistoryDbRow::Notice(notice)) if notice.listed.is_empty() => {
                let (id, number) = (notice.id.incident, notice.id.number);
                let known = self.incidents.get_mut(&id);
                ensure!(
                    known.is_some(),
                    "notice {} of an incident that was not recorded",
                    notice.id
                );
                let Some((last, is_over)) = known else { return Ok(()) };
                ensure!(!*is_over, "notice {} after the last one", notice.id);
                ensure!(number == *last + 1, "notice {} follows number {last}", notice.id);
                let is_end = matches!(notice.kind, NoticeKind::Resolved | NoticeKind::Merged);
                (*last, *is_over) = (number, is_end);
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks, once a second, that whoever has been unreachable for long is part of an incident.
    /// Where enough other replicas run, that of one of them is nobody's.
    pub(super) fn check(
        &mut self,
        fleet: &Fleet,
        replicas: &ReplicaWatch,
        now: MonoTime,
    ) -> CheckResult {
        if self.checked.is_some_and(|at| now.since(at) < Duration::from_secs(1)) {
            return Ok(());
        }
        self.checked = Some(now);
        let mut members = BTreeSet::new();
        for incident in fleet.incidents() {
            let in_trouble = incident.members.iter().filter(|(_, member)| member.left.is_none());
            let ids: Vec<AgentRowId> = in_trouble.map(|(&id, _)| id).collect();
            ensure!(
                ids.len() == incident.in_trouble as usize,
                "incident {} miscounts",
                incident.id
            );
            for id in ids {
                ensure!(members.insert(id), "agent {} is in two incidents", id.0);
            }
        }
        for (_, agent) in fleet.agents() {
            let is_told_of = agent.is_stored() && !replicas.may_hold_back(agent);
            if agent.status().state != State::Unreachable || !is_told_of {
                self.unreachable.remove(&agent.id());
                continue;
            }
            let since = *self.unreachable.entry(agent.id()).or_insert(now);
            ensure!(
                members.contains(&agent.id()) || now.since(since) <= DECIDED_WITHIN,
                "{} has been unreachable for {:?} and nobody is told",
                agent.name(),
                now.since(since)
            );
        }
        Ok(())
    }
}
