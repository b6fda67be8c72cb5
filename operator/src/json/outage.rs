//! `heartline outages --json`: one flat object a line.

use serde_json::{Value, json};

use super::SCHEMA;
use super::agent::LabelMap;
use crate::message::{Outage, OutageNote};
use crate::text::timestamp;

/// Returns one line of `outages --json`, at the collector's time `now_ms`.
pub fn outage(outage: &Outage, now_ms: i64) -> Value {
    let shared = &outage.identity.shared;
    json!({
        "schema": SCHEMA,
        "id": outage.id,
        "agent": outage.agent,
        "start": timestamp(outage.start_ms),
        "end": outage.end_ms.map(timestamp),
        "lasted_ms": outage.lasted_ms(now_ms),
        "unobserved_ms": outage.unobserved_ms,
        "worst": outage.worst.state,
        "reason": outage.worst.reason,
        "cause": outage.cause,
        "step": outage.step,
        "missed_beats": outage.missed_beats,
        "acknowledged_by": outage.acknowledged_by(),
        "notes": outage.notes.iter().map(note_object).collect::<Vec<_>>(),
        "host": shared.host,
        "group": shared.group,
        "version": shared.version,
        "labels": LabelMap(&shared.labels),
    })
}

fn note_object(note: &OutageNote) -> Value {
    let at = timestamp(note.at_ms);
    json!({ "at": at, "by": note.by, "acknowledges": note.acknowledges, "text": note.words })
}
