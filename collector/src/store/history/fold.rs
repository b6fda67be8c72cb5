//! Minutes add up to hours, and hours to days, as time passes.
//!
//! Folding goes through the agents of one whole hour (day) after another, a few hundred at a time,
//! and a [`Mark`] remembers how far it has come. Each chunk and its mark are one transaction, so
//! that every row is folded exactly once. A row that comes later, for an hour that has been folded,
//! is added to that hour as well ([`add`]): what a coarser table holds is always exactly the sum of
//! the finer rows up to its mark.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::level::Level;
use crate::store::rollup::Rollup;

/// Rows of work may come so much later than their minute before folding it means a second write.
const GRACE_MS: i64 = 10 * 60_000;
/// Agents of one chunk: so many ids.
const AGENTS: i64 = 256;
/// Chunks without rows that are passed over in one go.
const EMPTY_CHUNKS: usize = 64;

/// How far folding into a table has come: everything before `slot`, and in it the agents up to
/// `agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) slot: i64,
    pub(crate) agent: i64,
}

impl Mark {
    /// The mark of a table.
    pub(crate) fn of(conn: &Connection, into: Level) -> rusqlite::Result<Self> {
        let mark = conn
            .prepare_cached("SELECT slot, agent_id FROM folds WHERE into_table = ?1")?
            .query_row([into.table()], |row| Ok(Self { slot: row.get(0)?, agent: row.get(1)? }))
            .optional()?;
        Ok(mark.unwrap_or(Self { slot: i64::MIN, agent: 0 }))
    }

    fn store(self, conn: &Connection, into: Level) -> rusqlite::Result<()> {
        conn.prepare_cached("INSERT OR REPLACE INTO folds VALUES (?1, ?2, ?3)")?
            .execute(params![into.table(), self.slot, self.agent])?;
        Ok(())
    }

    /// Whether an agent's rows of a slot have been folded.
    pub(crate) fn has(self, slot: i64, agent: i64) -> bool {
        slot < self.slot || (slot == self.slot && agent <= self.agent)
    }
}

/// The marks of both tables that are folded into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) hours: Mark,
    pub(crate) days: Mark,
}

impl Marks {
    /// As they stand.
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { hours: Mark::of(conn, Level::Hour)?, days: Mark::of(conn, Level::Day)? })
    }

    fn of(&self, level: Level) -> Option<Mark> {
        match level {
            Level::Minute => None,
            Level::Hour => Some(self.hours),
            Level::Day => Some(self.days),
        }
    }
}

/// Adds to an agent's slot, and to every coarser one that the slot has been folded into.
pub(super) fn add(
    tx: &Transaction<'_>,
    marks: &Marks,
    (level, slot): (Level, i64),
    agent: i64,
    rollup: &Rollup,
) -> rusqlite::Result<()> {
    level.add(tx, slot, agent, rollup.clone())?;
    let Some(coarser) = level.coarser() else { return Ok(()) };
    let coarser_slot = slot.div_euclid(level.slots_in(coarser));
    if marks.of(coarser).is_some_and(|mark| mark.has(coarser_slot, agent)) {
        add(tx, marks, (coarser, coarser_slot), agent, rollup)?;
    }
    Ok(())
}

/// Folds one chunk, if one is due; says whether there may be more.
pub(super) fn step(conn: &mut Connection, now_ms: i64) -> rusqlite::Result<bool> {
    for from in [Level::Minute, Level::Hour] {
        let Some(into) = from.coarser() else { continue };
        if fold_one(conn, from, into, now_ms)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn fold_one(
    conn: &mut Connection,
    from: Level,
    into: Level,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let Some(start) = next_slot(conn, from, into, now_ms)? else { return Ok(false) };
    let last: i64 = conn
        .prepare_cached("SELECT coalesce(max(id), 0) FROM agents")?
        .query_row([], |row| row.get(0))?;
    let tx = conn.transaction()?;
    let mut mark = start;
    for _ in 0..EMPTY_CHUNKS {
        let chunk = (mark.agent, mark.agent.saturating_add(AGENTS));
        let folded = fold_chunk(&tx, from, into, mark.slot, chunk)?;
        mark.agent = chunk.1;
        if mark.agent >= last {
            mark = Mark { slot: mark.slot + 1, agent: 0 };
            break;
        }
        if folded > 0 {
            break;
        }
    }
    mark.store(&tx, into)?;
    tx.commit()?;
    Ok(true)
}

/// Where to go on: at the mark, or, if nothing is left in its slot, at the next one that has
/// anything; `None` while that slot is not over.
fn next_slot(
    conn: &Connection,
    from: Level,
    into: Level,
    now_ms: i64,
) -> rusqlite::Result<Option<Mark>> {
    let mark = Mark::of(conn, into)?;
    let fine = mark.slot.saturating_mul(from.slots_in(into));
    let Some(first) = from.first(conn, fine)? else { return Ok(None) };
    let slot = first.div_euclid(from.slots_in(into));
    let is_over = (slot + 1).saturating_mul(into.slot_ms()).saturating_add(GRACE_MS) <= now_ms;
    if !is_over {
        return Ok(None);
    }
    Ok(Some(if slot == mark.slot { mark } else { Mark { slot, agent: 0 } }))
}

fn fold_chunk(
    tx: &Transaction<'_>,
    from: Level,
    into: Level,
    slot: i64,
    agents: (i64, i64),
) -> rusqlite::Result<usize> {
    let mut sums = BTreeMap::<i64, Rollup>::new();
    let (per_slot, marks) = (from.slots_in(into), Marks::read(tx)?);
    for fine in slot * per_slot..(slot + 1) * per_slot {
        from.visit(tx, fine, agents, |agent, counted, latency| {
            let sum = sums.entry(agent).or_default();
            sum.sums.add(counted);
            sum.latency.add_packed(latency);
        })?;
    }
    for (&agent, rollup) in &sums {
        add(tx, &marks, (into, slot), agent, rollup)?;
    }
    Ok(sums.len())
}
