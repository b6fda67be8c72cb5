//! What a replay comes to, beside what was told.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{HistoryDbRow, Incident, OutgoingNotice, Scope};
use heartline_operator::message::{EventKind, IncidentReport, IncidentScope, NoticeReport};
use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, NoticeKind, ScopeKind};

use super::history::AlertHistory;
use super::wall_ms;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What a config file would have told.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayOutcome {
    pub(crate) since_ms: i64,
    pub(crate) until_ms: i64,
    /// In the order in which they began: those of which something was to be told in the range, and those that began in
    /// it.
    pub(crate) incidents: Vec<ReplayedIncident>,
    /// Of what somebody was told then, and nobody would be now.
    pub(crate) untold: Vec<IncidentReport>,
    pub(crate) sinks: BTreeMap<String, NoticeTotal>,
    /// By the day since 1970, in UTC.
    pub(crate) days: BTreeMap<i64, NoticeTotal>,
    /// By sink.
    pub(crate) storms: BTreeMap<String, StormTotal>,
    /// What was told then is known.
    pub(crate) is_compared: bool,
    /// What can't be known, in words.
    pub(crate) unknown: Vec<String>,
}

/// An incident that there would have been.
#[derive(Clone, Debug)]
pub(crate) struct ReplayedIncident {
    pub(crate) number: u64,
    pub(crate) scope: IncidentScope,
    pub(crate) worst: AgentStatus,
    pub(crate) opened_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    /// Agents that were in it at some time.
    pub(crate) members: BTreeSet<String>,
    /// Numbers of its routes in the config file, from 1.
    pub(crate) routes: BTreeSet<usize>,
    pub(crate) notices: Vec<ReplayedNotice>,
    /// The incidents of which people were told then that have a member in common with it.
    pub(crate) was: Vec<IncidentId>,
}

/// A notice that would have been sent.
#[derive(Clone, Debug)]
pub(crate) struct ReplayedNotice {
    pub(crate) kind: NoticeKind,
    pub(crate) at_ms: i64,
    pub(crate) sinks: Vec<String>,
    /// Of a list: how many incidents are in it.
    pub(crate) listed: usize,
}

/// Numbers of notices, each counted for every sink.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoticeTotal {
    /// Those that would have been sent.
    pub(crate) would: u32,
    /// Those that were to be sent then.
    pub(crate) was: u32,
}

/// Lists to one sink.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StormTotal {
    pub(crate) lists: u32,
    /// Incidents in the longest of them.
    pub(crate) longest: usize,
}

/// Takes the rows of a replay in.
pub(super) struct ReplayTally {
    outcome: ReplayOutcome,
    incidents: BTreeMap<IncidentId, ReplayedIncident>,
    members: BTreeMap<IncidentId, Vec<AgentRowId>>,
}

impl ReplayTally {
    pub(super) fn new(history: &AlertHistory) -> Self {
        let outcome = ReplayOutcome {
            since_ms: history.since_ms,
            until_ms: history.until_ms,
            is_compared: history.told.is_some(),
            unknown: unknown(history),
            ..ReplayOutcome::default()
        };
        Self { outcome, incidents: BTreeMap::new(), members: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, row: HistoryDbRow) {
        match row {
            HistoryDbRow::Incident(incident) => self.take_incident(&incident),
            HistoryDbRow::Notice(notice) => {
                self.outcome.take_notice(&mut self.incidents, &notice);
            }
            _ => {}
        }
    }

    /// Returns what the rows come to; `names` are those of agents.
    pub(super) fn finish(
        self,
        history: &AlertHistory,
        names: &BTreeMap<AgentRowId, Box<str>>,
    ) -> ReplayOutcome {
        let Self { mut outcome, mut incidents, members } = self;
        for (id, members) in members {
            let Some(incident) = incidents.get_mut(&id) else { continue };
            incident.members =
                members.iter().filter_map(|id| names.get(id)).map(ToString::to_string).collect();
        }
        outcome.incidents = incidents.into_values().collect();
        outcome.incidents.retain(|it| it.opened_ms >= history.since_ms || !it.notices.is_empty());
        outcome.compare(history);
        outcome
    }

    fn take_incident(&mut self, incident: &Incident) {
        self.members.insert(incident.id, incident.members.keys().copied().collect());
        let newer = ReplayedIncident::of(incident.id, incident);
        match self.incidents.get_mut(&incident.id) {
            Some(known) => {
                let notices = std::mem::take(&mut known.notices);
                // The routes that were taken at some time.
                let mut routes = std::mem::take(&mut known.routes);
                routes.extend(&newer.routes);
                *known = ReplayedIncident { notices, routes, ..newer };
            }
            None => drop(self.incidents.insert(incident.id, newer)),
        }
    }
}

impl ReplayOutcome {
    fn take_notice(
        &mut self,
        incidents: &mut BTreeMap<IncidentId, ReplayedIncident>,
        notice: &OutgoingNotice,
    ) {
        let at_ms = wall_ms(notice.at);
        if at_ms < self.since_ms {
            return;
        }
        let id = notice.id.incident;
        let sinks: Vec<String> = notice.sinks.iter().map(ToString::to_string).collect();
        for sink in &sinks {
            self.sinks.entry(sink.clone()).or_default().would += 1;
            self.days.entry(at_ms.div_euclid(DAY_MS)).or_default().would += 1;
            if !notice.listed.is_empty() {
                let storm = self.storms.entry(sink.clone()).or_default();
                storm.lists += 1;
                storm.longest = storm.longest.max(notice.listed.len());
            }
        }
        let listed = notice.listed.len();
        let incident = incidents.entry(id).or_insert_with(|| {
            // The lists of a storm have no record.
            let header = &notice.incident.incident;
            ReplayedIncident::of(id, header)
        });
        incident.notices.push(ReplayedNotice { kind: notice.kind, at_ms, sinks, listed });
    }

    /// Counts what was told, and finds which incidents were which.
    fn compare(&mut self, history: &AlertHistory) {
        let Some(told) = &history.told else { return };
        let is_in_range =
            |notice: &&NoticeReport| (history.since_ms..history.until_ms).contains(&notice.at_ms);
        for report in told.incidents.iter().filter(|it| !is_of_budget(it)) {
            let notices: Vec<&NoticeReport> = report.notices.iter().filter(is_in_range).collect();
            for notice in &notices {
                for delivery in &notice.deliveries {
                    self.sinks.entry(delivery.sink.clone()).or_default().was += 1;
                    self.days.entry(notice.at_ms.div_euclid(DAY_MS)).or_default().was += 1;
                }
            }
            let mut is_told = false;
            for replayed in self.incidents.iter_mut().filter(|it| it.is_same(report)) {
                is_told |= !replayed.notices.is_empty();
                replayed.was.push(report.incident.id);
            }
            if !is_told && !notices.is_empty() && !is_list(report) {
                self.untold.push(report.clone());
            }
        }
    }
}

impl ReplayedIncident {
    fn of(id: IncidentId, incident: &Incident) -> Self {
        let Scope { kind, name } = &incident.scope;
        Self {
            number: id.0,
            scope: IncidentScope { kind: *kind, name: name.to_string() },
            worst: incident.worst,
            opened_ms: wall_ms(incident.opened),
            ended_ms: incident.ended.map(wall_ms),
            members: BTreeSet::new(),
            routes: incident.routes().map(|route| route + 1).collect(),
            notices: Vec::new(),
            was: Vec::new(),
        }
    }

    /// Returns whether people were told of the same trouble then: a member in common, and time.
    fn is_same(&self, report: &IncidentReport) -> bool {
        let other = &report.incident;
        let overlaps = self.opened_ms <= other.ended_ms.unwrap_or(i64::MAX)
            && other.opened_ms <= self.ended_ms.unwrap_or(i64::MAX);
        // These have no members, or others each time.
        let is_by_scope =
            matches!(self.scope.kind, ScopeKind::Sink | ScopeKind::Replicas | ScopeKind::Expected);
        let is_same_scope = is_by_scope && self.scope == other.scope;
        let mut others = other.members.iter();
        overlaps && (is_same_scope || others.any(|member| self.members.contains(&member.agent)))
    }
}

/// Returns whether it is the list of a storm, which has no members of its own.
fn is_list(report: &IncidentReport) -> bool {
    report.incident.members.is_empty() && report.incident.scope.kind == ScopeKind::Fleet
}

/// Returns whether it is of a budget, which is not judged again.
fn is_of_budget(report: &IncidentReport) -> bool {
    report.incident.scope.kind == ScopeKind::Budget
}

/// Returns what history does not know of the range.
fn unknown(history: &AlertHistory) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(first_ms) = history.first_ms.filter(|first_ms| *first_ms > history.since_ms) {
        let first = heartline_operator::text::timestamp_s(first_ms);
        unknown.push(format!("history begins at {first}: what was before is not known"));
    }
    let (mut gaps, mut lost_ms, mut steps) = (0, 0_u64, 0);
    for event in history.events.iter().filter(|event| event.at_ms >= history.since_ms) {
        match &event.kind {
            EventKind::Gap { from_ms, to_ms, .. } => {
                gaps += 1;
                lost_ms += u64::try_from(to_ms.saturating_sub(*from_ms)).unwrap_or(0);
            }
            EventKind::ClockStep { .. } => steps += 1,
            _ => {}
        }
    }
    if gaps > 0 {
        let lost = heartline_vocabulary::text::span(lost_ms);
        let gaps = if gaps == 1 { "1 gap".to_owned() } else { format!("{gaps} gaps") };
        unknown.push(format!("what happened in {gaps}, of {lost} in all"));
    }
    if steps > 0 {
        unknown.push(format!("the clock was set {steps} times: times around that are not exact"));
    }
    let told = history.told.iter().flat_map(|told| &told.incidents);
    match told.filter(|it| is_of_budget(it)).count() {
        0 => {}
        1 => unknown.push("1 incident of a budget: budgets are not judged again".to_owned()),
        count => {
            unknown.push(format!("{count} incidents of budgets: these are not judged again"));
        }
    }
    if history.told.is_none() {
        unknown.push("an incident file has no notices: what was told then is not known".to_owned());
    }
    unknown
}
