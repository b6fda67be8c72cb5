//! `heartline events --json`: one flat object a line.

use serde_json::{Value, json};

use super::{SCHEMA, joined};
use crate::figures::session_text;
use crate::message::{Event, EventKind};
use crate::text::timestamp;

/// Returns one line of `events --json`.
pub fn event(event: &Event) -> Value {
    joined([json!({ "schema": SCHEMA }), event_object(event)])
}

pub(super) fn event_object(event: &Event) -> Value {
    let (at, kind) = (timestamp(event.at_ms), event.kind.name());
    joined([
        json!({ "at": at, "agent": event.agent, "kind": kind }),
        kind_object(&event.kind),
        json!({ "cursor": event.cursor }),
    ])
}

fn kind_object(kind: &EventKind) -> Value {
    match kind {
        EventKind::Transition {
            from,
            from_reason,
            to,
            reason,
            lasted_ms,
            by,
            cause,
            last_lines,
        } => json!({
            "from": from,
            "to": to,
            "reason": reason,
            "lasted_ms": lasted_ms,
            "by": by,
            "from_reason": from_reason,
            "cause": cause,
            "last_lines": last_lines,
        }),
        EventKind::Command { generation, by, reason, .. } => {
            json!({ "generation": generation, "by": by, "reason": reason })
        }
        EventKind::Obeyed { action, generation, delivered_ms, obeyed_ms } => json!({
            "action": action,
            "generation": generation,
            "delivered_ms": delivered_ms,
            "obeyed_ms": obeyed_ms,
        }),
        EventKind::Disobeyed { generation } => json!({ "generation": generation }),
        EventKind::Session { session, starts } => {
            json!({ "session": session_text(*session), "starts": starts })
        }
        EventKind::Gap { from_ms, to_ms, cause } => {
            json!({ "from": timestamp(*from_ms), "to": timestamp(*to_ms), "cause": cause })
        }
        EventKind::ClockStep { by_ms } => json!({ "by_ms": by_ms }),
        EventKind::Budget { budget, percent, words } => {
            json!({ "budget": budget, "percent": percent, "cause": words })
        }
        EventKind::Registered => json!({}),
        EventKind::Forgotten { by } => json!({ "by": by }),
    }
}
