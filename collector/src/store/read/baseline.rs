//! What agents' own past says of their latencies in an hour of the day: the limits beyond which a task
//! counts as slow, or as too fast.
//!
//! 1. The same hour of each of the last 7 days teaches, if the agent had at least 20 tasks in it and was in
//!    no outage: what was wrong, or not observed, is no example.
//! 2. With at least 4 such hours, slow is what is above the median of their 95th percentiles, times the
//!    larger of 2 and 3 robust standard deviations (1.4826 MAD) of these. All of it on logarithms.
//! 3. With fewer, slow is what is above twice the 95th percentile of all tasks of the days before
//!    yesterday, at least 40 of them. So an agent that is slow for a week is judged by that week.
//! 4. With neither, it is not known yet.
//! 5. Too fast is what is below a tenth of the median of the same hours or days.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::ops::Range;

use heartline_fleet::LatencyLimits;
use heartline_protocol::bucket;
use rusqlite::{Connection, params};

use super::{ReadError, StoreReader};
use crate::store::history::RollupResolution;
use crate::store::rollup::WorkLatencyHistogram;

/// Days that teach.
const DAYS: i64 = 7;
/// Hours that are needed, of these.
const HOURS_MIN: usize = 4;
/// Tasks that an hour needs, and that all days together need.
const HOUR_TASKS_MIN: u64 = 20;
const TASKS_MIN: u64 = 40;
const HOUR_MS: i64 = 3_600_000;

/// The limits of some agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BaselinePart {
    /// By agent; those of whom nothing is known are left out.
    pub limits: Vec<(Box<str>, LatencyLimits)>,
    /// The row id with which the next part begins; `None` behind the last one.
    pub next: Option<i64>,
}

/// Two quantiles of a set of tasks, as logarithms of microseconds.
#[derive(Clone, Copy, Debug)]
struct LatencySample {
    median: f64,
    p95: f64,
}

impl LatencySample {
    /// Returns those of at least `tasks_min` tasks.
    fn of(histogram: &WorkLatencyHistogram, tasks_min: u64) -> Option<Self> {
        let tasks: u64 = histogram.pairs().map(|(_, count)| count).sum();
        let quantile = |permille: u64| {
            let mut rest = (tasks * permille).div_ceil(1_000);
            let reached = |(_, count): &(u16, u64)| {
                rest = rest.saturating_sub(*count);
                rest == 0
            };
            let (bucket, _) = histogram.pairs().find(reached)?;
            Some((bucket::midpoint(bucket).max(1) as f64).ln())
        };
        (tasks >= tasks_min).then_some(())?;
        Some(Self { median: quantile(500)?, p95: quantile(950)? })
    }
}

/// Returns the limits that samples set.
fn limits(samples: &[LatencySample]) -> LatencyLimits {
    let of = |get: fn(&LatencySample) -> f64| median(samples.iter().map(get).collect());
    let (p95, usual) = (of(|it| it.p95), of(|it| it.median));
    let spread = 1.4826 * median(samples.iter().map(|it| (it.p95 - p95).abs()).collect());
    let bucket = |ln_us: f64| NonZero::new(bucket::index(ln_us.exp() as u64));
    LatencyLimits {
        slow_above: bucket(p95 + (3.0 * spread).max(2_f64.ln())),
        fast_below: bucket(usual - 10_f64.ln()),
    }
}

/// Returns the middle of values; 0 without any.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => 0.0,
    }
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
    for day in 1..=DAYS {
        let slot = hour - 24 * day;
        let in_outage = agents_in_outage(conn, slot * HOUR_MS, agents)?;
        visit(conn, RollupResolution::Hour, slot, agents, |agent, latency| {
            let sample = LatencySample::of(&latency, HOUR_TASKS_MIN);
            if let Some(sample) = sample.filter(|_| !in_outage.contains(&agent)) {
                hours.entry(agent).or_default().push(sample);
            }
        })?;
    }
    hours.retain(|_, samples| samples.len() >= HOURS_MIN);
    let today = RollupResolution::Day.slot(now_ms);
    let mut days: BTreeMap<i64, WorkLatencyHistogram> = BTreeMap::new();
    for slot in today - 1 - DAYS..today - 1 {
        visit(conn, RollupResolution::Day, slot, agents, |agent, latency| {
            if !hours.contains_key(&agent) {
                days.entry(agent).or_default().add_packed(&latency.pack());
            }
        })?;
    }
    let of_days = days.iter().filter_map(|(agent, latency)| {
        Some((*agent, limits(&[LatencySample::of(latency, TASKS_MIN)?])))
    });
    let of_hours = hours.iter().map(|(agent, samples)| (*agent, limits(samples)));
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

    fn slow_above_ms(days: &[WorkLatencyHistogram]) -> u64 {
        let samples = days.iter().filter_map(|day| LatencySample::of(day, HOUR_TASKS_MIN));
        let limits = limits(&samples.collect::<Vec<_>>());
        bucket::midpoint(limits.slow_above.unwrap().get()) / 1_000
    }

    #[test]
    fn a_limit_is_twice_what_is_usual_or_more_where_that_varies() {
        let day = |ms| histogram(&[(ms / 10, 90), (ms, 10)]);
        let calm: Vec<_> = (0..7).map(|_| day(1_000)).collect();
        assert!((1_950..2_050).contains(&slow_above_ms(&calm)), "{}", slow_above_ms(&calm));
        // One bad day moves nothing.
        let burst: Vec<_> = calm[1..].iter().cloned().chain([day(60_000)]).collect();
        assert_eq!(slow_above_ms(&burst), slow_above_ms(&calm));
        let varied: Vec<_> = [500, 700, 900, 1_000, 1_200, 1_500, 2_100].map(day).into();
        assert!(slow_above_ms(&varied) > 4_000, "{}", slow_above_ms(&varied));
    }

    #[test]
    fn quantiles_are_those_of_enough_tasks() {
        let sample = |tasks_ms| LatencySample::of(&histogram(tasks_ms), HOUR_TASKS_MIN);
        assert!(sample(&[(5, 19)]).is_none() && sample(&[]).is_none());
        let LatencySample { median, p95 } = sample(&[(10, 95), (1_000, 5)]).unwrap();
        assert!((median.exp() - 1e4).abs() < 200.0 && (p95.exp() - 1e4).abs() < 200.0);
        assert!(sample(&[(10, 94), (1_000, 6)]).unwrap().p95.exp() > 9e5);
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
