//! Pages of outages.

use std::collections::BTreeSet;

use heartline_operator::message::{
    EventOrder, OUTAGES_MAX, Outage, OutageNote, OutageQuery, OutageTotals, PastGap,
};
use heartline_vocabulary::AgentStatus;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::identity::IdentityReader;
use super::range::{PageRange, agent_ids};
use super::{ReadError, StoreReader, gap};
use crate::store::history::{StatusCode, checkpoint, is_outage, missed_in_run, strip};
use crate::store::sql;

const COLUMNS: &str = "outages.cursor, agent_id, agents.name, start_ms, end_ms, worst, cause, step, missed, \
    run_from_ms, run_interval_ms";

const TABLES: &str = "outages LEFT JOIN agents ON agents.id = agent_id";

impl StoreReader {
    /// Returns one page of outages that overlap a range of time, oldest first, and where
    /// [`OutageQuery::following`] goes on if there is another one. Beats that go on being missed are
    /// counted until `now_ms`.
    ///
    /// # Errors [`ReadError`]
    pub fn outages(
        &mut self,
        query: &OutageQuery,
        now_ms: i64,
    ) -> Result<(Vec<Outage>, Option<i64>), ReadError> {
        self.history.read("outages", |conn| read_page(conn, query, now_ms))
    }
}

fn read_page(
    conn: &Connection,
    query: &OutageQuery,
    now_ms: i64,
) -> rusqlite::Result<(Vec<Outage>, Option<i64>)> {
    let limit = query.limit.clamp(1, OUTAGES_MAX) as usize;
    let rows = match &query.agent {
        Some(agent) => of_agent(conn, query, agent, limit + 1)?,
        None => of_fleet(conn, query, limit + 1)?,
    };
    let next = rows.get(limit).and(rows.get(limit - 1)).map(|last| last.id);
    let rows = &rows[..limit.min(rows.len())];
    let earliest_ms = rows.iter().map(|row| row.start_ms).min().unwrap_or(now_ms);
    let gaps = gap::since(conn, earliest_ms)?;
    let mut identities = IdentityReader::default();
    let outages = rows.iter().map(|row| row.finish(conn, &gaps, &mut identities, now_ms));
    let mut outages: Vec<Outage> = outages.collect::<rusqlite::Result<_>>()?;
    if query.order == EventOrder::NewestFirst {
        outages.reverse();
    }
    Ok((outages, next))
}

/// Returns how many outages of an agent overlap a range, and how long those lasted that ended in it.
pub(super) fn totals(
    conn: &Connection,
    agent: &str,
    since_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<OutageTotals> {
    let (since_ms, until_ms) = (Some(since_ms), Some(until_ms));
    let query = OutageQuery { since_ms, until_ms, ..OutageQuery::default() };
    let mut totals = OutageTotals::default();
    for row in of_agent(conn, &query, agent, usize::MAX)? {
        totals.count += 1;
        // What ended later was going on then.
        if let Some(end_ms) = row.end_ms.filter(|end_ms| Some(*end_ms) <= until_ms) {
            totals.ended += 1;
            totals.ended_ms += end_ms.saturating_sub(row.start_ms).max(0).cast_unsigned();
        }
    }
    Ok(totals)
}

/// A row of the table.
struct OutageRow {
    id: i64,
    agent_id: i64,
    agent: String,
    start_ms: i64,
    end_ms: Option<i64>,
    worst: AgentStatus,
    cause: Option<String>,
    step: Option<String>,
    missed: i64,
    run: Option<(i64, i64)>,
}

impl OutageRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let StatusCode(worst) = row.get(5)?;
        let run: (Option<i64>, Option<i64>) = (row.get(9)?, row.get(10)?);
        Ok(Self {
            id: row.get(0)?,
            agent_id: row.get(1)?,
            agent: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            start_ms: row.get(3)?,
            end_ms: row.get(4)?,
            worst,
            cause: row.get(6)?,
            step: row.get(7)?,
            missed: row.get(8)?,
            run: run.0.zip(run.1),
        })
    }

    fn finish(
        &self,
        conn: &Connection,
        gaps: &[PastGap],
        identities: &mut IdentityReader,
        now_ms: i64,
    ) -> rusqlite::Result<Outage> {
        let end_ms = self.end_ms.unwrap_or(now_ms).max(self.start_ms);
        Ok(Outage {
            id: self.id,
            agent: self.agent.clone(),
            identity: identities.at_cursor(conn, self.agent_id, self.id)?,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            unobserved_ms: gap::overlap_ms(gaps, self.start_ms, end_ms),
            worst: self.worst,
            cause: self.cause.clone(),
            step: self.step.clone(),
            missed_beats: sql::from_count(self.missed + missed_in_run(self.run, now_ms)),
            notes: notes(conn, self.id)?,
        })
    }
}

/// Returns the notes on an outage, oldest first.
fn notes(conn: &Connection, outage: i64) -> rusqlite::Result<Vec<OutageNote>> {
    let sql = "SELECT at_ms, \"by\", acknowledges, words FROM notes WHERE outage = ?1 ORDER BY id";
    let read = |row: &Row<'_>| {
        let (at_ms, by) = (row.get(0)?, row.get(1)?);
        Ok(OutageNote { at_ms, by, acknowledges: row.get(2)?, words: row.get(3)? })
    };
    conn.prepare_cached(sql)?.query_map([outage], read)?.collect()
}

fn range_of(query: &OutageQuery) -> PageRange {
    let OutageQuery { since_ms, until_ms, after, before, order, .. } = *query;
    PageRange { since_ms, until_ms, after, before, order }
}

/// Outages of one agent: its strips say where they are.
fn of_agent(
    conn: &Connection,
    query: &OutageQuery,
    agent: &str,
    limit: usize,
) -> rusqlite::Result<Vec<OutageRow>> {
    let range = range_of(query);
    let ((after, before), (since_ms, until_ms)) = (range.bounds(), range.times_ms());
    let ids = agent_ids(conn, agent)?;
    let mut cursors = BTreeSet::new();
    // What was going on when the range began, or history did: its begin may have been removed.
    if let Some(since_ms) = query.since_ms.max(checkpoint::first_record_ms(conn)?) {
        let fleet = checkpoint::fleet_at(conn, since_ms)?;
        cursors.extend(ids.iter().filter_map(|id| fleet.get(id)?.outage));
    }
    for id in ids {
        let mut is_out = false;
        for entry in strip::entries(conn, id, &(since_ms..=until_ms))? {
            let Some(status) = entry.status else { continue };
            let was_out = std::mem::replace(&mut is_out, is_outage_code(status));
            // The first one of the range may go on with an outage, and then has no row of its own.
            if is_out && !was_out {
                cursors.insert(entry.cursor);
            }
        }
    }
    let overlaps = |row: &OutageRow| {
        row.start_ms < until_ms && row.end_ms.is_none_or(|end_ms| end_ms > since_ms)
    };
    let one = format!("SELECT {COLUMNS} FROM {TABLES} WHERE outages.cursor = ?1");
    let mut one = conn.prepare_cached(&one)?;
    let mut rows = Vec::new();
    let mut take = |cursor: i64| -> rusqlite::Result<bool> {
        let row = one.query_row([cursor], OutageRow::read).optional()?;
        rows.extend(row.filter(overlaps));
        Ok(rows.len() >= limit)
    };
    let mut wanted = cursors.into_iter().filter(|cursor| (after..=before).contains(cursor));
    match query.order {
        EventOrder::OldestFirst => while !wanted.next().map_or(Ok(true), &mut take)? {},
        EventOrder::NewestFirst => while !wanted.next_back().map_or(Ok(true), &mut take)? {},
    }
    Ok(rows)
}

fn is_outage_code(status: i64) -> bool {
    StatusCode::from_code(status).is_some_and(|code| is_outage(code.0))
}

/// Outages of the fleet: those that begin in the range, which stand together, and those of the agents
/// that were out when it began.
fn of_fleet(
    conn: &Connection,
    query: &OutageQuery,
    limit: usize,
) -> rusqlite::Result<Vec<OutageRow>> {
    let range = range_of(query);
    let ((after, before), (since_ms, until_ms)) = (range.bounds(), range.times_ms());
    let (first, last) = range.cursors(conn)?;
    let begun_before = match query.since_ms {
        Some(since_ms) => open_at(conn, since_ms)?,
        None => BTreeSet::new(),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE outages.cursor BETWEEN ?1 AND ?2 \
            AND start_ms < ?3 AND (end_ms IS NULL OR end_ms > ?4) \
         ORDER BY outages.cursor {} LIMIT ?5",
        range.sql_order()
    );
    let parameters = params![first, last, until_ms, since_ms, limit as i64];
    let mut rows: Vec<OutageRow> = conn
        .prepare_cached(&sql)?
        .query_map(parameters, OutageRow::read)?
        .collect::<Result<_, _>>()?;
    let one = format!("SELECT {COLUMNS} FROM {TABLES} WHERE outages.cursor = ?1");
    let mut one = conn.prepare_cached(&one)?;
    let is_missing = |cursor: &&i64| **cursor >= after && **cursor <= before && **cursor < first;
    for cursor in begun_before.iter().filter(is_missing) {
        rows.extend(one.query_row([cursor], OutageRow::read).optional()?);
    }
    match query.order {
        EventOrder::OldestFirst => rows.sort_unstable_by_key(|row| row.id),
        EventOrder::NewestFirst => rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id)),
    }
    rows.truncate(limit);
    Ok(rows)
}

/// Returns the outages that were going on at a moment.
fn open_at(conn: &Connection, at_ms: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let fleet = checkpoint::fleet_at(conn, at_ms)?;
    Ok(fleet.values().filter_map(|agent| agent.outage).collect())
}
