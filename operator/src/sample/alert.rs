//! Samples of alerts: incidents, who was told, sinks, silences.

use heartline_vocabulary::{
    AgentStatus, DeliveryState, IncidentId, NoticeId, NoticeKind, Reason, ScopeKind, Severity,
};

use super::{HOUR, MINUTE, NOW_MS, SECOND};
use crate::message::{
    Acknowledgement, AlertReport, DeliveryReport, GroupReport, Incident, IncidentMember,
    IncidentReport, IncidentScope, MemberCounts, MissingAgent, Notice, NoticeReport, RosterReport,
    Silence, SinkReport,
};

/// `tp53gg`
const LOST_HOST: u64 = 1_795_747_264;

const SILENT: AgentStatus = AgentStatus::unreachable(Reason::Silent);

/// Returns a lost host that nobody has acknowledged, a stalled agent of which a pager that refuses its key was to be
/// told, an agent that flaps, and one that is over; three sinks; a silence and a window.
pub fn alert_report() -> AlertReport {
    AlertReport {
        incidents: vec![lost_host(), stalled_agent(), flapping_agent(), ended()],
        has_more: false,
        sinks: sinks(),
        routes: 2,
        silences: silences(),
    }
}

/// Returns a group with too few replicas and one with enough, and of ten agents that are expected one that never came
/// and one that has time yet.
pub fn roster() -> RosterReport {
    let group = |name: &str, running, expect, alert_below| GroupReport {
        group: name.to_owned(),
        running,
        expect,
        alert_below,
        incident: (running < alert_below).then_some(IncidentId(LOST_HOST + 1)),
    };
    let missing = |agent: &str, since_ms, id: Option<u64>| MissingAgent {
        agent: agent.to_owned(),
        since_ms,
        incident: id.map(|id| IncidentId(LOST_HOST + id)),
    };
    RosterReport {
        groups: vec![group("mail", 9, 12, 10), group("scraper", 3, 3, 2)],
        expected: 10,
        missing: vec![
            missing("mail.3", NOW_MS - HOUR, Some(2)),
            missing("scraper-9", NOW_MS - MINUTE, None),
        ],
        has_more: false,
    }
}

/// Returns the notice by which a lost host was told.
pub fn notice() -> Notice {
    let incident = lost_host().incident;
    let id = NoticeId { incident: incident.id, number: 1 };
    let at_ms = incident.opened_ms + 33 * SECOND;
    Notice { id, kind: NoticeKind::Opened, at_ms, incident, listed: Vec::new() }
}

fn incident(
    id: u64,
    (kind, name): (ScopeKind, &str),
    worst: AgentStatus,
    opened_ms: i64,
) -> Incident {
    Incident {
        id: IncidentId(id),
        scope: IncidentScope { kind, name: name.to_owned() },
        severity: Severity::of(worst),
        worst,
        opened_ms,
        ended_ms: None,
        cause_from_ms: opened_ms - 300 * SECOND,
        cause_to_ms: opened_ms - 267 * SECOND,
        counts: MemberCounts { total: 1, in_trouble: 1, affected: 0, of: 1 },
        members: Vec::new(),
        acknowledged: None,
        outages: 0,
        merged_into: None,
        shortage: None,
        remark: None,
    }
}

fn member(agent: &str, host: &str, status: AgentStatus, since_ms: i64) -> IncidentMember {
    IncidentMember {
        agent: agent.to_owned(),
        host: Some(host.to_owned()),
        status,
        since_ms,
        lasted_ms: None,
        cause: Some("10 beats missed (interval 30s)".to_owned()),
        step: Some("fetch".to_owned()),
        last_beat_ms: Some(since_ms - 300 * SECOND),
        interval_ms: 30_000,
        in_flight: 1,
        oldest_task_ms: Some(since_ms - 340 * SECOND),
        is_affected: false,
    }
}

fn notices(at_ms: i64, sinks: &[(&str, DeliveryState, &str)]) -> Vec<NoticeReport> {
    let delivery = |&(sink, state, answer): &(&str, DeliveryState, &str)| DeliveryReport {
        sink: sink.to_owned(),
        state,
        attempts: 1,
        at_ms: at_ms + SECOND,
        answer: answer.to_owned(),
    };
    let deliveries = sinks.iter().map(delivery).collect();
    vec![NoticeReport { number: 1, kind: NoticeKind::Opened, at_ms, deliveries }]
}

fn report(incident: Incident, notices: Vec<NoticeReport>) -> IncidentReport {
    IncidentReport { incident, notices, agents: Vec::new(), affected: Vec::new() }
}

fn lost_host() -> IncidentReport {
    let opened_ms = NOW_MS - 4 * MINUTE;
    let mut lost = incident(LOST_HOST, (ScopeKind::Host, "machine-3"), SILENT, opened_ms);
    lost.counts = MemberCounts { total: 5, in_trouble: 4, affected: 1, of: 5 };
    let names = ["order-processor", "mail.1", "mail.2"];
    let since = |n: i64| opened_ms + n * 9 * SECOND;
    lost.members =
        (0..).zip(names).map(|(n, it)| member(it, "machine-3", SILENT, since(n))).collect();
    let stalled = AgentStatus::degraded(Reason::Stalled);
    lost.members.push(IncidentMember {
        is_affected: true,
        cause: Some("no progress for 5m (step charge)".to_owned()),
        step: Some("charge".to_owned()),
        ..member("billing", "machine-1", stalled, since(5))
    });
    let sinks = [
        ("ops-chat", DeliveryState::Delivered, "200 ok"),
        ("ops-pager", DeliveryState::Attempted, "401 Unauthorized"),
    ];
    report(lost, notices(opened_ms + 33 * SECOND, &sinks))
}

fn stalled_agent() -> IncidentReport {
    let opened_ms = NOW_MS - 2 * HOUR;
    let stalled = AgentStatus::degraded(Reason::Stalled);
    let scope = (ScopeKind::Agent, "invoice-worker");
    let mut incident = incident(1_795_744_118, scope, stalled, opened_ms);
    incident.members = vec![IncidentMember {
        cause: Some("no progress for 5m (step lock stock)".to_owned()),
        step: Some("lock stock".to_owned()),
        last_beat_ms: Some(NOW_MS - 4 * SECOND),
        ..member("invoice-worker", "machine-2", stalled, opened_ms)
    }];
    incident.acknowledged =
        Some(Acknowledgement { by: "ann@bastion".to_owned(), at_ms: opened_ms + 11 * MINUTE });
    report(incident, notices(opened_ms, &[("ops-chat", DeliveryState::Delivered, "200 ok")]))
}

fn flapping_agent() -> IncidentReport {
    let opened_ms = NOW_MS - 40 * MINUTE;
    let scope = (ScopeKind::Agent, "scraper-7");
    let mut incident = incident(1_795_745_781, scope, SILENT, opened_ms);
    incident.members = vec![member("scraper-7", "machine-4", SILENT, opened_ms)];
    incident.outages = 4;
    let mut notices = notices(opened_ms, &[("ops-chat", DeliveryState::Delivered, "200 ok")]);
    notices[0].kind = NoticeKind::Flapping;
    report(incident, notices)
}

fn ended() -> IncidentReport {
    let opened_ms = NOW_MS - 7 * HOUR;
    let mut incident = incident(1_795_726_404, (ScopeKind::Agent, "mail.3"), SILENT, opened_ms);
    incident.ended_ms = Some(opened_ms + 14 * MINUTE);
    incident.counts.in_trouble = 0;
    let lasted_ms = Some(14 * MINUTE.unsigned_abs());
    incident.members =
        vec![IncidentMember { lasted_ms, ..member("mail.3", "machine-3", SILENT, opened_ms) }];
    report(incident, notices(opened_ms, &[("ops-chat", DeliveryState::Delivered, "200 ok")]))
}

fn sinks() -> Vec<SinkReport> {
    let sink = |name: &str, kind: &str| SinkReport {
        name: name.to_owned(),
        kind: kind.to_owned(),
        broken: None,
        pending: 0,
        delivered: 0,
        lost: 0,
        last_delivery_ms: None,
        last_failure: None,
    };
    let last_delivery_ms = Some(NOW_MS - 207 * SECOND);
    vec![
        SinkReport { delivered: 41, last_delivery_ms, ..sink("ops-chat", "slack") },
        SinkReport {
            broken: Some("401 Unauthorized: the key is refused".to_owned()),
            pending: 2,
            lost: 1,
            last_failure: Some("401 Unauthorized: the key is refused".to_owned()),
            ..sink("ops-pager", "pagerduty")
        },
        sink("lead-mail", "mail"),
    ]
}

fn silences() -> Vec<Silence> {
    vec![
        Silence {
            id: Some(3),
            filter: "group:canary".to_owned(),
            from_ms: NOW_MS - 20 * MINUTE,
            until_ms: NOW_MS + 40 * MINUTE,
            by: "ann@bastion".to_owned(),
            reason: "new model is tried".to_owned(),
        },
        Silence {
            id: None,
            filter: "host:machine-4".to_owned(),
            from_ms: NOW_MS + 5 * HOUR,
            until_ms: NOW_MS + 8 * HOUR,
            by: String::new(),
            reason: "image builds".to_owned(),
        },
    ]
}

/// Returns the number of the lost host's incident.
pub fn incident_id() -> IncidentId {
    IncidentId(LOST_HOST)
}
