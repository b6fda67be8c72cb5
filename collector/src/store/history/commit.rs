//! Group commits of history: everything that one transaction writes.

use std::collections::BTreeMap;

use heartline_fleet::{HistoryDbRow, WorkRow, WriteTicket};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::agents::AgentWork;
use super::event::{EventRow, EventWriter};
use super::fold::{self, FoldCursors};
use super::resolution::RollupResolution;
use super::{agents, incident, open, outbox};
use crate::alert::notice_message;
use crate::clock::{AliveMoment, WallClockAnchor};
use crate::store::commit_number::CommitNumbers;
use crate::store::rollup::{Rollup, WorkCounts};
use crate::store::sql;

/// The work of one transaction. Segments are checked one by one in order; each minute and each
/// agent's totals are written once.
#[derive(Debug, Default)]
struct WorkBatch {
    /// By slot and agent.
    minutes: BTreeMap<i64, BTreeMap<i64, Rollup>>,
    /// By agent.
    totals: BTreeMap<i64, AgentWork>,
    committed: CommittedWork,
}

/// The tickets of a committed transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CommittedWork {
    /// The highest ticket; `None` without work.
    pub(super) highest: Option<WriteTicket>,
    /// Tickets of segments that had been counted before.
    pub(super) duplicates: Vec<WriteTicket>,
}

/// What every transaction writes beside its rows.
#[derive(Debug)]
pub(super) struct CommitContext<'a> {
    /// When the collector was alive.
    pub(super) alive: AliveMoment,
    pub(super) numbers: &'a CommitNumbers,
}

/// Writes rows in one transaction, with the time at which the collector was alive. A transaction
/// without rows has no number.
pub(super) fn commit<'a>(
    conn: &mut Connection,
    rows: impl Iterator<Item = (&'a HistoryDbRow, WallClockAnchor)>,
    context: &CommitContext<'_>,
) -> rusqlite::Result<CommittedWork> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut work = WorkBatch::default();
    let (mut events, mut set_status) = (EventWriter::new(&tx)?, agents::prepare_status(&tx)?);
    let mut rows = rows.peekable();
    let number = match rows.peek() {
        Some(_) => Some(context.numbers.write_to_history(&tx)?),
        None => None,
    };
    // What follows may have times by the clock as it is now.
    if let Some((at_ms, by_ms)) = clock_step(&tx, &context.alive)? {
        events.append(&EventRow::of_clock_step(at_ms, by_ms))?;
    }
    for (row, anchor) in rows {
        match row {
            HistoryDbRow::Work(row) => work.add(&tx, row, anchor.wall_ms(row.at))?,
            HistoryDbRow::Incident(row) => incident::write(&tx, row, anchor)?,
            HistoryDbRow::Notice(row) => {
                outbox::write(&tx, &notice_message(row, anchor), &row.sinks)?;
            }
            row => {
                events.write(row, anchor)?;
                agents::apply(&tx, row, anchor, &mut set_status)?;
            }
        }
    }
    drop((events, set_status));
    let committed = work.write(&tx)?;
    open::set_alive(&tx, &context.alive)?;
    tx.commit()?;
    if let Some(number) = number {
        context.numbers.history_committed(number);
    }
    Ok(committed)
}

/// Returns when and by how much the wall clock was set since the last commit, if it was.
fn clock_step(tx: &Transaction<'_>, alive: &AliveMoment) -> rusqlite::Result<Option<(i64, i64)>> {
    Ok(open::last_alive(tx)?.and_then(|last| alive.clock_step_since(&last)))
}

impl WorkBatch {
    /// Counts a segment, unless the database has it: the second guard of exactly-once, beside the
    /// core's own.
    fn add(&mut self, tx: &Transaction<'_>, row: &WorkRow, at_ms: i64) -> rusqlite::Result<()> {
        self.committed.highest = self.committed.highest.max(Some(row.ticket));
        if !advance_segment(tx, row, at_ms)? {
            self.committed.duplicates.push(row.ticket);
            return Ok(());
        }
        let counts = WorkCounts::from_work(row);
        let minute = self.minutes.entry(RollupResolution::Minute.slot(at_ms)).or_default();
        minute.entry(row.id.0).or_default().add(&counts, &row.latency);
        let work = self.totals.entry(row.id.0).or_default();
        work.newest_ms = at_ms.max(work.newest_ms);
        work.counts.add(&counts);
        work.quality = row.quality;
        Ok(())
    }

    fn write(self, tx: &Transaction<'_>) -> rusqlite::Result<CommittedWork> {
        let cursors = FoldCursors::read(tx)?;
        for (slot, rollups) in &self.minutes {
            fold::add(tx, &cursors, (RollupResolution::Minute, *slot), rollups)?;
        }
        for (&agent, work) in &self.totals {
            agents::add_totals(tx, agent, work)?;
        }
        Ok(self.committed)
    }
}

/// Moves a session's last applied segment up to this one; returns `false` if it is there already.
fn advance_segment(tx: &Transaction<'_>, row: &WorkRow, at_ms: i64) -> rusqlite::Result<bool> {
    let (session, segment) = (sql::to_bits(row.session), sql::to_count(row.segment));
    let updated = tx
        .prepare_cached(
            "UPDATE sessions SET applied_segment = ?3, \
                last_beat_ms = max(coalesce(last_beat_ms, 0), ?4) \
             WHERE agent_id = ?1 AND session = ?2 AND applied_segment < ?3",
        )?
        .execute(params![row.id.0, session, segment, at_ms])?;
    if updated > 0 {
        return Ok(true);
    }
    let inserted = tx
        .prepare_cached(
            "INSERT INTO sessions (agent_id, session, started_ms, applied_segment, last_beat_ms) \
             VALUES (?1, ?2, ?4, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![row.id.0, session, segment, at_ms])?;
    Ok(inserted > 0)
}
