//! Outages, derived from events: an outage begins when an agent becomes degraded or unreachable, and
//! ends when it is healthy again, killed, stopped, or forgotten. A time that was not observed does not
//! end it. Its number is the cursor of the event that began it.

use heartline_vocabulary::AgentStatus;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::checkpoint;
use super::code::{self, EventCode, StatusCode};
use super::event::{self, DetailTexts, EventRow, EventWriter};
use super::strip::EndedOutage;
use crate::store::meta;
use crate::store::sql::execute;

/// Version of what is derived from events, and of the numbers that stand for names; what is of another one
/// is derived anew when a database is opened.
const VERSION: i64 = 3;
/// Key of the table `meta`.
const DERIVED: &str = "outages_version";

/// An outage that has not ended.
#[derive(Clone, Copy, Debug)]
struct OpenOutage {
    cursor: i64,
    start_ms: i64,
    worst: AgentStatus,
    /// Beats that were missed in runs of them that have ended.
    missed: i64,
    /// The run that goes on: when its first beat was due, and the time between two.
    run: Option<(i64, i64)>,
    /// Cause and step.
    texts: (Option<i64>, Option<i64>),
}

/// Derives outages from the events of a transaction, which can be those of a whole fleet.
pub(super) struct OutageWriter<'a> {
    begin_if_none: CachedStatement<'a>,
    find_open: CachedStatement<'a>,
    go_on: CachedStatement<'a>,
    end: CachedStatement<'a>,
}

impl<'a> OutageWriter<'a> {
    pub(super) fn new(conn: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin_if_none: conn.prepare_cached(
                "INSERT INTO outages (cursor, agent_id, start_ms, worst, cause, step, run_from_ms, \
                    run_interval_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
                 WHERE NOT EXISTS (SELECT 1 FROM outages WHERE agent_id = ?2 AND end_ms IS NULL)",
            )?,
            find_open: conn.prepare_cached(
                "SELECT cursor, start_ms, worst, missed, run_from_ms, run_interval_ms, cause, step \
                 FROM outages WHERE agent_id = ?1 AND end_ms IS NULL",
            )?,
            go_on: conn.prepare_cached(
                "UPDATE outages SET missed = ?2, run_from_ms = ?3, run_interval_ms = ?4, \
                    worst = iif(?5, ?6, worst), cause = iif(?5, ?7, cause) WHERE cursor = ?1",
            )?,
            end: conn.prepare_cached(
                "UPDATE outages SET end_ms = ?2, missed = ?3, run_from_ms = NULL, \
                    run_interval_ms = NULL WHERE cursor = ?1",
            )?,
        })
    }

    /// Derives what follows from an event that was appended; returns the outage that it ended.
    pub(super) fn apply(
        &mut self,
        cursor: i64,
        event: &EventRow,
        texts: &DetailTexts,
    ) -> rusqlite::Result<Option<EndedOutage>> {
        let Some(agent) = event.agent else { return Ok(None) };
        match event.to_status().filter(|status| is_outage(*status)) {
            Some(status) => {
                if !self.begin_if_none((cursor, agent), event, texts, status)?
                    && let Some(outage) = self.find_open(agent)?
                {
                    self.go_on(&outage, event, texts, status)?;
                }
                Ok(None)
            }
            None if is_end(event) => match self.find_open(agent)? {
                Some(outage) => self.end(&outage, event.at_ms).map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    fn find_open(&mut self, agent: i64) -> rusqlite::Result<Option<OpenOutage>> {
        let open = self.find_open.query_row([agent], |row| {
            let run: (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
            Ok(OpenOutage {
                cursor: row.get(0)?,
                start_ms: row.get(1)?,
                worst: row.get::<_, StatusCode>(2)?.0,
                missed: row.get(3)?,
                run: run.0.zip(run.1),
                texts: (row.get(6)?, row.get(7)?),
            })
        });
        open.optional()
    }

    /// Begins an outage, unless one goes on; returns whether it did.
    fn begin_if_none(
        &mut self,
        (cursor, agent): (i64, i64),
        event: &EventRow,
        texts: &DetailTexts,
        status: AgentStatus,
    ) -> rusqlite::Result<bool> {
        let (from_ms, interval_ms) = run_of(event).unzip();
        let (worst, DetailTexts { words, step, .. }) = (StatusCode(status).code(), texts);
        let start_ms = event.at_ms;
        let row = params![cursor, agent, start_ms, worst, words, step, from_ms, interval_ms];
        Ok(self.begin_if_none.execute(row)? > 0)
    }

    /// Lets an outage go on in another status.
    fn go_on(
        &mut self,
        outage: &OpenOutage,
        event: &EventRow,
        texts: &DetailTexts,
        status: AgentStatus,
    ) -> rusqlite::Result<()> {
        let run = run_of(event);
        // A run of missed beats goes on from late to silent.
        let (missed, run) = match (outage.run, run) {
            (Some(before), Some(_)) => (outage.missed, Some(before)),
            (_, run) => (outage.missed_until(event.at_ms), run),
        };
        let is_worse = status.state.severity() > outage.worst.state.severity();
        let (worst, (from_ms, interval_ms)) = (StatusCode(status).code(), run.unzip());
        let (cursor, words) = (outage.cursor, texts.words);
        self.go_on.execute(params![
            cursor,
            missed,
            from_ms,
            interval_ms,
            is_worse,
            worst,
            words
        ])?;
        Ok(())
    }

    fn end(&mut self, outage: &OpenOutage, at_ms: i64) -> rusqlite::Result<EndedOutage> {
        let (end_ms, missed) = (at_ms.max(outage.start_ms), outage.missed_until(at_ms));
        self.end.execute(params![outage.cursor, end_ms, missed])?;
        let (cause, step) = outage.texts;
        Ok(EndedOutage { missed, cause, step })
    }
}

/// Returns whether an event ends an outage of its agent.
pub(super) fn is_end(event: &EventRow) -> bool {
    match event.kind {
        EventCode::Transition => event.to_status().is_some_and(|status| !is_outage(status)),
        EventCode::Forgotten => true,
        _ => false,
    }
}

/// Takes a time that was not observed out of the runs of missed beats, of outages from a cursor on.
pub(super) fn skip_gap(
    conn: &Connection,
    first: i64,
    (from_ms, to_ms): (i64, i64),
) -> rusqlite::Result<()> {
    let sql = "UPDATE outages SET run_from_ms = run_from_ms + ?2 - max(?1, run_from_ms) \
               WHERE end_ms IS NULL AND run_from_ms < ?2 AND cursor >= ?3";
    execute(conn, sql, params![from_ms, to_ms, first])?;
    Ok(())
}

/// Derives everything anew, where another version of this program did, or none. Writes the names of all
/// numbers, too, which a version may have added to.
pub(super) fn derive_if_outdated(conn: &mut Connection) -> rusqlite::Result<()> {
    if meta::get(conn, DERIVED)? == Some(VERSION) {
        return Ok(());
    }
    let tx = conn.transaction()?;
    let first: Option<i64> =
        tx.query_row("SELECT min(cursor) FROM events", [], |row| row.get(0))?;
    let first = first.unwrap_or(i64::MAX);
    // Outages that go on since before the first event have nothing that they could be derived from.
    tx.execute("DELETE FROM outages WHERE cursor >= ?1", [first])?;
    tx.execute_batch(
        "DELETE FROM gaps; DELETE FROM strips; DELETE FROM state_days; DELETE FROM state_day_cells;",
    )?;
    let settled = checkpoint::outages_before(&tx, first)?;
    code::write_names(&tx)?;
    let mut writer = EventWriter::deriving(&tx, first, settled)?;
    event::visit_after(&tx, 0, |cursor, event| writer.derive(cursor, event))?;
    drop(writer);
    mark_derived(&tx)?;
    tx.commit()
}

/// Marks what is derived as that of this version.
pub(super) fn mark_derived(conn: &Connection) -> rusqlite::Result<usize> {
    meta::set(conn, DERIVED, VERSION)
}

/// Returns whether an agent in this status is out.
pub(crate) const fn is_outage(status: AgentStatus) -> bool {
    status.state.is_trouble()
}

/// Returns what is known of an outage that has ended.
pub(super) fn read_ended(conn: &Connection, outage: i64) -> rusqlite::Result<Option<EndedOutage>> {
    conn.prepare_cached("SELECT missed, cause, step FROM outages WHERE cursor = ?1")?
        .query_row([outage], |row| {
            Ok(EndedOutage { missed: row.get(0)?, cause: row.get(1)?, step: row.get(2)? })
        })
        .optional()
}

/// Returns when the first beat was due of those that an event says were missed, and the time between two.
fn run_of(event: &EventRow) -> Option<(i64, i64)> {
    let interval_ms = i64::from(event.details.interval_ms.filter(|it| *it > 0)?);
    let missed = i64::from(event.details.missed?);
    Some((event.at_ms - missed * interval_ms, interval_ms))
}

impl OpenOutage {
    fn missed_until(&self, at_ms: i64) -> i64 {
        self.missed + missed_in_run(self.run, at_ms)
    }
}

/// Returns how many beats of a run of missed ones were due until a moment.
pub(crate) fn missed_in_run(run: Option<(i64, i64)>, at_ms: i64) -> i64 {
    run.map_or(0, |(from_ms, interval_ms)| (at_ms - from_ms).max(0) / interval_ms.max(1))
}
