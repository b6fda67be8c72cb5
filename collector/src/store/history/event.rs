//! Events as rows of their table; `read/event.rs` reads them. Each kind sets some columns:
//!
//! | kind | columns |
//! |---|---|
//! | `transition` | from_state, from_reason, to_state, to_reason, lasted_ms, by, words: the cause, last_lines: of a crash, joined by line feeds |
//! | `kill`, `resume` | action, generation, by, words: the reason |
//! | `obeyed` | action, generation, delivered_ms, obeyed_ms |
//! | `disobeyed` | generation |
//! | `session` | session, starts |
//! | `gap` | from_ms; at_ms is its end; words: the name of its cause |
//! | `registered` | |
//! | `forgotten` | by |

use heartline_fleet::{HistoryDbRow, Transition, TransitionCause};
use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Reason};
use rusqlite::{Transaction, params};

use crate::clock::WallClockAnchor;
use crate::store::sql;

#[derive(Default)]
struct EventRow<'a> {
    kind: &'static str,
    at_ms: i64,
    agent: Option<AgentRowId>,
    from: Option<AgentStatus>,
    to: Option<AgentStatus>,
    lasted_ms: Option<i64>,
    by: Option<&'a str>,
    words: Option<String>,
    action: Option<Action>,
    generation: Option<u64>,
    delivered_ms: Option<u64>,
    obeyed_ms: Option<u64>,
    session: Option<u64>,
    starts: Option<u32>,
    from_ms: Option<i64>,
    last_lines: Option<String>,
}

/// Writes a row of the fleet as an event, if it is one.
pub(super) fn write(
    tx: &Transaction<'_>,
    row: &HistoryDbRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<()> {
    let Some(event) = event_row(row, anchor) else { return Ok(()) };
    let state = |status: Option<AgentStatus>| status.map(|status| status.state.name());
    let reason =
        |status: Option<AgentStatus>| status.and_then(|status| status.reason).map(Reason::name);
    tx.prepare_cached(
        "INSERT INTO events (at_ms, agent_id, kind, from_state, from_reason, to_state, to_reason, \
            lasted_ms, \"by\", words, action, generation, delivered_ms, obeyed_ms, session, \
            starts, from_ms, last_lines) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?
    .execute(params![
        event.at_ms,
        event.agent.map(|agent| agent.0),
        event.kind,
        state(event.from),
        reason(event.from),
        state(event.to),
        reason(event.to),
        event.lasted_ms,
        event.by,
        event.words,
        event.action.map(Action::name),
        event.generation.map(sql::to_count),
        event.delivered_ms.map(sql::to_count),
        event.obeyed_ms.map(sql::to_count),
        event.session.map(sql::to_bits),
        event.starts,
        event.from_ms,
        event.last_lines,
    ])?;
    Ok(())
}

fn event_row(row: &HistoryDbRow, anchor: WallClockAnchor) -> Option<EventRow<'_>> {
    let agent_event = |kind, id: &AgentRowId, at| EventRow {
        kind,
        at_ms: anchor.wall_ms(at),
        agent: Some(*id),
        ..EventRow::default()
    };
    Some(match row {
        HistoryDbRow::Registered { id, at, .. } => agent_event("registered", id, *at),
        HistoryDbRow::Forgotten { id, at, by } => {
            EventRow { by: Some(by), ..agent_event("forgotten", id, *at) }
        }
        HistoryDbRow::Session { id, session, at, starts } => EventRow {
            session: Some(*session),
            starts: Some(*starts),
            ..agent_event("session", id, *at)
        },
        HistoryDbRow::Transition(Transition { id, at, from, to, lasted, cause }) => EventRow {
            from: Some(*from),
            to: Some(*to),
            lasted_ms: lasted.map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
            by: match cause {
                TransitionCause::Command { by, .. } => Some(by),
                _ => None,
            },
            words: Some(cause.to_string()),
            // No line has a line feed: it is hostile.
            last_lines: Some(cause.last_lines().join("\n")).filter(|lines| !lines.is_empty()),
            ..agent_event("transition", id, *at)
        },
        HistoryDbRow::Commanded { id, at, action, generation, by, reason } => EventRow {
            action: Some(*action),
            generation: Some(*generation),
            by: Some(by),
            words: Some(reason.to_string()),
            ..agent_event(action.name(), id, *at)
        },
        HistoryDbRow::Obeyed { id, at, action, generation, delivered_ms, obeyed_ms } => EventRow {
            action: Some(*action),
            generation: Some(*generation),
            delivered_ms: Some(*delivered_ms),
            obeyed_ms: Some(*obeyed_ms),
            ..agent_event("obeyed", id, *at)
        },
        HistoryDbRow::Disobeyed { id, at, generation } => {
            EventRow { generation: Some(*generation), ..agent_event("disobeyed", id, *at) }
        }
        HistoryDbRow::Gap { from, to, cause } => EventRow {
            kind: "gap",
            at_ms: anchor.wall_ms(*to),
            from_ms: Some(anchor.wall_ms(*from)),
            words: Some(cause.name().to_owned()),
            ..EventRow::default()
        },
        HistoryDbRow::SessionEnded { .. }
        | HistoryDbRow::Work(_)
        | HistoryDbRow::LastBeat { .. } => return None,
    })
}
