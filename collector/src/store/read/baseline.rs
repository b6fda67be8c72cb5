//! The hours and days of agents' past that say which latencies are usual in an hour of the day; what they
//! say is the core's to judge ([`LatencySample`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use heartline_fleet::{LatencyLimits, LatencySample};
use rusqlite::{Connection, params};

use super::{ReadError, StoreReader};
use crate::store::history::RollupResolution;
use crate::store::rollup::WorkLatencyHistogram;

const HOUR_MS: i64 = 3_600_000;

/// The limits of some agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BaselinePart {
    /// By agent; those of whom nothing is known are left out.
    pub limits: Vec<(Box<str>, LatencyLimits)>,
    /// The row id with which the next part begins; `None` behind the last one.
    pub next: Option<i64>,
}

impl StoreReader {
    /// Returns the limits of at most `most` agents, from the row id `first` on, for the hour in which
    /// `now_ms` is.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn baselines(
        &mut self,
        now_ms: i64,
        first: i64,
        most: i64,
    ) -> Result<BaselinePart, ReadError> {
        self.history.read("the baselines of latencies", |conn| {
            let last: i64 = conn
                .prepare_cached("SELECT coalesce(max(id), 0) FROM agents")?
                .query_row([], |row| row.get(0))?;
            let agents = first..first + most;
            let limits = read_limits(conn, now_ms, &agents)?;
            let next = (agents.end <= last).then_some(agents.end);
            Ok(BaselinePart { limits, next })
        })
    }
}

fn read_limits(
    conn: &Connection,
    now_ms: i64,
    agents: &Range<i64>,
) -> rusqlite::Result<Vec<(Box<str>, LatencyLimits)>> {
    let hour = RollupResolution::Hour.slot(now_ms);
    let mut hours: BTreeMap<i64, Vec<LatencySample>> = BTreeMap::new();
    for day in 1..=LatencySample::DAYS {
        let slot = hour - 24 * day;
        let in_outage = agents_in_outage(conn, slot * HOUR_MS, agents)?;
        visit(conn, RollupResolution::Hour, slot, agents, |agent, latency| {
            let sample = LatencySample::of_hour(&latency.pairs());
            if let Some(sample) = sample.filter(|_| !in_outage.contains(&agent)) {
                hours.entry(agent).or_default().push(sample);
            }
        })?;
    }
    let hours: BTreeMap<i64, LatencyLimits> = hours
        .into_iter()
        .filter_map(|(agent, samples)| Some((agent, LatencyLimits::of_hours(&samples)?)))
        .collect();
    let today = RollupResolution::Day.slot(now_ms);
    let mut days: BTreeMap<i64, WorkLatencyHistogram> = BTreeMap::new();
    for slot in today - 1 - LatencySample::DAYS..today - 1 {
        visit(conn, RollupResolution::Day, slot, agents, |agent, latency| {
            if !hours.contains_key(&agent) {
                days.entry(agent).or_default().add_packed(&latency.pack());
            }
        })?;
    }
    let of_days = days.iter().filter_map(|(agent, latency)| {
        Some((*agent, LatencyLimits::of_days(LatencySample::of_days(&latency.pairs())?)))
    });
    let of_hours = hours.iter().map(|(agent, limits)| (*agent, *limits));
    let mut name = conn
        .prepare_cached("SELECT name FROM agents WHERE id = ?1 AND forgotten_ms IS NULL LIMIT 1")?;
    let mut named = Vec::new();
    for (agent, limits) in of_days.chain(of_hours) {
        let mut rows = name.query([agent])?;
        if let Some(row) = rows.next()? {
            named.push((row.get(0)?, limits));
        }
    }
    Ok(named)
}

/// Visits the latencies of agents in one slot.
fn visit(
    conn: &Connection,
    resolution: RollupResolution,
    slot: i64,
    agents: &Range<i64>,
    mut visit: impl FnMut(i64, WorkLatencyHistogram),
) -> rusqlite::Result<()> {
    let table = resolution.table();
    let sql = format!(
        "SELECT agent_id, latency FROM {table} WHERE slot = ?1 AND agent_id >= ?2 AND agent_id < ?3"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([slot, agents.start, agents.end])?;
    while let Some(row) = rows.next()? {
        let mut latency = WorkLatencyHistogram::default();
        latency.add_packed(row.get_ref(1)?.as_blob()?);
        visit(row.get(0)?, latency);
    }
    Ok(())
}

/// Returns the agents that were in an outage in the hour that begins at `from_ms`.
fn agents_in_outage(
    conn: &Connection,
    from_ms: i64,
    agents: &Range<i64>,
) -> rusqlite::Result<BTreeSet<i64>> {
    // What had ended long before is left out by its cursor: cursors grow with time, about.
    let sql = "SELECT agent_id FROM outages WHERE cursor >= coalesce((SELECT max(cursor) \
                   FROM checkpoints WHERE latest_ms < ?1 - 604800000), 0) \
               AND start_ms < ?1 + 3600000 AND end_ms > ?1 AND agent_id >= ?2 AND agent_id < ?3 \
               UNION ALL SELECT agent_id FROM outages WHERE end_ms IS NULL \
               AND start_ms < ?1 + 3600000 AND agent_id >= ?2 AND agent_id < ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params![from_ms, agents.start, agents.end], |row| row.get(0))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use heartline_protocol::bucket;

    use super::*;
    use crate::store::history::open;

    fn histogram(tasks_ms: &[(u64, u64)]) -> WorkLatencyHistogram {
        let mut histogram = WorkLatencyHistogram::default();
        for &(ms, count) in tasks_ms {
            let mut packed = Vec::new();
            bucket::pack(&mut packed, bucket::index(ms * 1_000), count);
            histogram.add_packed(&packed);
        }
        histogram
    }

    const NOW_MS: i64 = 1_800_000_000_000;

    /// Returns a reader of a history in which agent 1 worked in this hour of the last days, `ms` a task.
    fn history(days: Range<i64>, ms: u64) -> (tempfile::TempDir, StoreReader) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let (conn, _) = open(&path, 0).unwrap();
        let insert = "INSERT INTO agents (id, name, first_seen_ms) VALUES (1, 'a', 0)";
        conn.execute(insert, []).unwrap();
        for day in days {
            for resolution in [RollupResolution::Hour, RollupResolution::Day] {
                let at_ms = NOW_MS - day * 86_400_000;
                let slot = resolution.slot(at_ms);
                let sql = format!(
                    "INSERT INTO {} VALUES (?1, 1, 1, 0, 30, 0, 0, 0, 0, ?2)",
                    resolution.table()
                );
                conn.execute(&sql, params![slot, histogram(&[(ms, 30)]).pack()]).unwrap();
            }
        }
        let reader = StoreReader::of_history(path, conn);
        (dir, reader)
    }

    /// Returns twice what is usual of agent 1, in milliseconds.
    fn known_ms(reader: &mut StoreReader) -> Option<u64> {
        let part = reader.baselines(NOW_MS, 1, 10).unwrap();
        assert_eq!(part.next, None);
        let (agent, limits) = part.limits.first()?;
        assert_eq!(&**agent, "a");
        Some(bucket::midpoint(limits.slow_above.unwrap().get()) / 1_000)
    }

    #[test]
    fn four_hours_teach_and_what_was_wrong_does_not() {
        let (_dir, mut reader) = history(1..8, 1_000);
        assert!(known_ms(&mut reader).is_some_and(|ms| (1_900..2_100).contains(&ms)));
        let outages = "INSERT INTO outages (cursor, agent_id, start_ms, end_ms, worst) \
                       VALUES (?1, 1, ?2, ?3, 122)";
        let outage = |reader: &StoreReader, day: i64, end_ms: Option<i64>| {
            let at_ms = NOW_MS - day * 86_400_000;
            reader.history.conn.execute(outages, params![day, at_ms, end_ms]).unwrap();
        };
        // Of the fallback, the days before yesterday, there is more than enough.
        reader.history.conn.execute("DELETE FROM days", []).unwrap();
        for day in 1..=3 {
            outage(&reader, day, Some(NOW_MS - day * 86_400_000 + 1));
        }
        assert!(known_ms(&mut reader).is_some(), "4 hours are left");
        outage(&reader, 4, None);
        assert_eq!(known_ms(&mut reader), None, "it has been failing since");
    }

    #[test]
    fn without_these_hours_the_days_before_yesterday_count() {
        let (_dir, mut reader) = history(1..4, 3_000);
        assert!(known_ms(&mut reader).is_some_and(|ms| (5_700..6_300).contains(&ms)));
        let (_dir, mut reader) = history(1..3, 3_000);
        assert_eq!(known_ms(&mut reader), None, "30 tasks are too few");
    }

    #[test]
    fn parts_follow_each_other() {
        let (_dir, mut reader) = history(1..8, 1_000);
        let insert = "INSERT INTO agents (id, name, first_seen_ms) VALUES (5, 'b', 0)";
        reader.history.conn.execute(insert, []).unwrap();
        let part = reader.baselines(NOW_MS, 1, 3).unwrap();
        assert_eq!((part.limits.len(), part.next), (1, Some(4)));
        assert_eq!(reader.baselines(NOW_MS, 4, 3).unwrap(), BaselinePart::default());
    }
}
