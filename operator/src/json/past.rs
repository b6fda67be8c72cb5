//! `heartline status --at T --json`: the fleet as it was. What is not known of a moment is not in it.

use serde_json::{Value, json};

use super::SCHEMA;
use super::agent::{LabelMap, WorkDocument};
use crate::message::{PastAgent, PastFleet};
use crate::text::timestamp;

/// Returns the document of `status --at T --json`.
pub fn past(fleet: &PastFleet) -> Value {
    let gap = fleet.gap.map(|gap| {
        let (from, to) = (timestamp(gap.from_ms), timestamp(gap.to_ms));
        json!({ "from": from, "to": to, "cause": gap.cause })
    });
    json!({
        "schema": SCHEMA,
        "at": timestamp(fleet.at_ms),
        "gap": gap,
        "summary": fleet.summary(),
        "agents": fleet.agents.iter().map(|agent| agent_object(agent, fleet.at_ms)).collect::<Vec<_>>(),
    })
}

fn agent_object(past: &PastAgent, at_ms: i64) -> Value {
    let shared = &past.identity.shared;
    json!({
        "agent": past.agent,
        "host": shared.host,
        "pid": past.identity.pid,
        "group": shared.group,
        "labels": LabelMap(&shared.labels),
        "state": past.status.state,
        "reason": past.status.reason,
        "since": timestamp(past.since_ms),
        "starts": past.starts,
        "work": WorkDocument::new(&past.to_entry(), at_ms),
        "work_is_of_hour": past.is_work_of_hour,
        "version": shared.version,
        "framework": shared.framework,
    })
}
