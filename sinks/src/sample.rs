//! Notices for tests.

use heartline_operator::message::{
    Acknowledgement, Incident, IncidentMember, IncidentScope, MemberCounts, NeverSeen, Notice,
    ReplicaShortage, Shortage,
};
use heartline_vocabulary::{
    AgentStatus, IncidentId, NoticeId, NoticeKind, Reason, ScopeKind, Severity,
};

use crate::CollectorLabel;

/// 2026-11-27, 14:02:31 UTC: when the trouble of the samples begins.
pub const BEGIN_MS: i64 = 1_795_788_151_000;

/// Four minutes later.
pub const NOW_MS: i64 = BEGIN_MS + 240_000;

/// Returns a collector's label.
pub fn label() -> CollectorLabel {
    CollectorLabel {
        ssh: Some("ops@collector".to_owned()),
        key_prefix: "k3x9".to_owned(),
        host: "collector.example".to_owned(),
    }
}

/// Returns a notice of a single agent.
pub fn notice(kind: NoticeKind) -> Notice {
    notice_of(kind, ScopeKind::Agent)
}

/// Returns a notice of an incident of this scope.
pub fn notice_of(kind: NoticeKind, scope: ScopeKind) -> Notice {
    let mut incident = incident(scope);
    match kind {
        NoticeKind::Resolved => end(&mut incident),
        NoticeKind::Merged => incident.merged_into = Some(IncidentId(1_795_750_001)),
        NoticeKind::Flapping => {
            incident.outages = 3;
            incident.members.iter_mut().for_each(|it| it.status = AgentStatus::HEALTHY);
        }
        _ => {}
    }
    let number = match kind {
        NoticeKind::Opened => 1,
        NoticeKind::Resolved => 3,
        _ => 2,
    };
    let mut listed = Vec::new();
    if kind == NoticeKind::Digest {
        listed = vec![self::incident(ScopeKind::Host), self::incident(ScopeKind::Agent)];
        end(&mut listed[1]);
        listed[1].id = IncidentId(1_795_750_002);
    }
    let id = NoticeId { incident: incident.id, number };
    Notice { id, kind, at_ms: NOW_MS, incident, listed }
}

/// Returns an incident that goes on.
pub fn incident(scope: ScopeKind) -> Incident {
    let name = match scope {
        ScopeKind::Agent => "mail.7",
        ScopeKind::Process => "4007 on m3",
        ScopeKind::Host => "m3",
        ScopeKind::Dependency => "db.1",
        ScopeKind::Group => "prod",
        ScopeKind::Fleet | ScopeKind::Collector => "",
        ScopeKind::Sink => "ops-chat",
        ScopeKind::Budget => "mail-day of mail.7",
        ScopeKind::Replicas => "mail",
        ScopeKind::Expected => "mail.3",
    };
    let count = match scope {
        ScopeKind::Agent => 1,
        ScopeKind::Sink | ScopeKind::Budget | ScopeKind::Expected => 0,
        ScopeKind::Replicas => 2,
        _ => 5,
    };
    let members: Vec<_> = (0..count).map(|at| member(7 + at)).collect();
    let shortage = shortage(scope);
    let (total, in_trouble, of) = match shortage {
        None => (count, count, 12),
        Some(Shortage::Replicas(_)) => (12, 3, 12),
        Some(Shortage::NeverSeen(_)) => (1, 1, 1),
    };
    Incident {
        id: IncidentId(1_795_750_000),
        scope: IncidentScope { kind: scope, name: name.to_owned() },
        severity: Severity::Critical,
        worst: AgentStatus::unreachable(Reason::Silent),
        opened_ms: BEGIN_MS,
        ended_ms: None,
        cause_from_ms: BEGIN_MS - 300_000,
        cause_to_ms: BEGIN_MS - 270_000,
        counts: MemberCounts {
            total,
            in_trouble,
            affected: if scope == ScopeKind::Dependency { 4 } else { 0 },
            of,
        },
        members,
        acknowledged: None,
        outages: 0,
        merged_into: None,
        shortage,
        remark: match scope {
            ScopeKind::Sink => Some("HTTP 404: no_service".to_owned()),
            ScopeKind::Budget => Some(
                "$50.00 of $50.00 a day (100 %); step \"fetch\"; resumes at 2026-11-28 00:00 UTC"
                    .to_owned(),
            ),
            _ => None,
        },
    }
}

fn shortage(scope: ScopeKind) -> Option<Shortage> {
    match scope {
        ScopeKind::Replicas => Some(Shortage::Replicas(ReplicaShortage {
            running: 9,
            expect: 12,
            alert_below: 10,
            lost: 2,
            killed: 1,
            ..ReplicaShortage::default()
        })),
        ScopeKind::Expected => Some(Shortage::NeverSeen(NeverSeen {
            agents: vec!["mail.3".to_owned()],
            since_ms: BEGIN_MS - 300_000,
        })),
        _ => None,
    }
}

/// Returns who takes care.
pub fn acknowledgement() -> Acknowledgement {
    Acknowledgement { by: "ann@desk".to_owned(), at_ms: BEGIN_MS + 60_000 }
}

fn member(number: u32) -> IncidentMember {
    IncidentMember {
        agent: format!("mail.{number}"),
        host: Some("m3".to_owned()),
        status: AgentStatus::unreachable(Reason::Silent),
        since_ms: BEGIN_MS + i64::from(number - 7) * 1_000,
        lasted_ms: None,
        cause: Some("10 beats missed (interval 30s)".to_owned()),
        step: Some("fetch".to_owned()),
        last_beat_ms: Some(BEGIN_MS - 300_000),
        interval_ms: 30_000,
        in_flight: 1,
        oldest_task_ms: Some(NOW_MS - 340_000),
        is_affected: false,
    }
}

fn end(incident: &mut Incident) {
    incident.ended_ms = Some(NOW_MS);
    incident.counts.in_trouble = 0;
    match &mut incident.shortage {
        Some(Shortage::Replicas(it)) => {
            *it = ReplicaShortage { running: 11, lost: 0, ..*it };
            incident.counts.in_trouble = 1;
        }
        Some(Shortage::NeverSeen(it)) => it.agents.clear(),
        None => {}
    }
    for (member, lasted_ms) in incident.members.iter_mut().zip((1..).map(|it| it * 60_000)) {
        member.status = AgentStatus::HEALTHY;
        member.lasted_ms = Some(lasted_ms);
    }
    if incident.scope.kind == ScopeKind::Budget {
        let why = "less than its first level is used: a window has begun, or the limit was raised";
        incident.remark = Some(why.to_owned());
    }
}
