//! Pages of outages.

use std::collections::{BTreeMap, BTreeSet};

use heartline_operator::message::{
    EventOrder, OUTAGES_MAX, Outage, OutageFigures, OutageNote, OutageQuery,
};
use heartline_vocabulary::AgentStatus;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::identity::IdentityReader;
use super::range::{PageRange, agent_ids};
use super::{ReadError, StoreReader, outage_as_of};
use crate::store::history::strip::{self, EndedOutage, StripEntry};
use crate::store::history::{
    AgentMoment, StatusCode, UnobservedTime, checkpoint, is_outage, missed_in_run,
};
use crate::store::sql;

const COLUMNS: &str = "outages.cursor, agent_id, agents.name, start_ms, end_ms, worst, \
    (SELECT text FROM texts WHERE id = cause), (SELECT text FROM texts WHERE id = step), missed, \
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
    let gaps = UnobservedTime::since(conn, earliest_ms)?;
    let mut identities = IdentityReader::default();
    let outages = rows.iter().map(|row| {
        let mut outage = row.finish(conn, &gaps, &mut identities, now_ms)?;
        if let Some(at_ms) = query.as_of_ms {
            outage_as_of::cut(conn, row.agent_id, &gaps, &mut outage, at_ms)?;
        }
        Ok(outage)
    });
    let mut outages: Vec<Outage> = outages.collect::<rusqlite::Result<_>>()?;
    if query.order == EventOrder::NewestFirst {
        outages.reverse();
    }
    Ok((outages, next))
}

/// Returns how many outages of an agent overlap a range, and how long those lasted that ended in it.
pub(super) fn figures(
    conn: &Connection,
    agent: &str,
    since_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<OutageFigures> {
    let (since_ms, until_ms) = (Some(since_ms), Some(until_ms));
    let query = OutageQuery { since_ms, until_ms, ..OutageQuery::default() };
    let mut figures = OutageFigures::default();
    for row in of_agent(conn, &query, agent, usize::MAX)? {
        figures.count += 1;
        figures.began += u64::from(Some(row.start_ms) >= since_ms);
        // What ended later was going on then.
        if let Some(end_ms) = row.end_ms.filter(|end_ms| Some(*end_ms) <= until_ms) {
            figures.ended += 1;
            figures.repair_ms += end_ms.saturating_sub(row.start_ms).max(0).cast_unsigned();
        }
    }
    Ok(figures)
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
        gaps: &UnobservedTime,
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
            unobserved_ms: gaps.within(self.start_ms, end_ms),
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
    let OutageQuery { since_ms, until_ms, as_of_ms, after, before, order, .. } = *query;
    // It has begun at that moment, which is included.
    let begun_ms = as_of_ms.map(|at_ms| at_ms.saturating_add(1));
    let until_ms = [until_ms, begun_ms].into_iter().flatten().min();
    PageRange { since_ms, until_ms, after, before, order }
}

/// Outages of one agent, from its strips; the table is asked only for those that have not ended in them.
fn of_agent(
    conn: &Connection,
    query: &OutageQuery,
    agent: &str,
    limit: usize,
) -> rusqlite::Result<Vec<OutageRow>> {
    let range = range_of(query);
    let ((after, before), (since_ms, until_ms)) = (range.bounds(), range.times_ms());
    // What was going on when the range began, or history did: its begin may have been removed.
    let begin_ms = query.since_ms.max(checkpoint::first_record_ms(conn)?);
    let first: Option<i64> =
        conn.prepare_cached("SELECT min(cursor) FROM events")?.query_row([], |row| row.get(0))?;
    let first = first.unwrap_or(0);
    let mut found = BTreeMap::new();
    for id in agent_ids(conn, agent)? {
        let mut outages = AgentOutages { agent, id, found: &mut found, open: None };
        if let Some(begin_ms) = begin_ms {
            let moment = AgentMoment::read(conn, id, begin_ms)?;
            outages.open = moment.outage.map(|cursor| OpenOutage { cursor, begun: None });
        }
        let entries = strip::entries(conn, id, &(since_ms..=until_ms))?;
        // A strip is kept for longer than its first events.
        entries.iter().filter(|entry| entry.cursor >= first).for_each(|it| outages.apply(it));
        outages.finish();
    }
    let overlaps = |row: &OutageRow| {
        row.start_ms < until_ms && row.end_ms.is_none_or(|end_ms| end_ms > since_ms)
    };
    let one = format!("SELECT {COLUMNS} FROM {TABLES} WHERE outages.cursor = ?1");
    let mut one = conn.prepare_cached(&one)?;
    let mut rows = Vec::new();
    let mut take = |(cursor, found): (i64, Option<FoundOutage>)| -> rusqlite::Result<bool> {
        let row = match found {
            Some(found) => Some(found.read_texts(conn)?),
            None => one.query_row([cursor], OutageRow::read).optional()?,
        };
        rows.extend(row.filter(overlaps));
        Ok(rows.len() >= limit)
    };
    let mut wanted = found.into_iter().filter(|(cursor, _)| (after..=before).contains(cursor));
    match query.order {
        EventOrder::OldestFirst => while !wanted.next().map_or(Ok(true), &mut take)? {},
        EventOrder::NewestFirst => while !wanted.next_back().map_or(Ok(true), &mut take)? {},
    }
    Ok(rows)
}

/// An outage that began and ended in strips; its texts are rows.
struct FoundOutage {
    row: OutageRow,
    ended: EndedOutage,
}

impl FoundOutage {
    fn read_texts(self, conn: &Connection) -> rusqlite::Result<OutageRow> {
        let mut statement = conn.prepare_cached("SELECT text FROM texts WHERE id = ?1")?;
        let mut text = |id: Option<i64>| -> rusqlite::Result<Option<String>> {
            let Some(id) = id else { return Ok(None) };
            statement.query_row([id], |row| row.get(0)).optional()
        };
        let EndedOutage { missed, cause, step } = self.ended;
        Ok(OutageRow { cause: text(cause)?, step: text(step)?, missed, ..self.row })
    }
}

/// Finds the outages of one agent in its events.
struct AgentOutages<'a> {
    agent: &'a str,
    id: i64,
    /// By cursor; `None` where only the table has all of it.
    found: &'a mut BTreeMap<i64, Option<FoundOutage>>,
    open: Option<OpenOutage>,
}

/// An outage that goes on.
struct OpenOutage {
    cursor: i64,
    /// Its start, and the worst until now; `None`: they are not in the strips.
    begun: Option<(i64, AgentStatus)>,
}

impl AgentOutages<'_> {
    fn apply(&mut self, entry: &StripEntry) {
        let status = entry.status.and_then(StatusCode::from_code).map(|code| code.0);
        match (&mut self.open, status) {
            (None, Some(status)) if is_outage(status) => {
                let begun = Some((entry.at_ms, status));
                self.open = Some(OpenOutage { cursor: entry.cursor, begun });
            }
            (Some(OpenOutage { begun: Some((_, worst)), .. }), Some(status))
                if status.state.severity() > worst.state.severity() && is_outage(status) =>
            {
                *worst = status;
            }
            _ => {}
        }
        let (Some(ended), Some(open)) = (entry.ended, self.open.take_if(|_| entry.ended.is_some()))
        else {
            return;
        };
        let found = open.begun.map(|(start_ms, worst)| FoundOutage {
            row: OutageRow {
                id: open.cursor,
                agent_id: self.id,
                agent: self.agent.to_owned(),
                start_ms,
                end_ms: Some(entry.at_ms.max(start_ms)),
                worst,
                cause: None,
                step: None,
                missed: 0,
                run: None,
            },
            ended,
        });
        self.found.insert(open.cursor, found);
    }

    /// Adds the outage that goes on at the end.
    fn finish(self) {
        if let Some(open) = self.open {
            self.found.insert(open.cursor, None);
        }
    }
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
