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
/// anything; `None` while that slot is not over. Then the mark moves up to the first slot that is
/// not: readers need not look for finer rows before it.
fn next_slot(
    conn: &Connection,
    from: Level,
    into: Level,
    now_ms: i64,
) -> rusqlite::Result<Option<Mark>> {
    let mark = Mark::of(conn, into)?;
    let open = into.slot(now_ms.saturating_sub(GRACE_MS));
    let first = from.first(conn, mark.slot.saturating_mul(from.slots_in(into)))?;
    match first.map(|first| first.div_euclid(from.slots_in(into))) {
        Some(slot) if slot < open => {
            Ok(Some(if slot == mark.slot { mark } else { Mark { slot, agent: 0 } }))
        }
        _ => {
            if mark.slot < open {
                Mark { slot: open, agent: 0 }.store(conn, into)?;
            }
            Ok(None)
        }
    }
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

#[cfg(test)]
mod tests {
    use heartline_config::Retention;
    use heartline_fleet::{HistoryDbRow, MonoTime, WorkRow, WriteTicket};
    use heartline_protocol::bucket;
    use heartline_vocabulary::AgentRowId;
    use heartline_vocabulary::WorkTotals;

    use super::*;
    use crate::clock::WallClockAnchor;
    use crate::store::history::{batch, open, prune};
    use crate::store::rollup::Sums;

    const HOUR_MS: i64 = 3_600_000;
    const AGENT_IDS: [i64; 4] = [1, 2, 300, 999];

    /// Everything that is kept of an agent: coarse rows, and finer ones that are not in them yet.
    fn kept(conn: &Connection, agent: i64) -> Rollup {
        let (marks, mut sum) = (Marks::read(conn).unwrap(), Rollup::default());
        for level in [Level::Minute, Level::Hour, Level::Day] {
            let sql = format!("SELECT slot FROM {} WHERE agent_id = ?1", level.table());
            let mut statement = conn.prepare(&sql).unwrap();
            let slots: Vec<i64> = statement
                .query_map([agent], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            for slot in slots {
                let is_folded = level.coarser().is_some_and(|coarser| {
                    let mark = marks.of(coarser).unwrap();
                    mark.has(slot.div_euclid(level.slots_in(coarser)), agent)
                });
                if !is_folded {
                    let add = |sums: &Sums, latency: &[u8]| {
                        sum.sums.add(sums);
                        sum.latency.add_packed(latency);
                    };
                    level.read(conn, slot, agent, add).unwrap();
                }
            }
        }
        sum
    }

    fn rows(conn: &Connection, level: Level) -> i64 {
        let sql = format!("SELECT count(*) FROM {}", level.table());
        conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    fn work(number: u64, id: i64, at_ms: i64, random: u64) -> (WorkRow, Rollup) {
        let mut latency = Vec::new();
        bucket::pack(&mut latency, (random % 900) as u16, 1 + random % 5);
        let row = WorkRow {
            ticket: WriteTicket(number),
            id: AgentRowId(id),
            session: 1,
            segment: number,
            at: MonoTime::from_millis(at_ms),
            work: WorkTotals {
                ok: random % 7,
                failed: random % 3,
                cost_nano_usd: random % 1_000_000,
                tokens_in: random % 100,
                tokens_out: random % 10,
            },
            latency: latency.as_slice().into(),
            beats: 1,
            lost: 0,
        };
        let mut rollup = Rollup { sums: Sums::of(&row), ..Rollup::default() };
        rollup.latency.add_packed(&latency);
        (row, rollup)
    }

    /// Four days of work, with rows that come hours and days late, while folding and pruning go on
    /// in between: at every moment what is kept is what came.
    #[test]
    fn nothing_is_lost_or_counted_twice_by_folding_and_pruning() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        conn.execute("INSERT INTO agents (id, name, first_seen_ms) VALUES (999, 'last', 0)", [])
            .unwrap();
        let anchor = WallClockAnchor::new(MonoTime::from_nanos(0), 0);
        let retention = Retention {
            minutes: std::time::Duration::from_secs(2 * 3_600),
            hours: std::time::Duration::from_secs(48 * 3_600),
        };
        let mut expected = BTreeMap::<i64, Rollup>::new();
        let mut rng = fastrand::Rng::with_seed(0x5eed);
        for number in 1..=3_000u64 {
            let now_ms = number as i64 * 4 * 24 * HOUR_MS / 3_000;
            let id = AGENT_IDS[rng.usize(..AGENT_IDS.len())];
            let late_ms = match rng.u8(..20) {
                0 => 30 * HOUR_MS,
                1..4 => 3 * HOUR_MS,
                _ => 0,
            };
            let at_ms = (now_ms - late_ms).max(0);
            let (row, rollup) = work(number, id, at_ms, rng.u64(..));
            let entry = expected.entry(id).or_default();
            entry.sums.add(&rollup.sums);
            let mut packed = Vec::new();
            rollup.latency.pack(&mut packed);
            entry.latency.add_packed(&packed);
            let row = HistoryDbRow::Work(Box::new(row));
            batch::commit(&mut conn, [(&row, anchor)].into_iter(), now_ms).unwrap();
            step(&mut conn, now_ms).unwrap();
            prune::step(&conn, &retention, now_ms).unwrap();
            if number % 50 == 0 {
                for (&id, expected) in &expected {
                    assert_eq!(&kept(&conn, id), expected, "agent {id} after {number} rows");
                }
            }
        }
        let end_ms = 5 * 24 * HOUR_MS;
        while step(&mut conn, end_ms).unwrap() {}
        while prune::step(&conn, &retention, end_ms).unwrap() {}
        for (&id, expected) in &expected {
            assert_eq!(&kept(&conn, id), expected, "agent {id} at the end");
        }
        assert_eq!(rows(&conn, Level::Minute), 0, "all are folded and older than two hours");
        assert!(rows(&conn, Level::Day) >= 12, "four agents, more than three days");
        let hours = rows(&conn, Level::Hour);
        assert!((1..=4 * 49).contains(&hours), "two days of hours: {hours}");
    }

    /// A transaction that the disk refuses changes nothing, and goes through when there is room.
    #[test]
    fn a_full_disk_takes_all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let anchor = WallClockAnchor::new(MonoTime::from_nanos(0), 0);
        let rows: Vec<HistoryDbRow> = (1..=3_000)
            .map(|number| HistoryDbRow::Work(Box::new(work(number, number as i64, 0, number).0)))
            .collect();
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = |conn: &Connection, pages: i64| {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        limit(&conn, pages + 10);
        let refused =
            batch::commit(&mut conn, rows.iter().map(|row| (row, anchor)), 1).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        let count = |conn: &Connection| -> i64 {
            conn.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&conn), 0);
        limit(&conn, 1 << 30);
        let done = batch::commit(&mut conn, rows.iter().map(|row| (row, anchor)), 1).unwrap();
        assert_eq!(
            (count(&conn), done.highest, done.known),
            (3_000, Some(WriteTicket(3_000)), vec![])
        );
    }
}
