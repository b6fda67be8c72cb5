//! Incidents and notices of the core as messages, with wall-clock times.

use heartline_fleet::{
    GoneReplicas, Incident as CoreIncident, IncidentFacts, MemberFacts, OutgoingNotice, Scope,
    Shortage as CoreShortage,
};
use heartline_operator::message::{
    Acknowledgement, Incident, IncidentMember, IncidentScope, MemberCounts, NOTICE_MEMBERS_MAX,
    NeverSeen, Notice, ReplicaShortage, Shortage,
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
        in_trouble: facts.incident.extent(),
        affected: facts.affected,
        of: facts.of,
    };
    let members = facts.members.iter().map(|member| member_message(member, anchor)).collect();
    let mut incident = incident_message(&facts.incident, counts, anchor);
    if let Some(Shortage::Replicas(shortage)) = &mut incident.shortage {
        let GoneReplicas { lost, killed, stopped, unknown } = facts.gone;
        *shortage = ReplicaShortage { lost, killed, stopped, unknown, ..*shortage };
    }
    Incident { members, ..incident }
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
        shortage: incident.shortage.as_ref().map(|it| shortage_message(it, anchor)),
        remark: incident.remark.as_deref().map(str::to_owned),
    }
}

fn shortage_message(shortage: &CoreShortage, anchor: WallClockAnchor) -> Shortage {
    match shortage {
        CoreShortage::Replicas(it) => Shortage::Replicas(ReplicaShortage {
            running: it.running,
            expect: it.expect,
            alert_below: it.alert_below,
            ..ReplicaShortage::default()
        }),
        CoreShortage::NeverSeen(it) => {
            let agents = it.agents.iter().take(NOTICE_MEMBERS_MAX);
            let agents = agents.map(ToString::to_string).collect();
            Shortage::NeverSeen(NeverSeen { agents, since_ms: anchor.wall_ms(it.since) })
        }
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
