//! Folding of minutes into hours, and of hours into days.
//!
//! Folding goes through the agents of one whole hour (day) after another, a few hundred at a time,
//! and a [`FoldCursor`] marks how far it has come. Each chunk and its cursor are one transaction,
//! so every row is folded exactly once. A row that comes later, for an hour that has been folded,
//! is added to that hour as well ([`add`]): a coarser table always holds exactly the sum of the
//! finer rows up to its cursor.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::agents;
use super::resolution::RollupResolution;
use crate::store::meta;
use crate::store::rollup::{Rollup, RollupSum};

/// Time after a slot's end at which it is folded. Work that comes later costs a second write.
pub(super) const GRACE_MS: i64 = 10 * 60_000;
/// Range of agent ids of one chunk.
pub(super) const CHUNK_AGENTS: i64 = 256;
/// Version of the sums of all agents.
const FLEET_ROLLUPS_VERSION: i64 = 1;
/// Key of the table `meta`.
const FLEET_ROLLUPS: &str = "fleet_rollups_version";
/// Chunks without rows that one step skips.
pub(super) const EMPTY_CHUNKS: usize = 64;

/// How far folding into a table is: everything before `slot`, and in it the agents up to `agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FoldCursor {
    pub(crate) slot: i64,
    pub(crate) agent: i64,
}

impl FoldCursor {
    fn read(conn: &Connection, into: RollupResolution) -> rusqlite::Result<Self> {
        let cursor = conn
            .prepare_cached("SELECT slot, agent_id FROM folds WHERE into_table = ?1")?
            .query_row([into.table()], |row| Ok(Self { slot: row.get(0)?, agent: row.get(1)? }))
            .optional()?;
        Ok(cursor.unwrap_or(Self { slot: i64::MIN, agent: 0 }))
    }

    pub(super) fn write(self, conn: &Connection, into: RollupResolution) -> rusqlite::Result<()> {
        conn.prepare_cached("INSERT OR REPLACE INTO folds VALUES (?1, ?2, ?3)")?
            .execute(params![into.table(), self.slot, self.agent])?;
        Ok(())
    }

    /// Returns whether an agent's rows of a slot have been folded.
    pub(crate) fn includes(self, slot: i64, agent: i64) -> bool {
        slot < self.slot || (slot == self.slot && agent <= self.agent)
    }
}

/// The cursors of both tables that are folded into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoldCursors {
    pub(crate) hours: FoldCursor,
    pub(crate) days: FoldCursor,
}

impl FoldCursors {
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            hours: FoldCursor::read(conn, RollupResolution::Hour)?,
            days: FoldCursor::read(conn, RollupResolution::Day)?,
        })
    }

    /// Returns how far folding into a table is; `None`: nothing is folded into it.
    pub(crate) fn get(&self, into: RollupResolution) -> Option<FoldCursor> {
        match into {
            RollupResolution::Minute => None,
            RollupResolution::Hour => Some(self.hours),
            RollupResolution::Day => Some(self.days),
        }
    }
}

/// Adds rollups of agents to a slot, and to every coarser one that it has been folded into; of each, to the
/// fleet's as well.
pub(super) fn add(
    tx: &Transaction<'_>,
    cursors: &FoldCursors,
    (resolution, slot): (RollupResolution, i64),
    rollups: &BTreeMap<i64, Rollup>,
) -> rusqlite::Result<()> {
    let coarser = resolution
        .coarser()
        .map(|coarser| (coarser, slot.div_euclid(resolution.slots_in(coarser))));
    let (mut sum, mut folded) = (RollupSum::default(), BTreeMap::new());
    for (&agent, rollup) in rollups {
        resolution.add(tx, slot, agent, rollup.clone())?;
        sum.add_rollup(rollup);
        let includes = |(coarser, slot)| {
            cursors.get(coarser).is_some_and(|cursor| cursor.includes(slot, agent))
        };
        if coarser.is_some_and(includes) {
            folded.insert(agent, rollup.clone());
        }
    }
    resolution.add_to_fleet(tx, slot, &mut sum)?;
    match coarser {
        Some(coarser) if !folded.is_empty() => add(tx, cursors, coarser, &folded),
        _ => Ok(()),
    }
}

/// Computes the sums of all agents anew, where another version of this program did, or none.
pub(super) fn rebuild_fleet_if_outdated(conn: &mut Connection) -> rusqlite::Result<()> {
    if meta::get(conn, FLEET_ROLLUPS)? == Some(FLEET_ROLLUPS_VERSION) {
        return Ok(());
    }
    let tx = conn.transaction()?;
    rebuild_fleet(&tx)?;
    tx.commit()
}

/// Computes the sums of all agents from their rollups.
pub(super) fn rebuild_fleet(conn: &Connection) -> rusqlite::Result<()> {
    for resolution in RollupResolution::ALL {
        resolution.rebuild_fleet(conn)?;
    }
    meta::set(conn, FLEET_ROLLUPS, FLEET_ROLLUPS_VERSION)?;
    Ok(())
}

/// Folds one chunk, if one is due; returns whether there may be more.
pub(super) fn step(conn: &mut Connection, now_ms: i64) -> rusqlite::Result<bool> {
    Ok(fold_into(conn, RollupResolution::Minute, RollupResolution::Hour, now_ms)?
        || fold_into(conn, RollupResolution::Hour, RollupResolution::Day, now_ms)?)
}

fn fold_into(
    conn: &mut Connection,
    from: RollupResolution,
    into: RollupResolution,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let Some(mut cursor) = next_chunk(conn, from, into, now_ms)? else { return Ok(false) };
    let last_agent = agents::last_id(conn)?;
    let tx = conn.transaction()?;
    for _ in 0..EMPTY_CHUNKS {
        let through = cursor.agent.saturating_add(CHUNK_AGENTS);
        let folded = fold_chunk(&tx, from, into, cursor.slot, cursor.agent + 1..=through)?;
        cursor.agent = through;
        if through >= last_agent {
            cursor = FoldCursor { slot: cursor.slot + 1, agent: 0 };
            break;
        }
        if folded > 0 {
            break;
        }
    }
    cursor.write(&tx, into)?;
    tx.commit()?;
    Ok(true)
}

/// Returns where the next chunk begins: at the cursor or, if nothing is left in its slot, at the
/// next slot that has rows; `None` while that slot is not over. Then the cursor moves to the first
/// slot that is not over, so that readers need no finer rows before it.
fn next_chunk(
    conn: &Connection,
    from: RollupResolution,
    into: RollupResolution,
    now_ms: i64,
) -> rusqlite::Result<Option<FoldCursor>> {
    let cursor = FoldCursor::read(conn, into)?;
    let open = into.slot(now_ms.saturating_sub(GRACE_MS));
    let first = from.first_slot(conn, cursor.slot.saturating_mul(from.slots_in(into)))?;
    match first.map(|first| first.div_euclid(from.slots_in(into))) {
        Some(slot) if slot < open => {
            Ok(Some(if slot == cursor.slot { cursor } else { FoldCursor { slot, agent: 0 } }))
        }
        _ => {
            if cursor.slot < open {
                FoldCursor { slot: open, agent: 0 }.write(conn, into)?;
            }
            Ok(None)
        }
    }
}

fn fold_chunk(
    tx: &Transaction<'_>,
    from: RollupResolution,
    into: RollupResolution,
    slot: i64,
    agents: RangeInclusive<i64>,
) -> rusqlite::Result<usize> {
    let mut rollups = BTreeMap::<i64, Rollup>::new();
    let (per_slot, cursors) = (from.slots_in(into), FoldCursors::read(tx)?);
    for fine in slot * per_slot..(slot + 1) * per_slot {
        from.visit(tx, fine, &agents, |agent, counts, latency| {
            rollups.entry(agent).or_default().add(counts, latency);
        })?;
    }
    if !rollups.is_empty() {
        add(tx, &cursors, (into, slot), &rollups)?;
    }
    Ok(rollups.len())
}

#[cfg(test)]
mod tests {
    use heartline_config::Retention;
    use heartline_fleet::{HistoryDbRow, MonoTime, WorkRow, WriteTicket};
    use heartline_protocol::bucket;
    use heartline_vocabulary::{AgentRowId, WorkTotals};

    use super::*;
    use crate::clock::{AliveMoment, WallClockAnchor};
    use crate::store::commit_number::CommitNumbers;
    use crate::store::history::{commit, open, prune};
    use crate::store::rollup::WorkCounts;

    const HOUR_MS: i64 = 3_600_000;
    const AGENT_IDS: [i64; 4] = [1, 2, 300, 999];

    /// Sums up what is stored of an agent: coarse rows, and finer ones that are not folded yet.
    fn stored(conn: &Connection, agent: i64) -> Rollup {
        let (cursors, mut sum) = (FoldCursors::read(conn).unwrap(), Rollup::default());
        for resolution in [RollupResolution::Minute, RollupResolution::Hour, RollupResolution::Day]
        {
            let sql = format!("SELECT slot FROM {} WHERE agent_id = ?1", resolution.table());
            let mut statement = conn.prepare(&sql).unwrap();
            let slots: Vec<i64> = statement
                .query_map([agent], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            for slot in slots {
                let is_folded = resolution.coarser().is_some_and(|coarser| {
                    let cursor = cursors.get(coarser).unwrap();
                    cursor.includes(slot.div_euclid(resolution.slots_in(coarser)), agent)
                });
                if !is_folded {
                    let add = |_, counts: &WorkCounts, latency: &[u8]| sum.add(counts, latency);
                    resolution.visit(conn, slot, &(agent..=agent), add).unwrap();
                }
            }
        }
        sum
    }

    /// Checks that what is stored of the fleet is the sum of what is stored of its agents.
    fn check_fleet(conn: &Connection) {
        for resolution in RollupResolution::ALL {
            let mut next = resolution.first_slot(conn, i64::MIN).unwrap();
            while let Some(slot) = next {
                let (mut agents, mut fleet) = (Rollup::default(), Rollup::default());
                let add = |_, counts: &WorkCounts, latency: &[u8]| agents.add(counts, latency);
                resolution.visit(conn, slot, &(0..=i64::MAX), add).unwrap();
                let add = |counts: &WorkCounts, latency: &[u8]| fleet.add(counts, latency);
                resolution.visit_fleet(conn, slot..slot + 1, add).unwrap();
                let is_pruned_in_part = resolution.first_slot(conn, i64::MIN).unwrap()
                    == Some(slot)
                    && resolution != RollupResolution::Day;
                assert!(agents == fleet || is_pruned_in_part, "{resolution:?} {slot}");
                next = resolution.first_slot(conn, slot + 1).unwrap();
            }
        }
    }

    fn rows(conn: &Connection, resolution: RollupResolution) -> i64 {
        let sql = format!("SELECT count(*) FROM {}", resolution.table());
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
            quality: heartline_fleet::QualityRecord::default(),
            beats: 1,
            lost: 0,
        };
        let mut rollup = Rollup::default();
        rollup.add(&WorkCounts::from_work(&row), &latency);
        (row, rollup)
    }

    /// Four days of work, with rows that come hours and days late, while folding and pruning go on
    /// in between: at every moment what is stored is what came.
    #[test]
    fn nothing_is_lost_or_counted_twice_by_folding_and_pruning() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        conn.pragma_update(None, "synchronous", "OFF").unwrap();
        conn.execute("INSERT INTO agents (id, name, first_seen_ms) VALUES (999, 'last', 0)", [])
            .unwrap();
        let anchor = WallClockAnchor::new(MonoTime::from_nanos(0), 0);
        let numbers = CommitNumbers::default();
        let context = commit::CommitContext { alive: AliveMoment::default(), numbers: &numbers };
        let retention = Retention {
            minutes: std::time::Duration::from_secs(2 * 3_600),
            hours: std::time::Duration::from_secs(48 * 3_600),
            ..Retention::default()
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
            entry.add(&rollup.counts, &rollup.latency.pack());
            let row = HistoryDbRow::Work(Box::new(row));
            commit::commit(&mut conn, [(&row, anchor)].into_iter(), &context).unwrap();
            step(&mut conn, now_ms).unwrap();
            prune::step(&mut conn, &retention, now_ms).unwrap();
            if number % 50 == 0 {
                for (&id, expected) in &expected {
                    assert_eq!(&stored(&conn, id), expected, "agent {id} after {number} rows");
                }
                check_fleet(&conn);
            }
        }
        let end_ms = 5 * 24 * HOUR_MS;
        while step(&mut conn, end_ms).unwrap() {}
        while prune::step(&mut conn, &retention, end_ms).unwrap() {}
        for (&id, expected) in &expected {
            assert_eq!(&stored(&conn, id), expected, "agent {id} at the end");
        }
        assert_eq!(
            rows(&conn, RollupResolution::Minute),
            0,
            "all are folded and older than two hours"
        );
        assert!(rows(&conn, RollupResolution::Day) >= 12, "four agents, more than three days");
        let of_fleet = |conn: &Connection| -> Vec<(i64, i64, Vec<u8>)> {
            let sql = "SELECT slot, ok, latency FROM fleet_days UNION ALL \
                       SELECT slot, ok, latency FROM fleet_hours ORDER BY slot";
            let mut statement = conn.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.unwrap().map(Result::unwrap).collect()
        };
        let before = of_fleet(&conn);
        conn.execute_batch(
            "DELETE FROM fleet_hours; UPDATE meta SET value = 0 WHERE key = 'fleet_rollups_version'",
        )
        .unwrap();
        rebuild_fleet_if_outdated(&mut conn).unwrap();
        assert_eq!(of_fleet(&conn), before, "what is lost is computed anew");
        let hours = rows(&conn, RollupResolution::Hour);
        assert!((1..=4 * 49).contains(&hours), "two days of hours: {hours}");
    }

    /// A transaction that the disk refuses changes nothing, and goes through when there is room.
    #[test]
    fn a_full_disk_takes_all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let anchor = WallClockAnchor::new(MonoTime::from_nanos(0), 0);
        let numbers = CommitNumbers::default();
        let context = commit::CommitContext { alive: AliveMoment::default(), numbers: &numbers };
        let rows: Vec<HistoryDbRow> = (1..=3_000)
            .map(|number| HistoryDbRow::Work(Box::new(work(number, number as i64, 0, number).0)))
            .collect();
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = |conn: &Connection, pages: i64| {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        limit(&conn, pages + 10);
        let refused =
            commit::commit(&mut conn, rows.iter().map(|row| (row, anchor)), &context).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
        let count = |conn: &Connection| -> i64 {
            conn.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&conn), 0);
        limit(&conn, 1 << 30);
        let done =
            commit::commit(&mut conn, rows.iter().map(|row| (row, anchor)), &context).unwrap();
        assert_eq!(
            (count(&conn), done.highest, done.duplicates),
            (3_000, Some(WriteTicket(3_000)), vec![])
        );
    }
}
