//! Pages of events.

use std::collections::BTreeSet;

use heartline_operator::message::{EVENTS_MAX, Event, EventKind, EventOrder, EventQuery};
use heartline_vocabulary::Action;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::range::{PageRange, agent_ids};
use super::{ReadError, StoreReader};
use crate::store::history::strip::{self, StripEntry};
use crate::store::history::{EventCode, GapCauseCode, StatusCode, UNWRITTEN_CAUSE};
use crate::store::sql;

const COLUMNS: &str = "events.cursor, at_ms, agents.name, kind, was, events.status, value, \
    (SELECT text FROM texts WHERE id = \"by\"), (SELECT text FROM texts WHERE id = words), \
    session, delivered_ms, obeyed_ms, last_lines";

const TABLES: &str = "events LEFT JOIN agents ON agents.id = agent_id \
    LEFT JOIN event_details ON event_details.cursor = events.cursor";

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
    let limit = query.limit.clamp(1, EVENTS_MAX) as usize;
    // One row more than the limit shows that there is another page.
    let mut events = match &query.agent {
        Some(agent) => of_agent(conn, query, agent, limit + 1)?,
        None => of_fleet(conn, query, limit + 1)?,
    };
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().map(|event| event.cursor).filter(|_| has_more);
    if query.order == EventOrder::NewestFirst {
        events.reverse();
    }
    Ok((events, next))
}

fn of_fleet(conn: &Connection, query: &EventQuery, limit: usize) -> rusqlite::Result<Vec<Event>> {
    let range = range_of(query);
    let (first, last) = range.cursors(conn)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE kind != 11 \
            AND events.cursor BETWEEN ?1 AND ?2 AND at_ms >= ?3 AND at_ms < ?4 \
         ORDER BY events.cursor {} LIMIT ?5",
        range.sql_order()
    );
    let (since_ms, until_ms) = range.times_ms();
    let parameters = params![first, last, since_ms, until_ms, limit as i64];
    conn.prepare_cached(&sql)?.query_map(parameters, read_event)?.collect()
}

/// The events of an agent, which its strips list, and those of the collector: gaps, and steps of its clock.
fn of_agent(
    conn: &Connection,
    query: &EventQuery,
    agent: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Event>> {
    let range = range_of(query);
    let (first, last) = range.cursors(conn)?;
    let (since_ms, until_ms) = range.times_ms();
    let is_wanted = |entry: &StripEntry| {
        entry.kind != EventCode::Identity
            && (first..=last).contains(&entry.cursor)
            && (since_ms..until_ms).contains(&entry.at_ms)
    };
    let mut cursors = BTreeSet::new();
    for id in agent_ids(conn, agent)? {
        let entries = match query.order {
            EventOrder::NewestFirst => strip::newest_entries(conn, id, limit, is_wanted)?,
            EventOrder::OldestFirst => strip::entries(conn, id, &(since_ms..=until_ms))?,
        };
        cursors.extend(entries.iter().filter(|entry| is_wanted(entry)).map(|entry| entry.cursor));
    }
    let of_collector = "SELECT cursor FROM gaps WHERE cursor BETWEEN ?1 AND ?2 AND to_ms >= ?3 AND to_ms < ?4 \
         UNION SELECT cursor FROM events INDEXED BY events_of_clock WHERE kind = 12 \
            AND cursor BETWEEN ?1 AND ?2 AND at_ms >= ?3 AND at_ms < ?4";
    let mut of_collector = conn.prepare_cached(of_collector)?;
    let parameters = params![first, last, since_ms, until_ms];
    for cursor in of_collector.query_map(parameters, |row| row.get(0))? {
        cursors.insert(cursor?);
    }
    let one = format!("SELECT {COLUMNS} FROM {TABLES} WHERE events.cursor = ?1");
    let mut one = conn.prepare_cached(&one)?;
    let mut read = |cursor: i64| one.query_row([cursor], read_event).optional().transpose();
    match query.order {
        EventOrder::OldestFirst => cursors.into_iter().filter_map(&mut read).take(limit).collect(),
        EventOrder::NewestFirst => {
            cursors.into_iter().rev().filter_map(&mut read).take(limit).collect()
        }
    }
}

fn range_of(query: &EventQuery) -> PageRange {
    let EventQuery { since_ms, until_ms, after, before, order, .. } = *query;
    PageRange { since_ms, until_ms, after, before, order }
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event { cursor: row.get(0)?, at_ms: row.get(1)?, agent: row.get(2)?, kind: read_kind(row)? })
}

fn read_kind(row: &Row<'_>) -> rusqlite::Result<EventKind> {
    let count =
        |column| row.get::<_, Option<i64>>(column).map(|it| sql::from_count(it.unwrap_or(0)));
    let text = |column| row.get::<_, Option<String>>(column);
    let command = |action| -> rusqlite::Result<EventKind> {
        let (by, reason) = (text(7)?.unwrap_or_default(), text(8)?.unwrap_or_default());
        Ok(EventKind::Command { action, generation: count(6)?, by, reason })
    };
    let obeyed = |action| -> rusqlite::Result<EventKind> {
        let (delivered_ms, obeyed_ms) = (count(10)?, count(11)?);
        Ok(EventKind::Obeyed { action, generation: count(6)?, delivered_ms, obeyed_ms })
    };
    Ok(match row.get(3)? {
        EventCode::Transition => {
            let (StatusCode(from), StatusCode(to)) = (row.get(4)?, row.get(5)?);
            EventKind::Transition {
                from: from.state,
                from_reason: from.reason,
                to: to.state,
                reason: to.reason,
                lasted_ms: row.get::<_, Option<i64>>(6)?.map(sql::from_count),
                by: text(7)?,
                cause: Some(text(8)?.unwrap_or_else(|| UNWRITTEN_CAUSE.to_string())),
                last_lines: lines(row.get_ref(12)?.as_str_or_null()?),
            }
        }
        EventCode::Kill => command(Action::Kill)?,
        EventCode::Resume => command(Action::Resume)?,
        EventCode::KillObeyed => obeyed(Action::Kill)?,
        EventCode::ResumeObeyed => obeyed(Action::Resume)?,
        EventCode::Disobeyed => EventKind::Disobeyed { generation: count(6)? },
        EventCode::Session => {
            let session = row.get::<_, Option<i64>>(9)?.map_or(0, sql::from_bits);
            EventKind::Session { session, starts: row.get(6)? }
        }
        EventCode::Gap => {
            let GapCauseCode(cause) = row.get(5)?;
            EventKind::Gap { from_ms: row.get(6)?, to_ms: row.get(1)?, cause }
        }
        EventCode::ClockStep => EventKind::ClockStep { by_ms: row.get(6)? },
        EventCode::Budget => EventKind::Budget {
            budget: text(7)?.unwrap_or_default(),
            percent: row.get(6)?,
            words: text(8)?.unwrap_or_default(),
        },
        EventCode::Registered => EventKind::Registered,
        EventCode::Forgotten => EventKind::Forgotten { by: text(7)?.unwrap_or_default() },
        // Not selected: an identity is a fact about its agent, and no event for operators.
        EventCode::Identity => return Err(rusqlite::Error::InvalidQuery),
    })
}

/// Splits what `store/history/event.rs` has joined.
fn lines(joined: Option<&str>) -> Vec<String> {
    joined.into_iter().flat_map(|joined| joined.split('\n')).map(str::to_owned).collect()
}
