//! Strips: what happened to one agent in 15 days, packed into a row. Events are in the order of storage,
//! which is that of no agent; an index by agent would be touched in another place by every event, and be
//! larger than the events. A strip is found by one key, and most agents' is a kilobyte.
//!
//! ```text
//! time since the entry before, in ms (zigzag) │ what │ cursor since the entry before │ more       each a LEB128
//! ```
//! The first entry counts from the begin of the slot, and from cursor 0. What: four times the code of the status
//! of a transition, or four times the kind of another event, and 1; and 2 more where the event ends an outage.
//! More: of an identity, its row of `identities`, so that the past is filtered by the hosts and labels of then;
//! of the end of an outage, its missed beats, cause and step, so that an agent's outages are read from its
//! strips alone: in their own table, each is in another page.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::code::EventCode;
use super::event::EventRow;
use super::leb128::{push, take, unzigzag, zigzag};
use crate::store::sql::execute;

/// Length of a slot. Each event writes the strip of its agent again, so that longer ones would make it slower to
/// store that a whole fleet falls silent; of shorter ones a month would be more pages.
pub(crate) const SLOT_MS: i64 = 15 * 86_400_000;
/// Length of a strip above which the next part is begun: a flapping agent must not rewrite an ever longer one.
const PART_BYTES: usize = 4_096;

/// An event of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StripEntry {
    pub(crate) at_ms: i64,
    pub(crate) cursor: i64,
    pub(crate) kind: EventCode,
    /// The code of the status that a transition led to.
    pub(crate) status: Option<i64>,
    /// The row of `identities` that the agent took.
    pub(crate) identity: Option<i64>,
    /// The outage that it ended.
    pub(crate) ended: Option<EndedOutage>,
}

/// What is known at the end of an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndedOutage {
    /// Beats that were missed.
    pub(crate) missed: i64,
    /// Rows of `texts`.
    pub(crate) cause: Option<i64>,
    pub(crate) step: Option<i64>,
}

/// Bits of what an entry is.
const IS_OTHER: i64 = 1;
const ENDS_OUTAGE: i64 = 2;
const WHAT_BITS: u32 = 2;

/// Agents whose strips are read before the next ones are.
const BLOCK_AGENTS: i64 = 256;

/// A key: slot, agent, part.
const AGENT_BITS: u32 = 32;
const PART_BITS: u32 = 12;
const AGENT_MASK: i64 = (1 << AGENT_BITS) - 1;

/// Returns the keys of all parts of a strip.
fn keys(slot: i64, agent: i64) -> RangeInclusive<i64> {
    let first = (slot << (AGENT_BITS + PART_BITS)) | (agent << PART_BITS);
    first..=first | ((1 << PART_BITS) - 1)
}

/// Appends events to the strips of their agents.
pub(super) struct StripWriter<'a> {
    newest_part: CachedStatement<'a>,
    replace: CachedStatement<'a>,
}

impl<'a> StripWriter<'a> {
    pub(super) fn new(conn: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            newest_part: conn.prepare_cached(
                "SELECT key, strip, last_ms, last_cursor FROM strips \
                 WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1",
            )?,
            replace: conn.prepare_cached(
                "INSERT OR REPLACE INTO strips (key, last_ms, last_cursor, strip) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }

    /// Appends an event, and the outage that it ended.
    pub(super) fn append(
        &mut self,
        cursor: i64,
        event: &EventRow,
        ended: Option<EndedOutage>,
    ) -> rusqlite::Result<()> {
        let Some(agent) = event.agent else { return Ok(()) };
        let slot = event.at_ms.div_euclid(SLOT_MS);
        let keys = keys(slot, agent);
        let last: Option<(i64, Vec<u8>, i64, i64)> = self
            .newest_part
            .query_row([keys.start(), keys.end()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let (key, mut strip, last_ms, last_cursor) = match last {
            Some(last) if last.1.len() < PART_BYTES || last.0 == *keys.end() => last,
            Some(full) => (full.0 + 1, Vec::new(), slot * SLOT_MS, 0),
            None => (*keys.start(), Vec::new(), slot * SLOT_MS, 0),
        };
        push(&mut strip, zigzag(event.at_ms - last_ms));
        push(&mut strip, what(event, ended).cast_unsigned());
        push(&mut strip, (cursor - last_cursor).cast_unsigned());
        if event.kind == EventCode::Identity {
            push(&mut strip, event.value.unwrap_or(0).cast_unsigned());
        }
        if let Some(EndedOutage { missed, cause, step }) = ended {
            for number in [missed, cause.unwrap_or(0), step.unwrap_or(0)] {
                push(&mut strip, number.cast_unsigned());
            }
        }
        self.replace.execute(params![key, event.at_ms, cursor, strip])?;
        Ok(())
    }
}

fn what(event: &EventRow, ended: Option<EndedOutage>) -> i64 {
    let ends = if ended.is_some() { ENDS_OUTAGE } else { 0 };
    match (event.kind, event.status) {
        (EventCode::Transition, Some(status)) => (status << WHAT_BITS) | ends,
        (kind, _) => (kind.code() << WHAT_BITS) | ends | IS_OTHER,
    }
}

/// Returns an agent's events between two moments, both included, by their cursors.
pub(crate) fn entries(
    conn: &Connection,
    agent: i64,
    times_ms: &RangeInclusive<i64>,
) -> rusqlite::Result<Vec<StripEntry>> {
    let mut found = Vec::new();
    for slot in slots(conn, times_ms)? {
        read_slot(conn, slot, agent, &mut found)?;
    }
    found.retain(|entry| times_ms.contains(&entry.at_ms));
    found.sort_unstable_by_key(|entry| entry.cursor);
    Ok(found)
}

/// Returns an agent's newest events for which `wanted` holds, `count` of them or some more, by their cursors.
pub(crate) fn newest_entries(
    conn: &Connection,
    agent: i64,
    count: usize,
    wanted: impl Fn(&StripEntry) -> bool,
) -> rusqlite::Result<Vec<StripEntry>> {
    let mut found = Vec::new();
    for slot in slots(conn, &(i64::MIN..=i64::MAX))?.rev() {
        let before = found.len();
        read_slot(conn, slot, agent, &mut found)?;
        let newest = found.split_off(before);
        found.extend(newest.into_iter().filter(&wanted));
        // One slot more: an event can be stamped a little before one that was stored earlier.
        if before >= count {
            break;
        }
    }
    found.sort_unstable_by_key(|entry| entry.cursor);
    Ok(found)
}

/// Visits the events of ranges of agents between two moments, both included, slot by slot: those of an agent
/// in a slot come together, in one part or some, in the order of their cursors.
pub(crate) fn visit(
    conn: &Connection,
    agents: &[RangeInclusive<i64>],
    times_ms: &RangeInclusive<i64>,
    mut visit: impl FnMut(i64, StripEntries<'_>),
) -> rusqlite::Result<()> {
    let sql = "SELECT key, strip FROM strips WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    for slot in slots(conn, times_ms)? {
        for range in agents {
            let (first, last) = (keys(slot, *range.start()), keys(slot, *range.end()));
            let mut rows = statement.query([first.start(), last.end()])?;
            while let Some(row) = rows.next()? {
                let agent = (row.get::<_, i64>(0)? >> PART_BITS) & AGENT_MASK;
                let strip = row.get_ref(1)?.as_blob()?;
                visit(agent, StripEntries::new(slot, strip, times_ms.clone()));
            }
        }
    }
    Ok(())
}

/// The entries of a strip between two moments.
pub(crate) struct StripEntries<'a> {
    rest: &'a [u8],
    at_ms: i64,
    cursor: i64,
    times_ms: RangeInclusive<i64>,
}

impl<'a> StripEntries<'a> {
    fn new(slot: i64, strip: &'a [u8], times_ms: RangeInclusive<i64>) -> Self {
        Self { rest: strip, at_ms: slot * SLOT_MS, cursor: 0, times_ms }
    }

    /// Decodes them; bytes that are none end the strip. Returns whether all are some.
    ///
    /// An iterator, and any function between, would copy each of the millions of them.
    pub(crate) fn for_each(self, mut visit: impl FnMut(&StripEntry)) -> bool {
        let Self { mut rest, mut at_ms, mut cursor, times_ms } = self;
        let mut try_visit = || {
            if rest.is_empty() {
                return Some(false);
            }
            at_ms = at_ms.checked_add(unzigzag(take(&mut rest)?))?;
            let what = take(&mut rest)?.cast_signed();
            cursor = cursor.checked_add(take(&mut rest)?.cast_signed())?;
            let (kind, status) = match what & IS_OTHER {
                0 => (EventCode::Transition, Some(what >> WHAT_BITS)),
                _ => (EventCode::from_code(what >> WHAT_BITS)?, None),
            };
            let identity = match kind {
                EventCode::Identity => Some(take(&mut rest)?.cast_signed()),
                _ => None,
            };
            let ended = match what & ENDS_OUTAGE {
                0 => None,
                _ => {
                    let missed = take(&mut rest)?.cast_signed();
                    let (cause, step) =
                        (take(&mut rest)?.cast_signed(), take(&mut rest)?.cast_signed());
                    let text = |id: i64| Some(id).filter(|id| *id > 0);
                    Some(EndedOutage { missed, cause: text(cause), step: text(step) })
                }
            };
            if times_ms.contains(&at_ms) {
                visit(&StripEntry { at_ms, cursor, kind, status, identity, ended });
            }
            Some(true)
        };
        loop {
            match try_visit() {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
        }
    }
}

/// Returns the slots that there are between two moments.
fn slots(
    conn: &Connection,
    times_ms: &RangeInclusive<i64>,
) -> rusqlite::Result<RangeInclusive<i64>> {
    let end = |sql: &str| -> rusqlite::Result<Option<i64>> {
        conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
    };
    let first =
        end("SELECT min(key) FROM strips")?.map_or(0, |key| key >> (AGENT_BITS + PART_BITS));
    let last =
        end("SELECT max(key) FROM strips")?.map_or(-1, |key| key >> (AGENT_BITS + PART_BITS));
    let slot = |ms: i64| ms.div_euclid(SLOT_MS);
    Ok(first.max(slot(*times_ms.start()))..=last.min(slot(*times_ms.end())))
}

/// Calls `visit` with the agents of a range that have events between two moments, both included, and with
/// those, by their cursors. The agents come in no particular order.
pub(crate) fn visit_agents(
    conn: &Connection,
    agents: &RangeInclusive<i64>,
    times_ms: &RangeInclusive<i64>,
    mut visit: impl FnMut(i64, &[StripEntry]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT key, strip FROM strips WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    let slots = slots(conn, times_ms)?;
    let mut first = *agents.start();
    while first <= *agents.end() {
        let last = first.saturating_add(BLOCK_AGENTS - 1).min(*agents.end());
        let mut found = HashMap::<i64, Vec<StripEntry>>::new();
        for slot in slots.clone() {
            let (from, to) = (*keys(slot, first).start(), *keys(slot, last).end());
            let mut rows = statement.query([from, to])?;
            while let Some(row) = rows.next()? {
                let agent = (row.get::<_, i64>(0)? >> PART_BITS) & AGENT_MASK;
                decode(slot, row.get_ref(1)?.as_blob()?, found.entry(agent).or_default());
            }
        }
        for (agent, mut entries) in found {
            entries.retain(|entry| times_ms.contains(&entry.at_ms));
            entries.sort_unstable_by_key(|entry| entry.cursor);
            visit(agent, &entries)?;
        }
        first = last + 1;
    }
    Ok(())
}

/// Returns an agent's events up to a moment, by their cursors: those since the last one for which `is_enough`
/// holds, and some before; all of them where there is none.
pub(super) fn entries_back(
    conn: &Connection,
    agent: i64,
    until_ms: i64,
    is_enough: impl Fn(&StripEntry) -> bool,
) -> rusqlite::Result<Vec<StripEntry>> {
    let mut found = Vec::new();
    let mut has_enough = false;
    for slot in slots(conn, &(i64::MIN..=until_ms))?.rev() {
        read_slot(conn, slot, agent, &mut found)?;
        found.retain(|entry| entry.at_ms <= until_ms);
        // One slot more: an event can be stamped a little before one that was stored earlier.
        if std::mem::replace(&mut has_enough, found.iter().any(&is_enough)) {
            break;
        }
    }
    found.sort_unstable_by_key(|entry| entry.cursor);
    Ok(found)
}

fn read_slot(
    conn: &Connection,
    slot: i64,
    agent: i64,
    found: &mut Vec<StripEntry>,
) -> rusqlite::Result<()> {
    let keys = keys(slot, agent);
    let sql = "SELECT strip FROM strips WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([keys.start(), keys.end()])?;
    while let Some(row) = rows.next()? {
        decode(slot, row.get_ref(0)?.as_blob()?, found);
    }
    Ok(())
}

/// Decodes a strip of the first slot; `None` where bytes are left over.
pub(crate) fn decode_checked(strip: &[u8]) -> Option<Vec<StripEntry>> {
    let mut found = Vec::new();
    let is_whole = StripEntries::new(0, strip, i64::MIN..=i64::MAX).for_each(|it| found.push(*it));
    is_whole.then_some(found)
}

/// Decodes a strip; bytes that are none end it.
fn decode(slot: i64, strip: &[u8], found: &mut Vec<StripEntry>) {
    StripEntries::new(slot, strip, i64::MIN..=i64::MAX).for_each(|entry| found.push(*entry));
}

/// Removes the strips of slots that are over before a moment, at most `limit`; returns how many.
pub(super) fn prune(conn: &Connection, before_ms: i64, limit: u32) -> rusqlite::Result<usize> {
    let first_kept = before_ms.div_euclid(SLOT_MS) << (AGENT_BITS + PART_BITS);
    let sql = "DELETE FROM strips WHERE key IN \
               (SELECT key FROM strips WHERE key < ?1 ORDER BY key LIMIT ?2)";
    execute(conn, sql, params![first_kept, limit])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::open;
    use super::*;

    fn event(at_ms: i64, agent: i64, status: Option<i64>) -> EventRow {
        let kind = match status {
            Some(_) => EventCode::Transition,
            None if at_ms % 2 == 0 => EventCode::Identity,
            None => EventCode::Session,
        };
        EventRow { status, value: Some(at_ms % 500), ..EventRow::of_agent(kind, agent, at_ms) }
    }

    #[test]
    fn an_agent_has_its_own_events_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut expected, mut at_ms) = (Vec::new(), 20_000 * 86_400_000_i64);
        let tx = conn.transaction().unwrap();
        let mut writer = StripWriter::new(&tx).unwrap();
        for cursor in 1..=9_000 {
            at_ms += rng.i64(0..1_200_000);
            let agent = rng.i64(1..=3);
            let status = (rng.u8(..4) > 0).then(|| rng.i64(0..100));
            let stamp_ms = at_ms - rng.i64(0..10_000);
            let event = event(stamp_ms, agent, status);
            let ended = (status == Some(5)).then(|| EndedOutage {
                missed: stamp_ms % 1_000,
                cause: Some(stamp_ms % 200).filter(|id| *id > 0),
                step: None,
            });
            writer.append(cursor, &event, ended).unwrap();
            let identity = event.value.filter(|_| event.kind == EventCode::Identity);
            let kind = event.kind;
            let entry = StripEntry { at_ms: stamp_ms, cursor, kind, status, identity, ended };
            expected.push((agent, entry));
        }
        drop(writer);
        tx.commit().unwrap();
        let count = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert!(count("SELECT count(*) FROM strips WHERE key & 4095 > 0") > 0, "some have parts");
        assert!(count("SELECT max(length(strip)) FROM strips") <= PART_BYTES as i64 + 30);
        for agent in 1..=3 {
            let of_agent = |it: &&(i64, StripEntry)| it.0 == agent;
            let all: Vec<StripEntry> = expected.iter().filter(of_agent).map(|it| it.1).collect();
            assert_eq!(entries(&conn, agent, &(i64::MIN..=i64::MAX)).unwrap(), all);
            let range = at_ms - 40 * 86_400_000..=at_ms - 20 * 86_400_000;
            let within: Vec<_> =
                all.iter().copied().filter(|it| range.contains(&it.at_ms)).collect();
            assert_eq!(entries(&conn, agent, &range).unwrap(), within);
            let is_transition = |it: &StripEntry| it.status.is_some();
            let newest = newest_entries(&conn, agent, 50, is_transition).unwrap();
            let wanted: Vec<_> = all.iter().copied().filter(is_transition).collect();
            assert!(newest.len() >= 50 && wanted.ends_with(&newest), "{}", newest.len());
        }
        assert_eq!(entries(&conn, 4, &(i64::MIN..=i64::MAX)).unwrap(), []);
        let (from_ms, until_ms) = (at_ms - 40 * 86_400_000, at_ms - 20 * 86_400_000);
        let (mut visited, last) = (BTreeMap::new(), 1 << 20);
        visit_agents(&conn, &(2..=last), &(from_ms..=until_ms), |agent, entries| {
            assert!(visited.insert(agent, entries.to_vec()).is_none(), "each once");
            Ok(())
        })
        .unwrap();
        for agent in 2..=3 {
            let one = entries(&conn, agent, &(from_ms..=until_ms)).unwrap();
            assert_eq!(visited.remove(&agent), Some(one));
            let is_seven = |it: &StripEntry| it.status == Some(7);
            let back = entries_back(&conn, agent, until_ms, is_seven).unwrap();
            let all = entries(&conn, agent, &(i64::MIN..=until_ms)).unwrap();
            assert!(all.ends_with(&back) && back.iter().any(is_seven) && back.len() < all.len());
            assert_eq!(entries_back(&conn, agent, until_ms, |_| false).unwrap(), all);
        }
        assert!(visited.is_empty());
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_strip_end_it(bytes: Vec<u8>) {
            decode(690, &bytes, &mut Vec::new());
        }
    }
}
