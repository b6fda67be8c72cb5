//! Incidents and notices of the core as messages, with wall-clock times.

use heartline_fleet::{
    Incident as CoreIncident, IncidentFacts, MemberFacts, OutgoingNotice, Scope,
};
use heartline_operator::message::{
    Acknowledgement, Incident, IncidentMember, IncidentScope, MemberCounts, Notice,
};

use crate::clock::WallClockAnchor;

/// Returns a notice as it is stored and sent.
pub(crate) fn notice_message(notice: &OutgoingNotice, anchor: WallClockAnchor) -> Notice {
    Notice {
        id: notice.id,
        kind: notice.kind,
        at_ms: anchor.wall_ms(notice.at),
        incident: facts_message(&notice.incident, anchor),
        listed: notice.listed.iter().map(|facts| facts_message(facts, anchor)).collect(),
    }
}

/// Returns an incident with the members that are told of.
pub(crate) fn facts_message(facts: &IncidentFacts, anchor: WallClockAnchor) -> Incident {
    let counts = MemberCounts {
        total: facts.total,
        in_trouble: facts.incident.in_trouble,
        affected: facts.affected,
        of: facts.of,
    };
    let members = facts.members.iter().map(|member| member_message(member, anchor)).collect();
    Incident { members, ..incident_message(&facts.incident, counts, anchor) }
}

/// Returns an incident without its members.
pub(crate) fn incident_message(
    incident: &CoreIncident,
    counts: MemberCounts,
    anchor: WallClockAnchor,
) -> Incident {
    let Scope { kind, name } = &incident.scope;
    Incident {
        id: incident.id,
        scope: IncidentScope { kind: *kind, name: (**name).into() },
        severity: incident.severity,
        worst: incident.worst,
        opened_ms: anchor.wall_ms(incident.opened),
        ended_ms: incident.ended.map(|at| anchor.wall_ms(at)),
        cause_from_ms: anchor.wall_ms(incident.interval.from),
        cause_to_ms: anchor.wall_ms(incident.interval.to),
        counts,
        members: Vec::new(),
        acknowledged: incident
            .acknowledged
            .as_ref()
            .map(|ack| Acknowledgement { by: ack.by.to_string(), at_ms: anchor.wall_ms(ack.at) }),
        outages: incident.flapping.unwrap_or(0),
        merged_into: incident.merged_into,
        remark: incident.remark.as_deref().map(str::to_owned),
    }
}

fn member_message(member: &MemberFacts, anchor: WallClockAnchor) -> IncidentMember {
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    IncidentMember {
        agent: member.agent.to_string(),
        host: member.host.as_deref().map(str::to_owned),
        status: member.status,
        since_ms: anchor.wall_ms(member.since),
        lasted_ms: member.lasted.map(millis),
        cause: Some(member.cause.to_string()),
        step: member.step.as_deref().map(str::to_owned),
        last_beat_ms: member.last_live.map(|at| anchor.wall_ms(at)),
        interval_ms: member.interval_ms,
        in_flight: member.in_flight,
        oldest_task_ms: member.oldest_task_at.map(|at| anchor.wall_ms(at)),
        is_affected: member.is_affected,
    }
}
