//! `heartline events --json`: one flat object a line.

use serde::Serialize;

use super::{SCHEMA, Timestamp};
use crate::figures::session_text;
use crate::message::{Event, EventKind};
use heartline_vocabulary::{Action, GapCause, Reason, State};

/// Returns one line of `events --json`.
pub fn event(event: &Event) -> impl Serialize {
    EventLineJson { schema: SCHEMA, event: event_json(event) }
}

#[derive(Serialize)]
struct EventLineJson<'a> {
    schema: u8,
    #[serde(flatten)]
    event: EventJson<'a>,
}

#[derive(Serialize)]
pub(super) struct EventJson<'a> {
    at: Timestamp,
    agent: Option<&'a str>,
    kind: &'static str,
    #[serde(flatten)]
    fields: EventFieldsJson<'a>,
    cursor: i64,
}

/// The fields of each kind, flat.
#[derive(Serialize)]
#[serde(untagged)]
enum EventFieldsJson<'a> {
    Transition {
        from: State,
        to: State,
        reason: Option<Reason>,
        lasted_ms: Option<u64>,
        by: Option<&'a str>,
        from_reason: Option<Reason>,
        cause: Option<&'a str>,
    },
    Command {
        generation: u64,
        by: &'a str,
        reason: &'a str,
    },
    Obeyed {
        action: Action,
        generation: u64,
        delivered_ms: u64,
        obeyed_ms: u64,
    },
    Disobeyed {
        generation: u64,
    },
    Session {
        session: String,
        starts: u32,
    },
    Gap {
        from: Timestamp,
        to: Timestamp,
        cause: GapCause,
    },
    Forgotten {
        by: &'a str,
    },
    Registered {},
}

pub(super) fn event_json(event: &Event) -> EventJson<'_> {
    EventJson {
        at: Timestamp(event.at_ms),
        agent: event.agent.as_deref(),
        kind: event.kind.name(),
        fields: fields(&event.kind),
        cursor: event.cursor,
    }
}

fn fields(kind: &EventKind) -> EventFieldsJson<'_> {
    match kind {
        EventKind::Transition { from, from_reason, to, reason, lasted_ms, by, cause } => {
            EventFieldsJson::Transition {
                from: *from,
                to: *to,
                reason: *reason,
                lasted_ms: *lasted_ms,
                by: by.as_deref(),
                from_reason: *from_reason,
                cause: cause.as_deref(),
            }
        }
        EventKind::Command { generation, by, reason, .. } => {
            EventFieldsJson::Command { generation: *generation, by, reason }
        }
        EventKind::Obeyed { action, generation, delivered_ms, obeyed_ms } => {
            EventFieldsJson::Obeyed {
                action: *action,
                generation: *generation,
                delivered_ms: *delivered_ms,
                obeyed_ms: *obeyed_ms,
            }
        }
        EventKind::Disobeyed { generation } => {
            EventFieldsJson::Disobeyed { generation: *generation }
        }
        EventKind::Session { session, starts } => {
            EventFieldsJson::Session { session: session_text(*session), starts: *starts }
        }
        EventKind::Gap { from_ms, to_ms, cause } => {
            EventFieldsJson::Gap { from: Timestamp(*from_ms), to: Timestamp(*to_ms), cause: *cause }
        }
        EventKind::Registered => EventFieldsJson::Registered {},
        EventKind::Forgotten { by } => EventFieldsJson::Forgotten { by },
    }
}
