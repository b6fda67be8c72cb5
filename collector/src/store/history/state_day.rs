//! What each agent was on each whole day, as one cell of a timeline: a year of a large fleet is read from these
//! and not from its strips, which lie scattered in the file. Derived from strips and gaps like a cell that is
//! painted from them, and used only while nothing was stored later that changes a day.
//!
//! A day is packed in parts of 256 agents, those that were known on it:
//!
//! ```text
//! id since the agent before │ status + 1, or 0 │ unknown │ bad │ other │ unobserved        each a LEB128, times in ms
//! ```
//! The status is the worst that was observed. Unknown is the time before the agent was known, and after it was
//! forgotten; what is left of the day it was healthy.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use heartline_operator::message::TimelineCell;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::AgentMoment;
use super::checkpoint;
use super::code::StatusCode;
use super::leb128::{push, take};
use super::paint::{CellGrid, StatePainter};
use super::strip;
use crate::store::sql::execute;

/// Length of a day, in UTC.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Time after the end of a day at which it is packed. A day of which something is stored later is packed again.
const GRACE_MS: i64 = 10 * 60_000;
/// Bits of an agent's id within its part.
const AGENT_BITS: u32 = 8;
/// Bits of a part within its day.
const PART_BITS: u32 = 24;
/// Parts without agents that one step skips.
const EMPTY_PARTS: usize = 64;

/// A day that is being packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenDay {
    day: i64,
    next_part: i64,
}

/// Returns the key of a part of a day.
fn key(day: i64, part: i64) -> i64 {
    (day << PART_BITS) | part
}

/// Packs a part of a day, if one is due; returns whether there may be more.
pub(super) fn step(conn: &mut Connection, now_ms: i64) -> rusqlite::Result<bool> {
    let tx = conn.transaction()?;
    let Some(OpenDay { day, next_part }) = find_due(&tx, now_ms)? else {
        tx.commit()?;
        return Ok(false);
    };
    let last_agent: i64 = tx
        .prepare_cached("SELECT coalesce(max(id), 0) FROM agents")?
        .query_row([], |row| row.get(0))?;
    let last_part = last_agent >> AGENT_BITS;
    let mut part = next_part;
    let mut has_packed = false;
    while part <= last_part && !has_packed && part < next_part + EMPTY_PARTS as i64 {
        has_packed = pack_part(&tx, day, part)?;
        part += 1;
    }
    let next_part = (part <= last_part).then_some(part);
    let sql = "UPDATE state_days SET next_part = ?2 WHERE day = ?1";
    execute(&tx, sql, params![day, next_part])?;
    tx.commit()?;
    Ok(true)
}

/// Returns the day that is being packed, or begins the next one if it is over: the first one that is not
/// packed, or not right any more.
fn find_due(conn: &Connection, now_ms: i64) -> rusqlite::Result<Option<OpenDay>> {
    let sql = "SELECT day, next_part FROM state_days ORDER BY day DESC LIMIT 1";
    let last: Option<(i64, Option<i64>)> =
        conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let today = now_ms.saturating_sub(GRACE_MS).div_euclid(DAY_MS);
    match last {
        // Of a clock that went ahead for a while.
        Some((day, _)) if day >= today => {
            execute(conn, "DELETE FROM state_days WHERE day >= ?1", [today])?;
            return Ok(None);
        }
        Some((day, Some(next_part))) => return Ok(Some(OpenDay { day, next_part })),
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
    let sql = "INSERT INTO state_days (day, cursor, next_part) VALUES (?1, ?2, 0)";
    execute(conn, sql, params![day, cursor])?;
    Ok(Some(OpenDay { day, next_part: 0 }))
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

/// Packs a part of a day; returns whether it has agents.
fn pack_part(conn: &Connection, day: i64, part: i64) -> rusqlite::Result<bool> {
    let first = part << AGENT_BITS;
    let agents = first..=first + (1 << AGENT_BITS) - 1;
    let begin_ms = day * DAY_MS;
    let sql = "SELECT id FROM agents WHERE id BETWEEN ?1 AND ?2";
    let ids: Vec<i64> = conn
        .prepare_cached(sql)?
        .query_map([agents.start(), agents.end()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let grid = CellGrid::new(conn, (begin_ms, DAY_MS, 1), begin_ms + DAY_MS)?;
    let mut cells = BTreeMap::<i64, TimelineCell>::new();
    let mut painters = BTreeMap::<i64, StatePainter>::new();
    for (id, moment) in AgentMoment::read_each(conn, ids, begin_ms)? {
        painters.entry(id).or_default().go_on(begin_ms, moment);
    }
    strip::visit(conn, &[agents], &(begin_ms + 1..=begin_ms + DAY_MS - 1), |id, entries| {
        let Some(painter) = painters.get_mut(&id) else { return };
        let cell = cells.entry(id).or_default();
        entries.for_each(|entry| painter.apply(entry, &grid, &mut |_, painted| cell.add(painted)));
    })?;
    for (id, mut painter) in painters {
        let cell = cells.entry(id).or_default();
        let mut close = |_, painted: &TimelineCell| cell.add(painted);
        painter.paint_until(begin_ms + DAY_MS, &grid, &mut close);
        painter.finish(&mut close);
    }
    cells.retain(|_, cell| *cell != TimelineCell::default());
    if cells.is_empty() {
        execute(conn, "DELETE FROM state_day_parts WHERE key = ?1", [key(day, part)])?;
        return Ok(false);
    }
    let sql = "INSERT OR REPLACE INTO state_day_parts (key, states) VALUES (?1, ?2)";
    execute(conn, sql, params![key(day, part), encode(first, &cells)])?;
    Ok(true)
}

fn encode(first: i64, cells: &BTreeMap<i64, TimelineCell>) -> Vec<u8> {
    let (mut packed, mut before) = (Vec::new(), first);
    for (&id, cell) in cells {
        let step = id - std::mem::replace(&mut before, id);
        let status = cell.worst.map_or(0, |status| StatusCode(status).code() + 1);
        let known_ms = cell.observed_ms() + cell.unobserved_ms;
        let unknown_ms = DAY_MS.cast_unsigned().saturating_sub(known_ms);
        for number in [
            step.cast_unsigned(),
            status.cast_unsigned(),
            unknown_ms,
            cell.bad_ms,
            cell.other_ms,
            cell.unobserved_ms,
        ] {
            push(&mut packed, number);
        }
    }
    packed
}

/// Decodes a part; bytes that are none end it.
fn decode(first: i64, mut packed: &[u8], mut visit: impl FnMut(i64, &TimelineCell)) {
    let mut id = first;
    let mut try_visit = || {
        let rest = &mut packed;
        id = id.checked_add_unsigned(take(rest)?)?;
        let worst = match take(rest)? {
            0 => None,
            status => StatusCode::from_code(status.cast_signed().checked_sub(1)?).map(|it| it.0),
        };
        let [unknown_ms, bad_ms, other_ms, unobserved_ms] =
            [take(rest)?, take(rest)?, take(rest)?, take(rest)?];
        let mut up_ms = DAY_MS.cast_unsigned();
        for part_ms in [unknown_ms, bad_ms, other_ms, unobserved_ms] {
            up_ms = up_ms.checked_sub(part_ms)?;
        }
        let worst_agents = u32::from(worst.is_some());
        visit(id, &TimelineCell { worst, worst_agents, up_ms, bad_ms, other_ms, unobserved_ms });
        Some(())
    };
    while try_visit().is_some() {}
}

/// Returns those days of a range, from its first one on, that are packed and right.
pub(crate) fn usable_days(conn: &Connection, days: Range<i64>) -> rusqlite::Result<Range<i64>> {
    let sql = "SELECT day, cursor FROM state_days WHERE day >= ?1 AND day < ?2 AND next_part IS NULL \
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

/// Visits what agents were on days, day by day; of other agents, too.
pub(crate) fn visit(
    conn: &Connection,
    agents: &[RangeInclusive<i64>],
    days: Range<i64>,
    mut visit: impl FnMut(i64, i64, &TimelineCell),
) -> rusqlite::Result<()> {
    let sql = "SELECT key, states FROM state_day_parts WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    let parts = parts_of(agents);
    for day in days {
        for part in &parts {
            let mut rows = statement.query([key(day, *part.start()), key(day, *part.end())])?;
            while let Some(row) = rows.next()? {
                let part = row.get::<_, i64>(0)? & ((1 << PART_BITS) - 1);
                let packed = row.get_ref(1)?.as_blob()?;
                decode(part << AGENT_BITS, packed, |id, cell| visit(day, id, cell));
            }
        }
    }
    Ok(())
}

/// Returns the parts that agents are in, those that follow each other together.
fn parts_of(agents: &[RangeInclusive<i64>]) -> Vec<RangeInclusive<i64>> {
    let mut parts: Vec<RangeInclusive<i64>> = Vec::new();
    for range in agents {
        let (first, last) = (range.start() >> AGENT_BITS, range.end() >> AGENT_BITS);
        match parts.last_mut() {
            Some(before) if first <= before.end() + 1 => {
                *before = *before.start()..=last.max(*before.end());
            }
            _ => parts.push(first..=last),
        }
    }
    parts
}

/// Removes the days that are over before a time, at most `limit` of their parts.
pub(super) fn prune(conn: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<()> {
    let first_kept = before_ms.div_euclid(DAY_MS);
    execute(conn, "DELETE FROM state_days WHERE day < ?1", [first_kept])?;
    let sql = "DELETE FROM state_day_parts WHERE key IN \
               (SELECT key FROM state_day_parts WHERE key < ?1 ORDER BY key LIMIT ?2)";
    execute(conn, sql, params![key(first_kept, 0), limit])?;
    Ok(())
}
