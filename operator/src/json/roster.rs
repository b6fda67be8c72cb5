//! `heartline roster --json`.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::message::{GroupReport, MissingAgent, RosterReport};
use crate::text::timestamp;

/// Returns the document of `roster --json`, at the collector's time `now_ms`.
pub fn roster(report: &RosterReport, now_ms: i64) -> Value {
    json!({
        "schema": SCHEMA,
        "at": timestamp(now_ms),
        "groups": report.groups.iter().map(group).collect::<Vec<_>>(),
        "expected": report.expected,
        "missing": report.missing.iter().map(missing).collect::<Vec<_>>(),
        "has_more": report.has_more,
    })
}

fn group(group: &GroupReport) -> Value {
    json!({
        "group": group.group,
        "running": group.running,
        "expect": group.expect,
        "alert_below": group.alert_below,
        "incident": group.incident.map(|id| id.to_string()),
    })
}

fn missing(missing: &MissingAgent) -> Value {
    json!({
        "agent": missing.agent,
        "state": "unknown",
        "waited_for_since": timestamp(missing.since_ms),
        "incident": missing.incident.map(|id| id.to_string()),
    })
}
