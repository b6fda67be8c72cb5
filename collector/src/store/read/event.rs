//! Pages of events.

use heartline_operator::message::{EVENTS_MAX, Event, EventKind, EventOrder, EventQuery};
use heartline_vocabulary::{Action, GapCause, Reason, State};
use rusqlite::{Connection, Row, ToSql, params};

use super::{ReadError, StoreReader};
use crate::store::sql;

const COLUMNS: &str = "events.cursor, at_ms, agents.name, kind, from_state, from_reason, to_state, \
    to_reason, lasted_ms, \"by\", words, action, generation, delivered_ms, obeyed_ms, session, \
    events.starts, from_ms, last_lines";

impl StoreReader {
    /// Returns one page of events in the order in which they were stored, and where
    /// [`EventQuery::following`] goes on if there is another one.
    ///
    /// # Errors [`ReadError`]
    pub fn events(&mut self, query: &EventQuery) -> Result<(Vec<Event>, Option<i64>), ReadError> {
        self.history.read("events", |conn| read_page(conn, query))
    }
}

fn read_page(conn: &Connection, query: &EventQuery) -> rusqlite::Result<(Vec<Event>, Option<i64>)> {
    let limit = query.limit.clamp(1, EVENTS_MAX);
    let (first, last) = cursor_range(conn, query)?;
    let order = match query.order {
        EventOrder::OldestFirst => "ASC",
        EventOrder::NewestFirst => "DESC",
    };
    let of_agent = match &query.agent {
        Some(_) => "(agent_id IN (SELECT id FROM agents WHERE name = ?6) OR agent_id IS NULL)",
        None => "?6 IS NULL",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM events LEFT JOIN agents ON agents.id = agent_id \
         WHERE events.cursor BETWEEN ?1 AND ?2 AND at_ms >= ?3 AND at_ms < ?4 AND {of_agent} \
         ORDER BY events.cursor {order} LIMIT ?5"
    );
    let since_ms = query.since_ms.unwrap_or(i64::MIN);
    let until_ms = query.until_ms.unwrap_or(i64::MAX);
    // One row more than the limit shows that there is another page.
    let parameters: [&dyn ToSql; 6] =
        [&first, &last, &since_ms, &until_ms, &(limit + 1), &query.agent];
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(parameters, read_event)?;
    let mut events: Vec<Event> = rows.collect::<rusqlite::Result<_>>()?;
    let has_more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let next = events.last().map(|event| event.cursor).filter(|_| has_more);
    if query.order == EventOrder::NewestFirst {
        events.reverse();
    }
    Ok((events, next))
}

/// Returns the cursors of the first and the last event of a time range. Events are stored nearly in
/// the order of their times, so that few other events lie between them.
fn cursor_range(conn: &Connection, query: &EventQuery) -> rusqlite::Result<(i64, i64)> {
    let after = query.after.map_or(0, |after| after.saturating_add(1));
    let before = query.before.map_or(i64::MAX, |before| before.saturating_sub(1));
    let cursor = |sql, at_ms: i64| {
        conn.prepare_cached(sql)?.query_row(params![at_ms], |row| row.get::<_, Option<i64>>(0))
    };
    let first = match query.since_ms {
        Some(since_ms) => cursor("SELECT min(cursor) FROM events WHERE at_ms >= ?1", since_ms)?,
        None => Some(0),
    };
    let last = match query.until_ms {
        Some(until_ms) => cursor("SELECT max(cursor) FROM events WHERE at_ms < ?1", until_ms)?,
        None => Some(i64::MAX),
    };
    Ok((first.unwrap_or(i64::MAX).max(after), last.unwrap_or(i64::MIN).min(before)))
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event { cursor: row.get(0)?, at_ms: row.get(1)?, agent: row.get(2)?, kind: read_kind(row)? })
}

fn read_kind(row: &Row<'_>) -> rusqlite::Result<EventKind> {
    let count = |column| row.get(column).map(sql::from_count);
    Ok(match row.get_ref(3)?.as_str()? {
        "transition" => EventKind::Transition {
            from: sql::read_named(row, 4, State::from_name)?,
            from_reason: sql::read_named_or_null(row, 5, Reason::from_name)?,
            to: sql::read_named(row, 6, State::from_name)?,
            reason: sql::read_named_or_null(row, 7, Reason::from_name)?,
            lasted_ms: row.get::<_, Option<i64>>(8)?.map(sql::from_count),
            by: row.get(9)?,
            cause: row.get(10)?,
            last_lines: lines(row.get_ref(18)?.as_str_or_null()?),
        },
        "kill" | "resume" => EventKind::Command {
            action: sql::read_named(row, 11, Action::from_name)?,
            generation: count(12)?,
            by: row.get(9)?,
            reason: row.get(10)?,
        },
        "obeyed" => EventKind::Obeyed {
            action: sql::read_named(row, 11, Action::from_name)?,
            generation: count(12)?,
            delivered_ms: count(13)?,
            obeyed_ms: count(14)?,
        },
        "disobeyed" => EventKind::Disobeyed { generation: count(12)? },
        "session" => {
            EventKind::Session { session: sql::from_bits(row.get(15)?), starts: row.get(16)? }
        }
        "gap" => EventKind::Gap {
            from_ms: row.get(17)?,
            to_ms: row.get(1)?,
            cause: sql::read_named(row, 10, GapCause::from_name)?,
        },
        "registered" => EventKind::Registered,
        "forgotten" => EventKind::Forgotten { by: row.get(9)? },
        _ => return sql::read_named(row, 3, |_| None),
    })
}

/// Splits what `store/history/event.rs` has joined.
fn lines(joined: Option<&str>) -> Vec<String> {
    joined.into_iter().flat_map(|joined| joined.split('\n')).map(str::to_owned).collect()
}
