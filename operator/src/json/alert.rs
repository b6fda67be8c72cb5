//! `heartline alerts --json`, `incidents --json` and `silence --json`.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::message::{
    AlertReport, DeliveryReport, IncidentMember, IncidentReport, NoticeReport, Shortage, Silence,
    SinkReport,
};
use crate::text::timestamp;

/// Returns the document of `alerts --json`.
pub fn alerts(report: &AlertReport) -> Value {
    json!({
        "schema": SCHEMA,
        "incidents": report.incidents.iter().map(incident).collect::<Vec<_>>(),
        "routes": report.routes,
        "sinks": report.sinks.iter().map(sink).collect::<Vec<_>>(),
        "silences": report.silences.iter().map(silence).collect::<Vec<_>>(),
    })
}

/// Returns one line of `incidents --json`.
pub fn incident(report: &IncidentReport) -> Value {
    let IncidentReport { incident, notices, .. } = report;
    json!({
        "schema": SCHEMA,
        "id": incident.id.to_string(),
        "scope": incident.scope.kind,
        "name": incident.scope.name,
        "severity": incident.severity,
        "worst": incident.worst.state,
        "reason": incident.worst.reason,
        "start": timestamp(incident.opened_ms),
        "end": incident.ended_ms.map(timestamp),
        "cause_from": timestamp(incident.cause_from_ms),
        "cause_to": timestamp(incident.cause_to_ms),
        "in_trouble": incident.counts.in_trouble,
        "affected": incident.counts.affected,
        "total": incident.counts.total,
        "members": incident.members.iter().map(member).collect::<Vec<_>>(),
        "outages": incident.outages,
        "acknowledged_by": incident.acknowledged.as_ref().map(|ack| &ack.by),
        "acknowledged_at": incident.acknowledged.as_ref().map(|ack| timestamp(ack.at_ms)),
        "merged_into": incident.merged_into.map(|id| id.to_string()),
        "shortage": incident.shortage.as_ref().map(shortage),
        "remark": incident.remark,
        "notices": notices.iter().map(notice).collect::<Vec<_>>(),
    })
}

/// Returns the document of `silence --json`.
pub fn silences(silences: &[Silence]) -> Value {
    json!({ "schema": SCHEMA, "silences": silences.iter().map(silence).collect::<Vec<_>>() })
}

fn shortage(shortage: &Shortage) -> Value {
    match shortage {
        Shortage::Replicas(it) => json!({
            "of": "replicas",
            "running": it.running,
            "expect": it.expect,
            "alert_below": it.alert_below,
            "lost": it.lost,
            "killed": it.killed,
            "stopped": it.stopped,
            "unknown": it.unknown,
        }),
        Shortage::NeverSeen(it) => json!({
            "of": "expected",
            "never_seen": it.agents,
            "waited_for_since": timestamp(it.since_ms),
        }),
    }
}

fn member(member: &IncidentMember) -> Value {
    json!({
        "agent": member.agent,
        "state": member.status.state,
        "reason": member.status.reason,
        "since": timestamp(member.since_ms),
        "lasted_ms": member.lasted_ms,
        "cause": member.cause,
        "step": member.step,
        "affected": member.is_affected,
    })
}

fn notice(notice: &NoticeReport) -> Value {
    json!({
        "number": notice.number,
        "kind": notice.kind,
        "at": timestamp(notice.at_ms),
        "deliveries": notice.deliveries.iter().map(delivery).collect::<Vec<_>>(),
    })
}

fn delivery(delivery: &DeliveryReport) -> Value {
    json!({
        "sink": delivery.sink,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "at": timestamp(delivery.at_ms),
        "answer": delivery.answer,
    })
}

pub(super) fn sink(sink: &SinkReport) -> Value {
    json!({
        "name": sink.name,
        "type": sink.kind,
        "broken": sink.broken,
        "pending": sink.pending,
        "delivered": sink.delivered,
        "lost": sink.lost,
        "last_delivery": sink.last_delivery_ms.map(timestamp),
        "last_failure": sink.last_failure,
    })
}

fn silence(silence: &Silence) -> Value {
    json!({
        "id": silence.id,
        "filter": silence.filter,
        "from": timestamp(silence.from_ms),
        "until": timestamp(silence.until_ms),
        "by": silence.by,
        "reason": silence.reason,
    })
}
