//! Segments of work, each counted once.

use std::collections::BTreeMap;

use heartline_fleet::{WorkRow, WriteTicket};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::agents;
use super::fold::{self, Marks};
use super::level::Level;
use crate::store::column;
use crate::store::rollup::{Rollup, Sums};

/// The work of one transaction: segments are checked one by one in order, and each minute and
/// each agent's totals are written once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    minutes: BTreeMap<(i64, i64), Rollup>,
    totals: BTreeMap<i64, (i64, Sums)>,
    highest: Option<WriteTicket>,
    known: Vec<WriteTicket>,
}

/// What became of a transaction's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// The highest ticket; `None` without work.
    pub(super) highest: Option<WriteTicket>,
    /// Those whose segment had been counted before.
    pub(super) known: Vec<WriteTicket>,
}

impl Tally {
    /// Counts a segment, unless the database has it: the second guard of exactly-once, beside the
    /// core's own.
    pub(super) fn count(
        &mut self,
        tx: &Transaction<'_>,
        row: &WorkRow,
        at_ms: i64,
    ) -> rusqlite::Result<()> {
        self.highest = self.highest.max(Some(row.ticket));
        if !advance(tx, row, at_ms)? {
            self.known.push(row.ticket);
            return Ok(());
        }
        let sums = Sums::of(row);
        let minute = self.minutes.entry((Level::Minute.slot(at_ms), row.id.0)).or_default();
        minute.sums.add(&sums);
        minute.latency.add_packed(&row.latency);
        let (heard_ms, total) = self.totals.entry(row.id.0).or_default();
        *heard_ms = at_ms.max(*heard_ms);
        total.add(&sums);
        Ok(())
    }

    /// Writes what was counted.
    pub(super) fn write(self, tx: &Transaction<'_>) -> rusqlite::Result<Confirmed> {
        let marks = Marks::read(tx)?;
        for ((slot, agent), rollup) in &self.minutes {
            fold::add(tx, &marks, (Level::Minute, *slot), *agent, rollup)?;
        }
        for (&agent, (heard_ms, sums)) in &self.totals {
            agents::add_totals(tx, agent, *heard_ms, sums)?;
        }
        Ok(Confirmed { highest: self.highest, known: self.known })
    }
}

/// Moves a session's last applied segment up to this one; `false` if it is there already.
fn advance(tx: &Transaction<'_>, row: &WorkRow, at_ms: i64) -> rusqlite::Result<bool> {
    let (session, segment) = (column::bits(row.session), column::count(row.segment));
    let moved = tx
        .prepare_cached(
            "UPDATE sessions SET applied_segment = ?3, \
                last_beat_ms = max(coalesce(last_beat_ms, 0), ?4) \
             WHERE agent_id = ?1 AND session = ?2 AND applied_segment < ?3",
        )?
        .execute(params![row.id.0, session, segment, at_ms])?;
    if moved > 0 {
        return Ok(true);
    }
    if applied(tx, row.id.0, session)?.is_some() {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT INTO sessions (agent_id, session, started_ms, applied_segment, last_beat_ms) \
         VALUES (?1, ?2, ?4, ?3, ?4)",
    )?
    .execute(params![row.id.0, session, segment, at_ms])?;
    Ok(true)
}

fn applied(conn: &Connection, agent: i64, session: i64) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(
        "SELECT applied_segment FROM sessions WHERE agent_id = ?1 AND session = ?2",
    )?
    .query_row([agent, session], |row| row.get(0))
    .optional()
}
