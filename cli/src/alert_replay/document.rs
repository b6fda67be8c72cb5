//! The document of `alerts replay --json`.

use heartline_operator::text::timestamp;
use heartline_vocabulary::Reason;
use serde::Serialize;

use super::outcome::{ReplayOutcome, ReplayedIncident, ReplayedNotice};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayDocument {
    schema: u8,
    since: String,
    until: String,
    incidents: Vec<IncidentDocument>,
    /// Of what somebody was told then, and nobody would be now.
    untold: Vec<String>,
    sinks: Vec<SinkDocument>,
    days: Vec<DayDocument>,
    unknown: Vec<String>,
}

#[derive(Debug, Serialize)]
struct IncidentDocument {
    number: u64,
    scope: &'static str,
    name: String,
    worst: &'static str,
    reason: Option<&'static str>,
    start: String,
    end: Option<String>,
    members: Vec<String>,
    routes: Vec<usize>,
    notices: Vec<NoticeDocument>,
    was: Vec<String>,
}

#[derive(Debug, Serialize)]
struct NoticeDocument {
    kind: &'static str,
    at: String,
    sinks: Vec<String>,
    listed: usize,
}

#[derive(Debug, Serialize)]
struct SinkDocument {
    sink: String,
    would: u32,
    was: Option<u32>,
    /// Of those that would be sent, the lists of storms.
    lists: u32,
}

#[derive(Debug, Serialize)]
struct DayDocument {
    day: String,
    would: u32,
    was: Option<u32>,
}

impl ReplayOutcome {
    /// Returns it as a document.
    pub(crate) fn document(&self) -> ReplayDocument {
        let was = |count: u32| self.is_compared.then_some(count);
        let sinks = self.sinks.iter().map(|(sink, total)| SinkDocument {
            sink: sink.clone(),
            would: total.would,
            was: was(total.was),
            lists: self.storms.get(sink).map_or(0, |storm| storm.lists),
        });
        let days = self.days.iter().map(|(day, total)| DayDocument {
            day: timestamp(day * DAY_MS)[..10].to_owned(),
            would: total.would,
            was: was(total.was),
        });
        ReplayDocument {
            schema: 1,
            since: timestamp(self.since_ms),
            until: timestamp(self.until_ms),
            incidents: self.incidents.iter().map(incident).collect(),
            untold: self.untold.iter().map(|it| it.incident.id.to_string()).collect(),
            sinks: sinks.collect(),
            days: days.collect(),
            unknown: self.unknown.clone(),
        }
    }
}

fn incident(replayed: &ReplayedIncident) -> IncidentDocument {
    IncidentDocument {
        number: replayed.number,
        scope: replayed.scope.kind.name(),
        name: replayed.scope.name.clone(),
        worst: replayed.worst.state.name(),
        reason: replayed.worst.reason.map(Reason::name),
        start: timestamp(replayed.opened_ms),
        end: replayed.ended_ms.map(timestamp),
        members: replayed.members.iter().cloned().collect(),
        routes: replayed.routes.iter().copied().collect(),
        notices: replayed.notices.iter().map(notice).collect(),
        was: replayed.was.iter().map(ToString::to_string).collect(),
    }
}

fn notice(replayed: &ReplayedNotice) -> NoticeDocument {
    NoticeDocument {
        kind: replayed.kind.name(),
        at: timestamp(replayed.at_ms),
        sinks: replayed.sinks.clone(),
        listed: replayed.listed,
    }
}
