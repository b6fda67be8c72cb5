//! What each agent was on each whole day, as one cell of a timeline: a year of an agent is one row or two, and that
//! of a large fleet lies together, while its strips lie scattered in the file. Derived from strips and gaps like a
//! cell that is painted from them, and used only while nothing was stored later that changes a day.
//!
//! A row has the days of an agent since the begin of its slot of 360 days, one after another:
//!
//! ```text
//! status + 2 │ unknown │ bad │ other │ unobserved        each a LEB128, times in ms
//! ```
//! The status is the worst that was observed. The first number is 1 where nothing was, and 0, with nothing behind it,
//! on a day on which the agent was not known. Unknown is the time before it was known, and after it was forgotten;
//! what is left of the day it was healthy.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use heartline_operator::message::TimelineCell;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::code::StatusCode;
use super::fold::{CHUNK_AGENTS, EMPTY_CHUNKS, GRACE_MS};
use super::leb128::{push, take};
use super::paint::{CellGrid, StatePainter};
use super::resolution::DAY_MS;
use super::{AgentMoment, agents, checkpoint, strip};
use crate::store::sql::execute;

/// Days of a slot: of a year there are two rows at most.
const SLOT_DAYS: i64 = 360;
/// Bits of an agent's id behind its slot.
const AGENT_BITS: u32 = 32;

/// A day that is being packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenDay {
    day: i64,
    next_agent: i64,
}

/// Returns the key of an agent's row of a slot.
fn key(slot: i64, agent: i64) -> i64 {
    (slot << AGENT_BITS) | agent
}

/// Packs a day of some agents, if one is due; returns whether there may be more. A day of which something is stored
/// later is packed again.
pub(super) fn step(conn: &mut Connection, now_ms: i64) -> rusqlite::Result<bool> {
    let tx = conn.transaction()?;
    let Some(OpenDay { day, next_agent }) = find_due(&tx, now_ms)? else {
        tx.commit()?;
        return Ok(false);
    };
    let last_agent = agents::last_id(&tx)?;
    let mut agent = next_agent;
    for _ in 0..EMPTY_CHUNKS {
        let has_packed = pack_chunk(&tx, day, agent..=agent + CHUNK_AGENTS - 1)?;
        agent += CHUNK_AGENTS;
        if has_packed || agent > last_agent {
            break;
        }
    }
    let next_agent = (agent <= last_agent).then_some(agent);
    let sql = "UPDATE state_days SET next_agent = ?2 WHERE day = ?1";
    execute(&tx, sql, params![day, next_agent])?;
    tx.commit()?;
    Ok(true)
}

/// Returns the day that is being packed, or begins the next one if it is over: the first one that is not
/// packed, or not right any more.
fn find_due(conn: &Connection, now_ms: i64) -> rusqlite::Result<Option<OpenDay>> {
    let sql = "SELECT day, next_agent FROM state_days ORDER BY day DESC LIMIT 1";
    let last: Option<(i64, Option<i64>)> =
        conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let today = now_ms.saturating_sub(GRACE_MS).div_euclid(DAY_MS);
    match last {
        // Of a clock that went ahead for a while.
        Some((day, _)) if day >= today => {
            execute(conn, "DELETE FROM state_days WHERE day >= ?1", [today])?;
            return Ok(None);
        }
        Some((day, Some(next_agent))) => return Ok(Some(OpenDay { day, next_agent })),
        Some((day, None)) if day + 1 >= today => return Ok(None),
        _ => {}
    }
    let Some(first_ms) = checkpoint::first_record_ms(conn)? else { return Ok(None) };
    let first = first_whole_day(first_ms);
    let next = last.map_or(first, |(day, _)| (day + 1).max(first));
    let day = usable_days(conn, first..next)?.end;
    if day >= today {
        return Ok(None);
    }
    let Some(cursor) = looked_at(conn, day, now_ms)? else { return Ok(None) };
    execute(conn, "DELETE FROM state_days WHERE day >= ?1", [day])?;
    let sql = "INSERT INTO state_days (day, cursor, next_agent) VALUES (?1, ?2, 0)";
    execute(conn, sql, params![day, cursor])?;
    Ok(Some(OpenDay { day, next_agent: 0 }))
}

/// Returns the cursor of a checkpoint after which nothing tells of a day that is over. Writes one if there is none.
fn looked_at(conn: &Connection, day: i64, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    if let Some(cursor) = checkpoint::newest_cursor(conn)?
        && LaterRecords::read(conn)?.earliest_ms(cursor) >= (day + 1) * DAY_MS
    {
        return Ok(Some(cursor));
    }
    checkpoint::write_now(conn, now_ms)
}

/// Returns the first day that begins at a time or later.
pub(crate) fn first_whole_day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS) + i64::from(at_ms.rem_euclid(DAY_MS) > 0)
}

/// Packs a day of a range of agents; returns whether there are any.
fn pack_chunk(conn: &Connection, day: i64, agents: RangeInclusive<i64>) -> rusqlite::Result<bool> {
    let (begin_ms, end_ms) = (day * DAY_MS, (day + 1) * DAY_MS);
    let sql = "SELECT id FROM agents WHERE id BETWEEN ?1 AND ?2";
    let ids: Vec<i64> = conn
        .prepare_cached(sql)?
        .query_map([agents.start(), agents.end()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let grid = CellGrid::new(conn, (begin_ms, DAY_MS, 1), end_ms)?;
    let mut painted = BTreeMap::<i64, (StatePainter, TimelineCell)>::new();
    for (id, moment) in AgentMoment::read_each(conn, ids, begin_ms)? {
        painted.entry(id).or_default().0.go_on(begin_ms, moment);
    }
    strip::visit(conn, &[agents], &(begin_ms + 1..=end_ms - 1), |id, entries| {
        let Some((painter, cell)) = painted.get_mut(&id) else { return };
        entries.for_each(|entry| painter.apply(entry, &grid, &mut |_, part| cell.add(part)));
    })?;
    for (id, (painter, cell)) in &mut painted {
        let mut close = |_, part: &TimelineCell| cell.add(part);
        painter.paint_until(end_ms, &grid, &mut close);
        painter.finish(&mut close);
        append(conn, *id, day, cell)?;
    }
    Ok(!painted.is_empty())
}

/// Appends a day to the row of an agent, in place of what may be there of that day and later ones.
fn append(conn: &Connection, agent: i64, day: i64, cell: &TimelineCell) -> rusqlite::Result<()> {
    let key = key(day.div_euclid(SLOT_DAYS), agent);
    let before = day.rem_euclid(SLOT_DAYS);
    let sql = "SELECT cells FROM state_day_cells WHERE key = ?1";
    let row: Option<Vec<u8>> =
        conn.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    if row.is_none() && *cell == TimelineCell::default() {
        return Ok(());
    }
    let mut cells = row.unwrap_or_default();
    let (mut rest, mut days) = (&cells[..], 0);
    while days < before && take_cell(&mut rest).is_some() {
        days += 1;
    }
    cells.truncate(cells.len() - rest.len());
    (days..before).for_each(|_| cells.push(0));
    push_cell(&mut cells, cell);
    let sql = "INSERT OR REPLACE INTO state_day_cells (key, cells) VALUES (?1, ?2)";
    execute(conn, sql, params![key, cells])?;
    Ok(())
}

fn push_cell(cells: &mut Vec<u8>, cell: &TimelineCell) {
    if *cell == TimelineCell::default() {
        cells.push(0);
        return;
    }
    let status = cell.worst.map_or(1, |status| StatusCode(status).code() + 2);
    let known_ms = cell.observed_ms() + cell.unobserved_ms;
    let unknown_ms = DAY_MS.cast_unsigned().saturating_sub(known_ms);
    let times_ms = [unknown_ms, cell.bad_ms, cell.other_ms, cell.unobserved_ms];
    push(cells, status.cast_unsigned());
    times_ms.into_iter().for_each(|ms| push(cells, ms));
}

/// Takes the cell of the next day; `None` where there is none, or the bytes are none.
fn take_cell(rest: &mut &[u8]) -> Option<TimelineCell> {
    let worst = match take(rest)? {
        0 => return Some(TimelineCell::default()),
        1 => None,
        status => StatusCode::from_code(status.cast_signed().checked_sub(2)?).map(|it| it.0),
    };
    let [unknown_ms, bad_ms, other_ms, unobserved_ms] =
        [take(rest)?, take(rest)?, take(rest)?, take(rest)?];
    let mut up_ms = DAY_MS.cast_unsigned();
    for part_ms in [unknown_ms, bad_ms, other_ms, unobserved_ms] {
        up_ms = up_ms.checked_sub(part_ms)?;
    }
    let worst_agents = u32::from(worst.is_some());
    Some(TimelineCell { worst, worst_agents, up_ms, bad_ms, other_ms, unobserved_ms })
}

/// Returns those days of a range, from its first one on, that are packed and right.
pub(crate) fn usable_days(conn: &Connection, days: Range<i64>) -> rusqlite::Result<Range<i64>> {
    let sql = "SELECT day, cursor FROM state_days WHERE day >= ?1 AND day < ?2 AND next_agent IS NULL \
               ORDER BY day";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([days.start, days.end])?;
    let (mut usable, mut later) = (days.start..days.start, None);
    while let Some(row) = rows.next()? {
        let (day, cursor): (i64, i64) = (row.get(0)?, row.get(1)?);
        let later = match &later {
            Some(later) => later,
            None => later.insert(LaterRecords::read(conn)?),
        };
        if day != usable.end || later.earliest_ms(cursor) < (day + 1) * DAY_MS {
            break;
        }
        usable.end += 1;
    }
    Ok(usable)
}

/// The earliest time that anything after a cursor tells of.
struct LaterRecords {
    /// By their last cursors: stretches of records, and the earliest of each and all that follow.
    stretches: Vec<(i64, i64)>,
}

impl LaterRecords {
    fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut stretches = checkpoint::stretches(conn)?;
        let mut gaps = conn.prepare_cached("SELECT cursor, from_ms FROM gaps")?;
        for gap in gaps.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            stretches.push(gap?);
        }
        stretches.sort_unstable();
        let mut earliest_ms = i64::MAX;
        for (_, from_ms) in stretches.iter_mut().rev() {
            earliest_ms = earliest_ms.min(*from_ms);
            *from_ms = earliest_ms;
        }
        Ok(Self { stretches })
    }

    fn earliest_ms(&self, cursor: i64) -> i64 {
        let first = self.stretches.partition_point(|(last, _)| *last <= cursor);
        self.stretches.get(first).map_or(i64::MAX, |(_, earliest_ms)| *earliest_ms)
    }
}

/// Visits what ranges of agents were on days: the days of an agent in their order.
pub(crate) fn visit(
    conn: &Connection,
    agents: &[RangeInclusive<i64>],
    days: Range<i64>,
    mut visit: impl FnMut(i64, i64, &TimelineCell),
) -> rusqlite::Result<()> {
    let sql = "SELECT key, cells FROM state_day_cells WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    for slot in days.start.div_euclid(SLOT_DAYS)..=(days.end - 1).div_euclid(SLOT_DAYS) {
        for range in agents {
            let mut rows = statement.query([key(slot, *range.start()), key(slot, *range.end())])?;
            while let Some(row) = rows.next()? {
                let agent = row.get::<_, i64>(0)? & ((1 << AGENT_BITS) - 1);
                let mut rest = row.get_ref(1)?.as_blob()?;
                for day in slot * SLOT_DAYS..days.end {
                    let Some(cell) = take_cell(&mut rest) else { break };
                    if day >= days.start {
                        visit(day, agent, &cell);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Removes the days that are over before a time: at most `limit` rows of cells, whose slots are over then.
pub(super) fn prune(conn: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<()> {
    let first_kept = before_ms.div_euclid(DAY_MS);
    execute(conn, "DELETE FROM state_days WHERE day < ?1", [first_kept])?;
    let sql = "DELETE FROM state_day_cells WHERE key IN \
               (SELECT key FROM state_day_cells WHERE key < ?1 ORDER BY key LIMIT ?2)";
    execute(conn, sql, params![key(first_kept.div_euclid(SLOT_DAYS), 0), limit])?;
    Ok(())
}
