//! What the templates of a sink see of a delivery. Whatever agents say of themselves is cleaned here.

use heartline_config::{IncidentFacts, MemberFacts, NoticeFacts};
use heartline_operator::message::{Incident, IncidentMember};
use heartline_operator::text::notice::{Times, clean, duration, member_count, scope, trouble};
use heartline_vocabulary::{NoticeKind, Reason, ScopeKind};

use super::fit::{TextFormat, utf16, verbatim};
use super::message::Message;
use crate::{CollectorLabel, Delivery};

/// Most characters of the built-in body.
const BODY_MAX: usize = 15_000;

/// Returns the facts of a delivery; `None` of no notice.
pub(super) fn of(
    delivery: &Delivery<'_>,
    message: &Message,
    label: &CollectorLabel,
    sink: &str,
) -> Option<NoticeFacts> {
    let last = delivery.notices.last()?;
    let times = Times { now_ms: delivery.now_ms, zone: delivery.zone };
    let incident = &last.incident;
    let line = |label: &str| {
        let line = message.lines.iter().find(|it| it.label == label);
        line.map(|it| it.text.clone())
    };
    let body = TextFormat { limit: BODY_MAX, measure: utf16, escape: verbatim };
    let left_off = match last.kind {
        NoticeKind::Digest => 0,
        _ => member_count(incident).saturating_sub(incident.members.len()),
    };
    Some(NoticeFacts {
        title: message.title.clone(),
        body: body.body(message),
        kind: last.kind.name(),
        incident: facts_of(incident, times),
        agent: agent_of(incident),
        host: host_of(incident),
        group: group_of(incident),
        at: times.at(last.at_ms),
        at_ms: last.at_ms,
        why: line("Why"),
        last: line("Last"),
        reach: line("Scope"),
        remark: incident.remark.as_deref().map(clean),
        acknowledged_by: incident.acknowledged.as_ref().map(|it| clean(&it.by)),
        acknowledged_at: incident.acknowledged.as_ref().map(|it| times.at(it.at_ms)),
        affected: incident.counts.affected,
        outages: incident.outages,
        members: incident.members.iter().map(|it| member(it, times)).collect(),
        incidents: last.listed.iter().map(|it| facts_of(it, times)).collect(),
        left_off: u32::try_from(left_off).unwrap_or(u32::MAX),
        merged_into: incident.merged_into.map(|it| it.to_string()),
        see: line("See"),
        quiet: line("Quiet"),
        collector: clean(&label.host),
        sink: sink.to_owned(),
        late: delivery.notices.len() > 1,
        may_be_repeat: delivery.is_repeat,
        stored: delivery.is_stored,
    })
}

fn facts_of(incident: &Incident, times: Times<'_>) -> IncidentFacts {
    let end_ms = incident.ended_ms.unwrap_or(times.now_ms);
    let lasted_ms = end_ms.saturating_sub(incident.opened_ms).max(0);
    IncidentFacts {
        id: incident.id.to_string(),
        severity: incident.severity.name(),
        state: incident.worst.state.name(),
        reason: incident.worst.reason.map(Reason::name),
        scope: incident.scope.kind.name(),
        name: clean(&incident.scope.name),
        about: scope(incident),
        trouble: incident.ended_ms.is_none().then(|| trouble(incident)),
        since: times.at(incident.opened_ms),
        since_ms: incident.opened_ms,
        ended: incident.ended_ms.map(|it| times.at(it)),
        ended_ms: incident.ended_ms,
        lasted: duration(lasted_ms),
        lasted_ms,
        in_trouble: incident.counts.in_trouble,
        total: incident.counts.total,
        of: incident.counts.of,
    }
}

fn member(member: &IncidentMember, times: Times<'_>) -> MemberFacts {
    let lasted = |ms| duration(i64::try_from(ms).unwrap_or(i64::MAX));
    MemberFacts {
        agent: clean(&member.agent),
        host: member.host.as_deref().map(clean),
        state: member.status.state.name(),
        reason: member.status.reason.map(Reason::name),
        since: times.at(member.since_ms),
        since_ms: member.since_ms,
        lasted: member.lasted_ms.map(lasted),
        lasted_ms: member.lasted_ms,
        cause: member.cause.as_deref().map(clean),
        step: member.step.as_deref().map(clean),
        last_beat: member.last_beat_ms.map(|it| times.at(it)),
        last_beat_ms: member.last_beat_ms,
        interval_ms: member.interval_ms,
        in_flight: member.in_flight,
        affected: member.is_affected,
    }
}

/// Returns the agent of an incident of one.
fn agent_of(incident: &Incident) -> Option<String> {
    let is_of_agent = incident.scope.kind == ScopeKind::Agent;
    is_of_agent.then(|| clean(&incident.scope.name))
}

/// Returns the host, where all of it is on one.
fn host_of(incident: &Incident) -> Option<String> {
    match incident.scope.kind {
        ScopeKind::Host => Some(clean(&incident.scope.name)),
        ScopeKind::Agent | ScopeKind::Process => {
            incident.members.first().and_then(|it| it.host.as_deref()).map(clean)
        }
        ScopeKind::Dependency
        | ScopeKind::Group
        | ScopeKind::Fleet
        | ScopeKind::Collector
        | ScopeKind::Sink
        | ScopeKind::Budget
        | ScopeKind::Replicas
        | ScopeKind::Expected => None,
    }
}

/// Returns the group of an incident that is about one.
fn group_of(incident: &Incident) -> Option<String> {
    let is_of_group = matches!(incident.scope.kind, ScopeKind::Group | ScopeKind::Replicas);
    is_of_group.then(|| clean(&incident.scope.name))
}
