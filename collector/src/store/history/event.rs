//! Events: which columns of the table each kind fills. `read/event.rs` is the other direction.
//!
//! | kind | columns |
//! |---|---|
//! | `transition` | from_state, from_reason, to_state, to_reason, lasted_ms, by, words: the cause |
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
use crate::store::column;

/// One row of the table.
#[derive(Default)]
struct Columns<'a> {
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
}

/// Writes the event that a row is, if it is one.
pub(super) fn write(
    tx: &Transaction<'_>,
    row: &HistoryDbRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<()> {
    let Some(event) = columns(row, anchor) else { return Ok(()) };
    let state = |status: Option<AgentStatus>| status.map(|status| status.state.name());
    let reason =
        |status: Option<AgentStatus>| status.and_then(|status| status.reason).map(Reason::name);
    tx.prepare_cached(
        "INSERT INTO events (at_ms, agent_id, kind, from_state, from_reason, to_state, to_reason, \
            lasted_ms, \"by\", words, action, generation, delivered_ms, obeyed_ms, session, \
            starts, from_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
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
        event.generation.map(column::count),
        event.delivered_ms.map(column::count),
        event.obeyed_ms.map(column::count),
        event.session.map(column::bits),
        event.starts,
        event.from_ms,
    ])?;
    Ok(())
}

fn columns(row: &HistoryDbRow, anchor: WallClockAnchor) -> Option<Columns<'_>> {
    let about = |kind, id: &AgentRowId, at| Columns {
        kind,
        at_ms: anchor.wall_ms(at),
        agent: Some(*id),
        ..Columns::default()
    };
    Some(match row {
        HistoryDbRow::Registered { id, at, .. } => about("registered", id, *at),
        HistoryDbRow::Forgotten { id, at, by } => {
            Columns { by: Some(by), ..about("forgotten", id, *at) }
        }
        HistoryDbRow::Session { id, session, at, starts } => {
            Columns { session: Some(*session), starts: Some(*starts), ..about("session", id, *at) }
        }
        HistoryDbRow::Transition(Transition { id, at, from, to, lasted, cause }) => Columns {
            from: Some(*from),
            to: Some(*to),
            lasted_ms: lasted.map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
            by: match cause {
                TransitionCause::Command { by, .. } => Some(by),
                _ => None,
            },
            words: Some(cause.to_string()),
            ..about("transition", id, *at)
        },
        HistoryDbRow::Commanded { id, at, action, generation, by, reason } => Columns {
            action: Some(*action),
            generation: Some(*generation),
            by: Some(by),
            words: Some(reason.to_string()),
            ..about(action.name(), id, *at)
        },
        HistoryDbRow::Obeyed { id, at, action, generation, delivered_ms, obeyed_ms } => Columns {
            action: Some(*action),
            generation: Some(*generation),
            delivered_ms: Some(*delivered_ms),
            obeyed_ms: Some(*obeyed_ms),
            ..about("obeyed", id, *at)
        },
        HistoryDbRow::Disobeyed { id, at, generation } => {
            Columns { generation: Some(*generation), ..about("disobeyed", id, *at) }
        }
        HistoryDbRow::Gap { from, to, cause } => Columns {
            kind: "gap",
            at_ms: anchor.wall_ms(*to),
            from_ms: Some(anchor.wall_ms(*from)),
            words: Some(cause.name().to_owned()),
            ..Columns::default()
        },
        HistoryDbRow::SessionEnded { .. }
        | HistoryDbRow::Work(_)
        | HistoryDbRow::LastBeat { .. } => {
            return None;
        }
    })
}
