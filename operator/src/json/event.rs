//! `heartline events --json`: one flat object a line.

use serde::Serialize;

use super::{At, SCHEMA};
use crate::figures::session_text;
use crate::message::{Event, EventKind};
use heartline_vocabulary::{Action, GapCause, Reason, State};

/// One line of events.
pub fn event(event: &Event) -> impl Serialize {
    EventLine { schema: SCHEMA, event: event_view(event) }
}

#[derive(Serialize)]
struct EventLine<'a> {
    schema: u8,
    #[serde(flatten)]
    event: EventView<'a>,
}

#[derive(Serialize)]
pub(super) struct EventView<'a> {
    at: At,
    agent: Option<&'a str>,
    kind: &'static str,
    #[serde(flatten)]
    fields: Fields<'a>,
    cursor: i64,
}

/// The fields of each kind, flat.
#[derive(Serialize)]
#[serde(untagged)]
enum Fields<'a> {
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
        from: At,
        to: At,
        cause: GapCause,
    },
    Forgotten {
        by: &'a str,
    },
    Registered {},
}

pub(super) fn event_view(event: &Event) -> EventView<'_> {
    EventView {
        at: At(event.at_ms),
        agent: event.agent.as_deref(),
        kind: event.kind.name(),
        fields: fields(&event.kind),
        cursor: event.cursor,
    }
}

fn fields(kind: &EventKind) -> Fields<'_> {
    match kind {
        EventKind::Transition { from, from_reason, to, reason, lasted_ms, by, cause } => {
            Fields::Transition {
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
            Fields::Command { generation: *generation, by, reason }
        }
        EventKind::Obeyed { action, generation, delivered_ms, obeyed_ms } => Fields::Obeyed {
            action: *action,
            generation: *generation,
            delivered_ms: *delivered_ms,
            obeyed_ms: *obeyed_ms,
        },
        EventKind::Disobeyed { generation } => Fields::Disobeyed { generation: *generation },
        EventKind::Session { session, starts } => {
            Fields::Session { session: session_text(*session), starts: *starts }
        }
        EventKind::Gap { from_ms, to_ms, cause } => {
            Fields::Gap { from: At(*from_ms), to: At(*to_ms), cause: *cause }
        }
        EventKind::Registered => Fields::Registered {},
        EventKind::Forgotten { by } => Fields::Forgotten { by },
    }
}
