//! Checkpoints: the status of every agent after a certain event. The fleet at a moment is read from the
//! last one before it and the events that follow, however long history is. They are also the index from
//! times to events, which are stored nearly in the order of their times.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::code::{EventCode, StatusCode};
use super::outage::is_outage;

/// Events after which a checkpoint is due: so many for each agent…
const EVENTS_PER_AGENT: i64 = 2;
/// …but not less than these…
const EVENTS_MIN: i64 = 20_000;
/// …or any, after so long.
const INTERVAL_MS: i64 = 24 * 3_600_000;
/// How much later an event can be than one that is stored after it, while the clock goes on: a transition
/// has the time at which it became true, and is stored once that is seen.
const DISORDER_MS: i64 = 10_000;

/// What history knows of an agent at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PastAgent {
    /// The code of its status.
    pub(crate) status: i64,
    pub(crate) since_ms: i64,
    pub(crate) starts: u32,
    pub(crate) pid: Option<u32>,
    /// Its row of `identities`.
    pub(crate) identity: Option<i64>,
    /// The outage that was going on.
    pub(crate) outage: Option<i64>,
}

/// The agents that were known at a moment, by row id.
pub(crate) type PastFleet = BTreeMap<i64, PastAgent>;

/// An agent in a stored checkpoint: the distance of its id from the one before, its status, the age of that,
/// its starts, process id, identity, outage.
type StoredAgent = (i64, i64, i64, u32, Option<u32>, Option<i64>, Option<i64>);

/// The newest checkpoint.
#[derive(Clone, Copy, Debug)]
struct Newest {
    cursor: i64,
    at_ms: i64,
    agents: i64,
}

/// Writes a checkpoint, if one is due.
pub(super) fn step(conn: &mut Connection, now_ms: i64) -> rusqlite::Result<()> {
    let Some(last) = last_event(conn)? else { return Ok(()) };
    let newest = match newest(conn)? {
        Some(newest) => newest,
        None => Newest { cursor: 0, at_ms: first_event_ms(conn)?, agents: 0 },
    };
    let events = last - newest.cursor;
    let is_due = events >= EVENTS_MIN.max(newest.agents.saturating_mul(EVENTS_PER_AGENT))
        || now_ms.saturating_sub(newest.at_ms) >= INTERVAL_MS;
    if events == 0 || !is_due {
        return Ok(());
    }
    let tx = conn.transaction()?;
    write_now(&tx, now_ms)?;
    tx.commit()
}

/// Writes a checkpoint after the last event, and returns its cursor; `None` where there is no event.
pub(super) fn write_now(tx: &Connection, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    let Some(last) = last_event(tx)? else { return Ok(None) };
    write(tx, last, &fleet_now(tx)?, now_ms)?;
    Ok(Some(last))
}

/// Writes a checkpoint after the last event that is earlier than a time, if there is one that is; returns its
/// cursor. What was before it can be removed then.
pub(super) fn write_before(tx: &Connection, before_ms: i64) -> rusqlite::Result<Option<i64>> {
    let Some((last, fleet)) = fleet_before(tx, before_ms)? else { return Ok(None) };
    write(tx, last, &fleet, before_ms)?;
    Ok(Some(last))
}

/// Returns the last event of those that all are earlier than a time, as its cursor and the fleet after it;
/// `None` where there is none.
pub(super) fn fleet_before(
    conn: &Connection,
    before_ms: i64,
) -> rusqlite::Result<Option<(i64, PastFleet)>> {
    // What is known to be earlier need not be looked through.
    let from = first_since(conn, before_ms)?;
    let sql =
        "SELECT cursor FROM events WHERE cursor >= ?1 AND at_ms >= ?2 ORDER BY cursor LIMIT 1";
    let first_kept: Option<i64> =
        conn.prepare_cached(sql)?.query_row([from, before_ms], |row| row.get(0)).optional()?;
    let kept = first_kept.unwrap_or(i64::MAX);
    let sql = "SELECT max(cursor) FROM events WHERE cursor < ?1";
    let last: Option<i64> = conn.prepare_cached(sql)?.query_row([kept], |row| row.get(0))?;
    let Some(last) = last else { return Ok(None) };
    let (base, mut fleet) = base(conn, "cursor <= ?1", last)?;
    replay(conn, base, &mut fleet, |cursor, _| match cursor <= last {
        true => Step::Apply,
        false => Step::Stop,
    })?;
    Ok(Some((last, fleet)))
}

/// Writes the checkpoint that a history begins with: the fleet at a time, after an event that is not in it.
pub(super) fn write_first(
    conn: &Connection,
    cursor: i64,
    fleet: &PastFleet,
    at_ms: i64,
) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO checkpoints (cursor, at_ms, latest_ms, earliest_ms, agents) \
         VALUES (?1, ?2, ?2, ?2, ?3)",
        params![cursor, at_ms, fleet.len() as i64],
    )?;
    let sql = "INSERT INTO checkpoint_fleets (cursor, at_ms, fleet) VALUES (?1, ?2, ?3)";
    conn.execute(sql, params![cursor, at_ms, encode_fleet(fleet, at_ms)])?;
    Ok(())
}

/// Writes a checkpoint after the event at `cursor`.
fn write(tx: &Connection, cursor: i64, fleet: &PastFleet, at_ms: i64) -> rusqlite::Result<()> {
    let (earliest_ms, latest_ms): (i64, i64) = tx.query_row(
        "SELECT min(at_ms), max(at_ms) FROM events WHERE cursor <= ?1 AND cursor > \
         (SELECT coalesce(max(cursor), 0) FROM checkpoints WHERE cursor < ?1)",
        [cursor],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    tx.execute(
        "INSERT OR REPLACE INTO checkpoints (cursor, at_ms, latest_ms, earliest_ms, agents) \
         VALUES (?1, ?2, max(?3, coalesce((SELECT max(latest_ms) FROM checkpoints \
            WHERE cursor < ?1), ?3)), ?4, ?5)",
        params![cursor, at_ms, latest_ms, earliest_ms, fleet.len() as i64],
    )?;
    let sql = "INSERT OR REPLACE INTO checkpoint_fleets (cursor, at_ms, fleet) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![cursor, at_ms, encode_fleet(fleet, at_ms)])?;
    Ok(())
}

/// Writes a checkpoint after the event at a cursor.
pub(super) fn write_at(conn: &Connection, cursor: i64, at_ms: i64) -> rusqlite::Result<()> {
    let (base, mut fleet) = base(conn, "cursor <= ?1", cursor)?;
    replay(conn, base, &mut fleet, |event, _| match event <= cursor {
        true => Step::Apply,
        false => Step::Stop,
    })?;
    write(conn, cursor, &fleet, at_ms)
}

/// Returns the first checkpoint, as its cursor and fleet; an empty fleet where there is none.
pub(crate) fn first_fleet(conn: &Connection) -> rusqlite::Result<(i64, PastFleet)> {
    let sql = "SELECT cursor, at_ms, fleet FROM checkpoint_fleets ORDER BY cursor LIMIT 1";
    let found = conn
        .prepare_cached(sql)?
        .query_row([], |row| {
            Ok((row.get(0)?, decode_fleet(row.get(1)?, row.get_ref(2)?.as_blob()?)?))
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Returns the fleet as it is.
fn fleet_now(conn: &Connection) -> rusqlite::Result<PastFleet> {
    let mut statement = conn.prepare(
        "SELECT id, status, coalesce(since_ms, first_seen_ms), starts, pid, identity, \
            (SELECT cursor FROM outages WHERE agent_id = agents.id AND end_ms IS NULL) \
         FROM agents WHERE forgotten_ms IS NULL",
    )?;
    let rows = statement.query_map([], |row| {
        let agent = PastAgent {
            status: row.get(1)?,
            since_ms: row.get(2)?,
            starts: row.get(3)?,
            pid: row.get(4)?,
            identity: row.get(5)?,
            outage: row.get(6)?,
        };
        Ok((row.get(0)?, agent))
    })?;
    rows.collect()
}

fn encode_fleet(fleet: &PastFleet, at_ms: i64) -> Vec<u8> {
    let mut before = 0;
    let agents = fleet.iter().map(|(&id, agent)| -> StoredAgent {
        let step = id - std::mem::replace(&mut before, id);
        let PastAgent { status, since_ms, starts, pid, identity, outage } = *agent;
        (step, status, at_ms.saturating_sub(since_ms), starts, pid, identity, outage)
    });
    let agents: Vec<_> = agents.collect();
    rmp_serde::to_vec(&agents).expect("numbers can always be encoded")
}

/// Returns the fleet as it was at a moment.
pub(crate) fn fleet_at(conn: &Connection, at_ms: i64) -> rusqlite::Result<PastFleet> {
    let (base, mut fleet) = base(conn, "latest_ms <= ?1", at_ms)?;
    replay(conn, base, &mut fleet, |_, event_ms| {
        if event_ms <= at_ms {
            Step::Apply
        } else if event_ms <= at_ms.saturating_add(DISORDER_MS) {
            Step::Skip
        } else {
            Step::Stop
        }
    })?;
    Ok(fleet)
}

/// Returns what was known before the first event that is stored.
pub(super) fn fleet_before_events(conn: &Connection) -> rusqlite::Result<PastFleet> {
    // Of an excerpt there are identities of before.
    let sql = "SELECT cursor FROM events WHERE kind != 11 ORDER BY cursor LIMIT 1";
    let first: Option<i64> =
        conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(base(conn, "cursor < ?1", first.unwrap_or(i64::MAX))?.1)
}

/// Returns the outages, by agent, that began before an event, are stored, and were going on then.
pub(super) fn outages_before(
    conn: &Connection,
    first: i64,
) -> rusqlite::Result<BTreeMap<i64, i64>> {
    let (_, fleet) = base(conn, "cursor < ?1", first)?;
    let mut statement = conn.prepare("SELECT agent_id, cursor FROM outages WHERE cursor < ?1")?;
    let outages = statement.query_map([first], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let went_on = |(agent, outage): &(i64, i64)| {
        fleet.get(agent).is_some_and(|agent| agent.outage == Some(*outage))
    };
    outages.filter(|row| row.as_ref().map_or(true, went_on)).collect()
}

/// Returns the last checkpoint for which a condition holds, as its cursor and fleet; an empty fleet before
/// the first event where there is none.
fn base(conn: &Connection, condition: &str, value: i64) -> rusqlite::Result<(i64, PastFleet)> {
    let sql = format!(
        "SELECT cursor, at_ms, fleet FROM checkpoint_fleets WHERE cursor = \
         (SELECT max(cursor) FROM checkpoints WHERE {condition})"
    );
    let found = conn
        .prepare_cached(&sql)?
        .query_row([value], |row| {
            Ok((row.get(0)?, decode_fleet(row.get(1)?, row.get_ref(2)?.as_blob()?)?))
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// What is done with an event.
enum Step {
    Apply,
    Skip,
    Stop,
}

/// Applies the events after a cursor, as `step` says by the cursor and time of each.
fn replay(
    conn: &Connection,
    after: i64,
    fleet: &mut PastFleet,
    mut step: impl FnMut(i64, i64) -> Step,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT cursor, at_ms, agent_id, kind, was, status, value FROM events WHERE cursor > ?1 \
         ORDER BY cursor",
    )?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        let event_ms = row.get(1)?;
        match step(row.get(0)?, event_ms) {
            Step::Apply => apply(fleet, event_ms, row)?,
            Step::Skip => {}
            Step::Stop => break,
        }
    }
    Ok(())
}

fn apply(fleet: &mut PastFleet, event_ms: i64, row: &Row<'_>) -> rusqlite::Result<()> {
    let Some(id) = row.get::<_, Option<i64>>(2)? else { return Ok(()) };
    match row.get(3)? {
        EventCode::Transition => {
            let agent = fleet.entry(id).or_default();
            (agent.status, agent.since_ms) = (row.get(5)?, event_ms);
            let status = StatusCode::from_code(agent.status).map(|code| code.0);
            agent.outage = match status.is_some_and(is_outage) {
                true => agent.outage.or(Some(row.get(0)?)),
                false => None,
            };
        }
        EventCode::Registered => {
            let agent = PastAgent { since_ms: event_ms, ..PastAgent::default() };
            fleet.entry(id).or_insert(agent);
        }
        EventCode::Forgotten => {
            fleet.remove(&id);
        }
        EventCode::Session => fleet.entry(id).or_default().starts = row.get(6)?,
        EventCode::Identity => {
            let agent = fleet.entry(id).or_default();
            (agent.pid, agent.identity) = (row.get(4)?, row.get(6)?);
        }
        EventCode::Kill
        | EventCode::Resume
        | EventCode::KillObeyed
        | EventCode::ResumeObeyed
        | EventCode::Disobeyed
        | EventCode::Gap
        | EventCode::ClockStep
        | EventCode::Budget => {}
    }
    Ok(())
}

fn decode_fleet(taken_ms: i64, encoded: &[u8]) -> rusqlite::Result<PastFleet> {
    let agents: Vec<StoredAgent> = rmp_serde::from_slice(encoded).map_err(|error| {
        let blob = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(2, blob, Box::new(error))
    })?;
    let mut id = 0_i64;
    let agents = agents.into_iter().map(|(step, status, age_ms, starts, pid, identity, outage)| {
        id = id.saturating_add(step);
        let since_ms = taken_ms.saturating_sub(age_ms);
        (id, PastAgent { status, since_ms, starts, pid, identity, outage })
    });
    Ok(agents.collect())
}

/// Decodes a fleet as it was at time zero; `None` if the bytes are none, or an id is no sum of its steps.
pub(crate) fn decode_checked(encoded: &[u8]) -> Option<PastFleet> {
    decode_fleet(0, encoded).ok()
}

/// Returns a cursor before which all events are earlier than a time.
pub(crate) fn first_since(conn: &Connection, since_ms: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT max(cursor) FROM checkpoints WHERE latest_ms < ?1";
    let before: Option<i64> = conn.prepare_cached(sql)?.query_row([since_ms], |row| row.get(0))?;
    Ok(before.map_or(0, |before| before + 1))
}

/// Returns a cursor after which no event is earlier than a time.
pub(crate) fn last_until(conn: &Connection, until_ms: i64) -> rusqlite::Result<i64> {
    let mut statement =
        conn.prepare_cached("SELECT cursor, earliest_ms FROM checkpoints ORDER BY cursor DESC")?;
    let mut rows = statement.query([])?;
    let (mut last, mut earliest_ms) = (i64::MAX, None);
    while let Some(row) = rows.next()? {
        let cursor: i64 = row.get(0)?;
        let follows = match earliest_ms {
            Some(earliest_ms) => earliest_ms,
            None => earliest_after(conn, cursor)?,
        };
        if follows < until_ms {
            break;
        }
        (last, earliest_ms) = (cursor, Some(row.get(1)?));
    }
    Ok(last)
}

/// Returns the cursor of the newest checkpoint.
pub(super) fn newest_cursor(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    Ok(newest(conn)?.map(|newest| newest.cursor))
}

/// Returns the stretches of events that end with a checkpoint, and the one after the last of them: the last
/// cursor of each, and the earliest time in it.
pub(super) fn stretches(conn: &Connection) -> rusqlite::Result<Vec<(i64, i64)>> {
    let sql = "SELECT cursor, earliest_ms FROM checkpoints ORDER BY cursor";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut stretches: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let last = stretches.last().map_or(0, |(cursor, _)| *cursor);
    stretches.push((i64::MAX, earliest_after(conn, last)?));
    Ok(stretches)
}

/// Returns the earliest time of the events after a cursor; the end of all times where there is none.
fn earliest_after(conn: &Connection, cursor: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT min(at_ms) FROM events WHERE cursor > ?1";
    let earliest_ms: Option<i64> =
        conn.prepare_cached(sql)?.query_row([cursor], |row| row.get(0))?;
    Ok(earliest_ms.unwrap_or(i64::MAX))
}

/// Returns the time of the first record, before which nothing is known; `None` where there is none.
pub(crate) fn first_record_ms(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    // What was before the first checkpoint may have been removed, but for identities of outages that go on.
    conn.prepare_cached(
        "SELECT coalesce((SELECT latest_ms FROM checkpoints c WHERE cursor = \
            (SELECT min(cursor) FROM checkpoints) \
            AND NOT EXISTS (SELECT 1 FROM events WHERE cursor <= c.cursor AND kind != 11)), \
         (SELECT at_ms FROM events ORDER BY cursor LIMIT 1))",
    )?
    .query_row([], |row| row.get(0))
}

fn newest(conn: &Connection) -> rusqlite::Result<Option<Newest>> {
    conn.prepare_cached(
        "SELECT cursor, at_ms, agents FROM checkpoints ORDER BY cursor DESC LIMIT 1",
    )?
    .query_row([], |row| {
        Ok(Newest { cursor: row.get(0)?, at_ms: row.get(1)?, agents: row.get(2)? })
    })
    .optional()
}

fn last_event(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT max(cursor) FROM events")?.query_row([], |row| row.get(0))
}

fn first_event_ms(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT at_ms FROM events ORDER BY cursor LIMIT 1")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests;
