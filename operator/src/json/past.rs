//! `heartline status --at T --json`: the fleet as it was. What is not known of a moment is not in it.

use serde_json::{Value, json};

use super::SCHEMA;
use super::agent::{LabelMap, WorkDocument};
use crate::message::{Event, Outage, PastAgent, PastFleet, PastWork};
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
        "agents": fleet.agents.iter().map(|agent| agent_object(agent, fleet)).collect::<Vec<_>>(),
    })
}

/// Returns the document of `agent NAME --at T --json`; `None` without an agent.
pub fn past_agent(fleet: &PastFleet, outage: Option<&Outage>, events: &[Event]) -> Option<Value> {
    let mut document = past(fleet);
    let fields = document.as_object_mut()?;
    fields.remove("summary");
    fields.remove("agents");
    fields.insert("agent".into(), agent_object(fleet.agents.first()?, fleet));
    // What it lasted is said as of then.
    fields.insert("outage".into(), outage.map(|it| super::outage(it, fleet.at_ms)).into());
    fields.insert("events".into(), events.iter().map(super::event).collect());
    Some(document)
}

fn agent_object(past: &PastAgent, fleet: &PastFleet) -> Value {
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
        "work": WorkDocument::new(&past.to_entry(), fleet.at_ms),
        "work_is_of_hour": fleet.work == PastWork::HourOf,
        "version": shared.version,
        "framework": shared.framework,
    })
}
