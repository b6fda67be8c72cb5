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
    let fleet = fleet_now(&tx)?;
    write(&tx, last, &fleet, now_ms)?;
    tx.commit()
}

/// Writes a checkpoint after the last event that is earlier than a time, if there is one that is; returns its
/// cursor. What was before it can be removed then.
pub(super) fn write_before(tx: &Connection, before_ms: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT cursor FROM events WHERE at_ms >= ?1 ORDER BY cursor LIMIT 1";
    let first_kept: Option<i64> =
        tx.prepare_cached(sql)?.query_row([before_ms], |row| row.get(0)).optional()?;
    let kept = first_kept.unwrap_or(i64::MAX);
    let sql = "SELECT max(cursor) FROM events WHERE cursor < ?1";
    let last: Option<i64> = tx.prepare_cached(sql)?.query_row([kept], |row| row.get(0))?;
    let Some(last) = last else { return Ok(None) };
    let (base, mut fleet) = base(tx, "cursor <= ?1", last)?;
    replay(tx, base, &mut fleet, |cursor, _| match cursor <= last {
        true => Step::Apply,
        false => Step::Stop,
    })?;
    write(tx, last, &fleet, before_ms)?;
    Ok(Some(last))
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
    let first = "SELECT coalesce(min(cursor), 0x7fffffffffffffff) FROM events";
    let first: i64 = conn.prepare_cached(first)?.query_row([], |row| row.get(0))?;
    Ok(base(conn, "cursor < ?1", first)?.1)
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
        | EventCode::Gap => {}
    }
    Ok(())
}

fn decode_fleet(taken_ms: i64, encoded: &[u8]) -> rusqlite::Result<PastFleet> {
    let agents: Vec<StoredAgent> = rmp_serde::from_slice(encoded).map_err(|error| {
        let blob = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(2, blob, Box::new(error))
    })?;
    let mut id = 0;
    let agents = agents.into_iter().map(|(step, status, age_ms, starts, pid, identity, outage)| {
        id += step;
        let since_ms = taken_ms.saturating_sub(age_ms);
        (id, PastAgent { status, since_ms, starts, pid, identity, outage })
    });
    Ok(agents.collect())
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
            None => {
                let sql = "SELECT min(at_ms) FROM events WHERE cursor > ?1";
                let tail: Option<i64> =
                    conn.prepare_cached(sql)?.query_row([cursor], |row| row.get(0))?;
                tail.unwrap_or(i64::MAX)
            }
        };
        if follows < until_ms {
            break;
        }
        (last, earliest_ms) = (cursor, Some(row.get(1)?));
    }
    Ok(last)
}

/// Returns the time of the first record, before which nothing is known; `None` where there is none.
pub(crate) fn first_record_ms(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    // What was before the first checkpoint may have been removed.
    conn.prepare_cached(
        "SELECT coalesce((SELECT latest_ms FROM checkpoints c WHERE cursor = \
            (SELECT min(cursor) FROM checkpoints) \
            AND NOT EXISTS (SELECT 1 FROM events WHERE cursor <= c.cursor)), \
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
mod tests {
    use std::time::Duration;

    use heartline_config::Retention;
    use heartline_vocabulary::{AgentStatus, Reason};

    use super::super::event::{EventRow, EventWriter};
    use super::super::{open, prune};
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    const AGENTS: i64 = 7;

    struct Recorded {
        conn: Connection,
        /// As they were stored: time, agent, kind, status or value.
        events: Vec<(i64, i64, EventCode, i64)>,
    }

    impl Recorded {
        fn append(&mut self, at_ms: i64, id: i64, kind: EventCode, number: i64) {
            let is_transition = kind == EventCode::Transition;
            let (status, value) =
                if is_transition { (Some(number), None) } else { (None, Some(number)) };
            let event = EventRow { status, value, ..EventRow::of_agent(kind, id, at_ms) };
            let tx = self.conn.transaction().unwrap();
            EventWriter::new(&tx).unwrap().append(&event).unwrap();
            let sql = match kind {
                EventCode::Transition => {
                    "UPDATE agents SET status = ?2, since_ms = ?3 WHERE id = ?1"
                }
                EventCode::Session => "UPDATE agents SET starts = ?2 WHERE id = ?1 AND ?3 > 0",
                _ => {
                    "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, 'agent', ?3) \
                      ON CONFLICT DO UPDATE SET status = status + 0 * ?2"
                }
            };
            tx.execute(sql, params![id, number, at_ms]).unwrap();
            tx.commit().unwrap();
            self.events.push((at_ms, id, kind, number));
        }

        /// What a reader of all events would say, who ignores those that were stamped later.
        fn expected(&self, at_ms: i64) -> PastFleet {
            let mut fleet = PastFleet::new();
            for (cursor, &(event_ms, id, kind, number)) in (1..).zip(&self.events) {
                if event_ms > at_ms {
                    continue;
                }
                let agent = fleet.entry(id).or_default();
                match kind {
                    EventCode::Transition => {
                        (agent.status, agent.since_ms) = (number, event_ms);
                        let is_out = matches!(number % 8, 2 | 3);
                        agent.outage = is_out.then(|| agent.outage.unwrap_or(cursor));
                    }
                    EventCode::Session => agent.starts = u32::try_from(number).unwrap(),
                    _ => agent.since_ms = event_ms,
                }
            }
            fleet
        }
    }

    /// Weeks of transitions, of which some are stamped a little before others that are stored earlier, with
    /// checkpoints and with pruning: at every moment that is kept the fleet is what it was.
    #[test]
    fn every_moment_is_what_it_was_whatever_was_pruned() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut recorded = Recorded { conn, events: Vec::new() };
        let mut rng = fastrand::Rng::with_seed(0x5eed);
        let statuses = [
            AgentStatus::HEALTHY,
            AgentStatus::degraded(Reason::Late),
            AgentStatus::unreachable(Reason::Silent),
            AgentStatus::killed(Reason::Operator),
        ];
        (1..=AGENTS).for_each(|id| recorded.append(id, id, EventCode::Registered, 0));
        let days = Duration::from_secs(10 * 86_400);
        let retention = Retention { events: days, ..Retention::default() };
        let (mut now_ms, mut checkpoints_seen) = (0, 0);
        while now_ms < 30 * DAY_MS {
            now_ms += rng.i64(1..40 * MINUTE_MS);
            let (id, late_ms) = (rng.i64(1..=AGENTS), rng.i64(0..DISORDER_MS));
            let status = StatusCode(statuses[rng.usize(..statuses.len())]).code();
            if rng.u8(..10) == 0 {
                recorded.append(now_ms, id, EventCode::Session, rng.i64(1..99));
            } else {
                recorded.append(now_ms - late_ms, id, EventCode::Transition, status);
            }
            step(&mut recorded.conn, now_ms).unwrap();
            if rng.u8(..50) == 0 {
                while prune::step(&mut recorded.conn, &retention, now_ms).unwrap() {}
                let count = "SELECT count(*) FROM checkpoints";
                checkpoints_seen +=
                    recorded.conn.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
                let first_ms = first_record_ms(&recorded.conn).unwrap().unwrap();
                assert!(first_ms <= (now_ms - 10 * DAY_MS).max(7), "the retention is kept");
                for _ in 0..20 {
                    let at_ms = rng.i64(first_ms..=now_ms);
                    assert_eq!(fleet_at(&recorded.conn, at_ms).unwrap(), recorded.expected(at_ms));
                }
            }
        }
        assert!(checkpoints_seen > 100, "{checkpoints_seen}");
        let first: i64 = recorded
            .conn
            .query_row("SELECT min(cursor) FROM events", [], |row| row.get(0))
            .unwrap();
        assert!(first > 500, "old events were removed");
    }

    /// Whatever the range, all its events lie between the two cursors, and few others do.
    #[test]
    fn a_range_of_times_is_a_range_of_cursors() {
        let dir = tempfile::tempdir().unwrap();
        let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut recorded = Recorded { conn, events: Vec::new() };
        let mut rng = fastrand::Rng::with_seed(7);
        let mut now_ms = 0;
        for _ in 0..2_000 {
            // The clock is set back now and then.
            now_ms += if rng.u8(..200) == 0 { -3 * 3_600_000 } else { rng.i64(0..30 * MINUTE_MS) };
            recorded.append(now_ms, 1, EventCode::Session, 1);
            step(&mut recorded.conn, now_ms).unwrap();
        }
        for _ in 0..200 {
            let since_ms = rng.i64(0..now_ms);
            let until_ms = rng.i64(since_ms..=now_ms);
            let first = first_since(&recorded.conn, since_ms).unwrap();
            let last = last_until(&recorded.conn, until_ms).unwrap();
            for (at, (event_ms, ..)) in recorded.events.iter().enumerate() {
                let cursor = at as i64 + 1;
                let is_between = (first..=last).contains(&cursor);
                assert!(is_between || !(since_ms..until_ms).contains(event_ms), "event {cursor}");
            }
        }
    }
}
