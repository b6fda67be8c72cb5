//! What the Alerts screen shows and selects: incidents, sinks and silences; and how each agent is marked by them.
//!
//! Alerts are asked for, as no update of the fleet has them:
//! 1. while the Alerts screen is shown, every two seconds, with the incidents of the last day that are over;
//! 2. elsewhere when the collector counts other incidents than before, every five seconds while one goes on or somebody is
//!    silenced, and every minute.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use heartline_operator::Filter;
use heartline_operator::message::{
    AgentEntry, AlertQuery, AlertReport, AlertSummary, Incident, IncidentReport, Silence,
};
use heartline_vocabulary::{AgentRowId, IncidentId};

use super::AppState;
use crate::clock::MonoTime;

/// How often alerts are asked for on their screen, while there are some, and while there are none.
const SHOWN_MS: u64 = 2_000;
const OPEN_MS: u64 = 5_000;
const CALM_MS: u64 = 60_000;
/// The least time between two questions.
const LEAST_MS: u64 = 1_000;
/// How long incidents that are over are listed.
const LISTED_MS: i64 = 24 * 60 * 60 * 1_000;
/// The most agents between one that is affected and what it needs in the end.
const CHAIN_MAX: usize = 16;

/// The Alerts screen. Incidents are selected by their id.
#[derive(Debug, Default)]
pub(crate) struct AlertScreen {
    /// With the incidents that go on first, then those that are over, each the newest first.
    pub report: AlertReport,
    /// A report has come since the connection.
    pub is_known: bool,
    /// Why the newest report did not come.
    pub failure: Option<String>,
    pub selected: Option<IncidentId>,
    /// Row of the selected incident.
    pub at: usize,
    /// First row on the screen.
    pub offset: usize,
    /// The incident that is shown whole.
    pub opened: Option<OpenedIncident>,
    members: BTreeMap<AgentRowId, Membership>,
    /// The filters of the silences of the report; `None` of one that can't be read.
    silenced: Vec<Option<Filter>>,
    is_asked: bool,
    asked_at: Option<MonoTime>,
    /// What the collector counted when it was asked.
    asked_of: AlertSummary,
}

/// An incident that is shown whole, and the line that the keys are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenedIncident {
    pub id: IncidentId,
    /// `None` until a key has moved it: the first member.
    pub at: Option<usize>,
    pub offset: usize,
}

/// The part of an agent in an incident that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub incident: IncidentId,
    pub is_affected: bool,
}

/// How an agent is marked on the Fleet screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertMark {
    /// It is in an incident that nobody has acknowledged.
    Open,
    /// Somebody takes care of the incident that it is in.
    Acknowledged,
    /// Nobody is told of it.
    Silenced,
}

impl AlertScreen {
    /// Returns the question to ask now, if one is due, and notes that it is asked.
    pub(crate) fn next_question(
        &mut self,
        is_shown: bool,
        counted: AlertSummary,
        now_ms: i64,
        now: MonoTime,
    ) -> Option<AlertQuery> {
        let is_busy = counted.open > 0 || !self.report.silences.is_empty();
        let every_ms = match (is_shown, is_busy) {
            _ if counted != self.asked_of => LEAST_MS,
            (true, _) => SHOWN_MS,
            (false, true) => OPEN_MS,
            (false, false) => CALM_MS,
        };
        let is_due = self.asked_at.is_none_or(|at| now.since(at) >= every_ms);
        if self.is_asked || !is_due {
            return None;
        }
        self.is_asked = true;
        self.asked_at = Some(now);
        self.asked_of = counted;
        Some(match is_shown {
            true => AlertQuery::Since(now_ms.saturating_sub(LISTED_MS)),
            false => AlertQuery::Open,
        })
    }

    /// Has alerts asked for at once.
    pub(crate) fn ask_again(&mut self) {
        (self.is_asked, self.asked_at) = (false, None);
    }

    /// Forgets which agents are marked: on another connection row ids may stand for others.
    pub(crate) fn begin(&mut self) {
        self.members.clear();
        self.is_known = false;
        self.ask_again();
    }

    /// Takes the answer to a question.
    pub(crate) fn receive(&mut self, query: AlertQuery, result: Result<AlertReport, String>) {
        self.is_asked = false;
        let mut report = match result {
            Ok(report) => report,
            Err(why) => {
                self.failure = Some(why);
                return;
            }
        };
        self.failure = None;
        self.is_known = true;
        if query == AlertQuery::Open {
            let ended = std::mem::take(&mut self.report.incidents).into_iter();
            report.incidents.extend(ended.filter(|it| it.incident.ended_ms.is_some()));
        }
        report
            .incidents
            .sort_by_key(|it| (it.incident.ended_ms.is_some(), Reverse(it.incident.id)));
        self.members = members(&report.incidents);
        let filters = report.silences.iter().map(|silence| Filter::parse(&silence.filter).ok());
        self.silenced = filters.collect();
        self.report = report;
        self.find_selection();
    }

    /// Returns an incident by its id.
    pub(crate) fn incident(&self, id: IncidentId) -> Option<&IncidentReport> {
        self.report.incidents.iter().find(|report| report.incident.id == id)
    }

    /// Returns the incident that is shown whole, or else the selected one.
    pub(crate) fn current(&self) -> Option<&IncidentReport> {
        self.incident(self.opened.map(|opened| opened.id).or(self.selected)?)
    }

    /// Returns whether an incident goes on that nobody has acknowledged.
    pub(crate) fn has_unacknowledged(&self) -> bool {
        let mut all = self.report.incidents.iter().map(|report| &report.incident);
        all.any(|incident| incident.ended_ms.is_none() && incident.acknowledged.is_none())
    }

    /// Returns the part that an agent has in an incident that goes on.
    pub(crate) fn membership(&self, id: AgentRowId) -> Option<Membership> {
        self.members.get(&id).copied()
    }

    /// Returns the silence that lasts and has an agent in it; of several that which ends first.
    fn silence_of(&self, entry: &AgentEntry, now_ms: i64) -> Option<&Silence> {
        let has = |(silence, filter): &(&Silence, &Option<Filter>)| {
            let lasts = silence.from_ms <= now_ms && now_ms < silence.until_ms;
            lasts && filter.as_ref().is_some_and(|it| it.is_empty() || it.matches(entry, now_ms))
        };
        let mut all = self.report.silences.iter().zip(&self.silenced);
        all.find(has).map(|(silence, _)| silence)
    }

    /// Selects a row, at most the last one.
    pub(crate) fn select_row(&mut self, at: usize) {
        self.at = at.min(self.report.incidents.len().saturating_sub(1));
        self.selected = self.report.incidents.get(self.at).map(|report| report.incident.id);
    }

    /// Scrolls until the selection is among `height` rows.
    pub(crate) fn scroll_to_selection(&mut self, height: usize) {
        let rows = self.report.incidents.len();
        self.offset = scrolled(self.offset, self.at, rows, height);
    }

    /// The selection follows its incident; without one it is the first row.
    fn find_selection(&mut self) {
        let is_selected = |it: &IncidentReport| Some(it.incident.id) == self.selected;
        let found = self.report.incidents.iter().position(is_selected);
        self.select_row(found.unwrap_or(self.at));
        if self.opened.is_some_and(|opened| self.incident(opened.id).is_none()) {
            self.opened = None;
        }
    }
}

/// Returns the first of `height` rows so that row `at` is among them.
pub(crate) fn scrolled(offset: usize, at: usize, rows: usize, height: usize) -> usize {
    let height = height.max(1);
    let offset = offset.min(rows.saturating_sub(height)).min(at);
    if at >= offset + height { at + 1 - height } else { offset }
}

fn members(incidents: &[IncidentReport]) -> BTreeMap<AgentRowId, Membership> {
    let mut all = BTreeMap::new();
    for report in incidents.iter().filter(|report| report.incident.ended_ms.is_none()) {
        let incident = report.incident.id;
        let own = Membership { incident, is_affected: false };
        all.extend(report.agents.iter().map(|id| (*id, own)));
        let affected = Membership { is_affected: true, ..own };
        all.extend(report.affected.iter().map(|id| (*id, affected)));
    }
    all
}

impl AppState {
    /// Returns the incident that goes on with an agent in it, and its part; in the past none is known.
    pub(crate) fn incident_of(&self, entry: &AgentEntry) -> Option<(&Incident, Membership)> {
        if self.travel.is_past() {
            return None;
        }
        let membership = self.alerts.membership(entry.id)?;
        Some((&self.alerts.incident(membership.incident)?.incident, membership))
    }

    /// Returns the silence or window by which nobody is told of an agent; in the past none is known.
    pub(crate) fn silence_of(&self, entry: &AgentEntry) -> Option<&Silence> {
        if self.travel.is_past() {
            return None;
        }
        self.alerts.silence_of(entry, self.now_ms())
    }

    /// Returns how an agent is marked. That nobody is told of it comes before that somebody was.
    pub(crate) fn alert_mark(&self, entry: &AgentEntry) -> Option<AlertMark> {
        if self.silence_of(entry).is_some() {
            return Some(AlertMark::Silenced);
        }
        let (incident, _) = self.incident_of(entry)?;
        Some(match incident.acknowledged {
            None => AlertMark::Open,
            Some(_) => AlertMark::Acknowledged,
        })
    }

    /// Returns the agents through which an affected one depends on what is in trouble, the nearest first: the last
    /// one is no affected member of the incident. Empty where that can't be told.
    pub(crate) fn dependency_chain(&self, entry: &AgentEntry) -> Vec<&AgentEntry> {
        let Some((incident, Membership { is_affected: true, .. })) = self.incident_of(entry) else {
            return Vec::new();
        };
        let part_of = |agent: &AgentEntry| {
            self.alerts.membership(agent.id).filter(|it| it.incident == incident.id)
        };
        let mut chain: Vec<&AgentEntry> = Vec::new();
        let mut current = entry;
        while chain.len() < CHAIN_MAX {
            let needed = current.identity.shared.depends.iter();
            let mut needed = needed.filter_map(|name| self.live.agent(name)).filter(|agent| {
                let is_known = chain.iter().any(|known| known.id == agent.id);
                part_of(agent).is_some() && agent.id != entry.id && !is_known
            });
            // Among several, what is in trouble by itself explains it.
            let first = needed.clone().find(|it| part_of(it).is_some_and(|part| !part.is_affected));
            let Some(next) = first.or_else(|| needed.next()) else { break };
            chain.push(next);
            if part_of(next).is_some_and(|part| !part.is_affected) {
                break;
            }
            current = next;
        }
        chain
    }
}
