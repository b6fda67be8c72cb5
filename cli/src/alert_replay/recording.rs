//! The past as the engine of alerts takes it.

use heartline_config::{AlertFilter, AlertsConfig, WindowSection};
use heartline_fleet::MonoTime;
use heartline_fleet::{AlertInput, RecordedAgent, RecordedEvent, Silence as CoreSilence};
use heartline_operator::message::{Event, EventKind, Incident, PastAgent};
use heartline_vocabulary::{AgentStatus, ScopeKind};

use super::history::AlertHistory;
use super::moment;

/// A silence, or a window of maintenance once.
struct QuietSpan {
    filter: String,
    from_ms: i64,
    until_ms: i64,
}

/// Returns the agents as of the begin.
pub(super) fn agents(history: &AlertHistory) -> Vec<RecordedAgent> {
    let first = history.samples.first().map(|(_, agents)| agents.as_slice());
    first.unwrap_or_default().iter().map(|agent| recorded(history, agent)).collect()
}

/// Returns what happened, in the order in which it was noticed.
pub(super) fn events(
    history: &AlertHistory,
    config: &AlertsConfig,
) -> Vec<(MonoTime, RecordedEvent)> {
    let mut others = identities(history);
    others.extend(silences(history, config));
    others.extend(told(history));
    others.sort_by_key(|(at_ms, _)| *at_ms);
    let mut others = others.into_iter().peekable();
    let mut events = Vec::new();
    // The time of an event is that at which it became true, and may be before those that are stored before it.
    let mut noticed_ms = history.from_ms;
    for event in &history.events {
        noticed_ms = noticed_ms.max(event.at_ms);
        while let Some((at_ms, other)) = others.next_if(|(at_ms, _)| *at_ms < noticed_ms) {
            events.push((moment(at_ms), other));
        }
        events.extend(happened(history, event).map(|it| (moment(event.at_ms), it)));
    }
    events.extend(others.map(|(at_ms, other)| (moment(at_ms), other)));
    events
}

fn recorded(history: &AlertHistory, agent: &PastAgent) -> RecordedAgent {
    RecordedAgent {
        agent: agent.agent.as_str().into(),
        identity: Some(agent.identity.clone()),
        interval_ms: history.intervals_ms.get(&agent.agent).copied().unwrap_or(0),
        status: agent.status,
        since: moment(agent.since_ms),
    }
}

fn happened(history: &AlertHistory, event: &Event) -> Option<RecordedEvent> {
    if let EventKind::Gap { from_ms, cause, .. } = &event.kind {
        return Some(RecordedEvent::Gap { from: moment(*from_ms), cause: *cause });
    }
    let agent = event.agent.as_deref()?;
    match &event.kind {
        EventKind::Transition { from, from_reason, to, reason, cause, .. } => {
            Some(RecordedEvent::Transition {
                agent: agent.into(),
                from: AgentStatus { state: *from, reason: *from_reason },
                to: AgentStatus { state: *to, reason: *reason },
                cause: cause.as_deref().unwrap_or_default().into(),
            })
        }
        EventKind::Registered => {
            // As it was seen next, or, of one that came back, before.
            let is_later = |(at_ms, _): &&(i64, Vec<PastAgent>)| *at_ms >= event.at_ms;
            let later = history.samples.iter().filter(is_later);
            let before = history.samples.iter().rev().filter(|it| !is_later(it));
            let found = later.chain(before).flat_map(|(_, all)| all).find(|it| it.agent == agent);
            Some(RecordedEvent::Agent(Box::new(RecordedAgent {
                agent: agent.into(),
                identity: found.map(|it| it.identity.clone()),
                interval_ms: history.intervals_ms.get(agent).copied().unwrap_or(0),
                status: AgentStatus::UNKNOWN,
                since: moment(event.at_ms),
            })))
        }
        EventKind::Forgotten { .. } => Some(RecordedEvent::Forgotten { agent: agent.into() }),
        _ => None,
    }
}

/// Returns the agents that were others at a moment than at the one before.
fn identities(history: &AlertHistory) -> Vec<(i64, RecordedEvent)> {
    let later = history.samples.iter().skip(1);
    let changes = later.flat_map(|(at_ms, agents)| {
        let change = |agent| RecordedEvent::Agent(Box::new(recorded(history, agent)));
        agents.iter().map(move |agent| (*at_ms, change(agent)))
    });
    changes.collect()
}

/// Returns which silences and windows last, each time when one begins; their ends are part of that.
fn silences(history: &AlertHistory, config: &AlertsConfig) -> Vec<(i64, RecordedEvent)> {
    let mut spans: Vec<QuietSpan> = Vec::new();
    for window in &config.windows {
        spans.extend(spans_of(window, history.from_ms, history.until_ms));
    }
    let told = history.told.iter().flat_map(|told| &told.silences);
    spans.extend(told.map(|silence| QuietSpan {
        filter: silence.filter.clone(),
        from_ms: silence.from_ms,
        until_ms: silence.until_ms,
    }));
    let mut begins: Vec<i64> = spans.iter().map(|span| span.from_ms.max(history.from_ms)).collect();
    begins.sort_unstable();
    begins.dedup();
    let lasting = |at_ms: i64| {
        let spans = spans.iter().filter(|it| it.from_ms <= at_ms && at_ms < it.until_ms);
        let silences = spans.filter_map(|span| {
            let filter = AlertFilter::parse(&span.filter).ok()?.shared();
            Some(CoreSilence { filter, until: moment(span.until_ms) })
        });
        RecordedEvent::Alert(Box::new(AlertInput::Silences(silences.collect())))
    };
    begins.into_iter().map(|at_ms| (at_ms, lasting(at_ms))).collect()
}

fn spans_of(
    window: &WindowSection,
    from_ms: i64,
    until_ms: i64,
) -> impl Iterator<Item = QuietSpan> {
    let mut next_ms = from_ms;
    std::iter::from_fn(move || {
        let span = window.span_at(next_ms).filter(|span| span.from_ms < until_ms)?;
        next_ms = span.until_ms;
        let filter = window.filter.get_ref().clone();
        Some(QuietSpan { filter, from_ms: span.from_ms, until_ms: span.until_ms })
    })
}

/// Returns who took care of what, and which sinks took nothing, as it was.
fn told(history: &AlertHistory) -> Vec<(i64, RecordedEvent)> {
    let mut events = Vec::new();
    for report in history.told.iter().flat_map(|told| &told.incidents) {
        let incident = &report.incident;
        if let Some(ack) = &incident.acknowledged {
            let agents = incident.members.iter().map(|member| member.agent.as_str().into());
            let (agents, by) = (agents.collect(), ack.by.as_str().into());
            events.push((ack.at_ms, RecordedEvent::Acknowledged { agents, by }));
        }
        if incident.scope.kind == ScopeKind::Sink {
            events.extend(sink_health(incident));
        }
    }
    events
}

fn sink_health(incident: &Incident) -> impl Iterator<Item = (i64, RecordedEvent)> {
    let health = |why: Option<&str>| {
        let (sink, why) = (incident.scope.name.as_str().into(), why.map(Into::into));
        RecordedEvent::Alert(Box::new(AlertInput::SinkHealth { sink, why }))
    };
    let begin = (incident.opened_ms, health(Some(incident.remark.as_deref().unwrap_or_default())));
    let end = incident.ended_ms.map(|ended_ms| (ended_ms, health(None)));
    std::iter::once(begin).chain(end)
}
