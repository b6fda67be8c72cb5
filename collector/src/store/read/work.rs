//! Work of the last hour and of today, per agent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use heartline_operator::message::{LatencyQuantiles, PastWork, RecentWork};
use heartline_protocol::bucket;
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{ReadError, StoreReader};
use crate::store::history::{FoldCursor, FoldCursors, RollupResolution};
use crate::store::rollup::{WorkCounts, WorkLatencyHistogram};

/// Length of a [`RecentWork`] in minutes, with the current one.
const WINDOW_MINUTES: i64 = 60;
/// Whole minutes whose numbers of tasks are part of a [`RecentWork`].
const SPARKLINE_MINUTES: usize = 15;

/// One agent's work as it adds up.
#[derive(Default)]
struct RecentWorkSum {
    window: WorkCounts,
    latency: WorkLatencyHistogram,
    today_nano_usd: u64,
    per_minute: [u32; SPARKLINE_MINUTES],
}

/// The slots of the last hour and of today.
struct WorkSlots {
    /// The current minute.
    minute: i64,
    /// The first hour of today, UTC.
    midnight: i64,
    cursors: FoldCursors,
}

impl StoreReader {
    /// Returns the work of agents that did any in the last hour, or cost anything since midnight UTC,
    /// from the agent `first` on: of about `limit` known agents, and the last agent that is covered.
    ///
    /// # Errors [`ReadError`]
    pub fn work(
        &mut self,
        first: AgentRowId,
        limit: u32,
        now_ms: i64,
    ) -> Result<(BTreeMap<AgentRowId, RecentWork>, AgentRowId), ReadError> {
        let mut sums = BTreeMap::new();
        let last = self.history.read("work", |conn| {
            let nth = "SELECT id FROM agents WHERE id >= ?1 ORDER BY id LIMIT 1 OFFSET ?2";
            let mut nth = conn.prepare_cached(nth)?;
            let last = nth.query_row(params![first.0, limit.saturating_sub(1)], |row| row.get(0));
            let last = last.optional()?.unwrap_or(i64::MAX);
            WorkSlots::new(conn, now_ms)?.add_agents(conn, &(first.0..=last), &mut sums)?;
            Ok(AgentRowId(last))
        })?;
        Ok((finish(&sums), last))
    }

    /// Returns the work of these agents, also of those that did none. Costs about 0.1 ms an agent:
    /// for more than a few hundred, [`Self::work`] is cheaper.
    ///
    /// # Errors [`ReadError`]
    pub fn work_of(
        &mut self,
        agents: &[AgentRowId],
        now_ms: i64,
    ) -> Result<BTreeMap<AgentRowId, RecentWork>, ReadError> {
        let mut sums = agents.iter().map(|id| (id.0, RecentWorkSum::default())).collect();
        self.history.read("work", |conn| {
            let slots = WorkSlots::new(conn, now_ms)?;
            agents.iter().try_for_each(|id| slots.add_agents(conn, &(id.0..=id.0), &mut sums))
        })?;
        Ok(finish(&sums))
    }
}

fn finish(sums: &BTreeMap<i64, RecentWorkSum>) -> BTreeMap<AgentRowId, RecentWork> {
    sums.iter().map(|(&agent, sum)| (AgentRowId(agent), sum.finish())).collect()
}

/// Returns the work of every agent in the hour until a moment, to the minute; or that of the hour that holds
/// the moment, where minutes are not kept any more.
pub(super) fn until(
    conn: &Connection,
    at_ms: i64,
) -> rusqlite::Result<(BTreeMap<AgentRowId, RecentWork>, PastWork)> {
    let mut sums = BTreeMap::new();
    let (all, slots) = (0..=i64::MAX, WorkSlots::new(conn, at_ms)?);
    let has_minutes = conn
        .prepare_cached("SELECT coalesce(min(slot) < ?1, false) FROM minutes")?
        .query_row([slots.minute - WINDOW_MINUTES], |row| row.get(0))?;
    if has_minutes || slots.cursors.hours.slot <= slots.minute / WINDOW_MINUTES {
        slots.add_agents(conn, &all, &mut sums)?;
        return Ok((finish(&sums), PastWork::HourUntil));
    }
    let hour = RollupResolution::Hour.slot(at_ms);
    RollupResolution::Hour.visit(conn, hour, &all, |agent, counts, latency| {
        let sum: &mut RecentWorkSum = sums.entry(agent).or_default();
        sum.window.add(counts);
        sum.latency.add_packed(latency);
    })?;
    Ok((finish(&sums), PastWork::HourOf))
}

impl WorkSlots {
    /// Returns the slots to be read at a moment, whatever came later.
    fn new(conn: &Connection, now_ms: i64) -> rusqlite::Result<Self> {
        let minute = RollupResolution::Minute.slot(now_ms);
        let mut cursors = FoldCursors::read(conn)?;
        let hour = FoldCursor { slot: minute.div_euclid(WINDOW_MINUTES), agent: 0 };
        cursors.hours = cursors.hours.min(hour);
        Ok(Self {
            minute,
            midnight: RollupResolution::Day.slot(now_ms)
                * RollupResolution::Hour.slots_in(RollupResolution::Day),
            cursors,
        })
    }

    fn add_agents(
        &self,
        conn: &Connection,
        agents: &RangeInclusive<i64>,
        sums: &mut BTreeMap<i64, RecentWorkSum>,
    ) -> rusqlite::Result<()> {
        for slot in self.minutes() {
            RollupResolution::Minute.visit(conn, slot, agents, |agent, counts, latency| {
                self.add_minute(sums.entry(agent).or_default(), slot, agent, counts, latency);
            })?;
        }
        for slot in self.hours() {
            RollupResolution::Hour.visit(conn, slot, agents, |agent, counts, _| {
                if self.cursors.hours.includes(slot, agent) {
                    sums.entry(agent).or_default().add_cost_of_today(counts);
                }
            })?;
        }
        Ok(())
    }

    /// Returns the minutes to read: the window, and those of today whose hour is not all folded.
    fn minutes(&self) -> RangeInclusive<i64> {
        let per_hour = RollupResolution::Minute.slots_in(RollupResolution::Hour);
        let unfolded = self.cursors.hours.slot.max(self.midnight).saturating_mul(per_hour);
        unfolded.min(self.minute - WINDOW_MINUTES + 1)..=self.minute
    }

    /// Returns the hours to read: those of today that are folded, also in part.
    fn hours(&self) -> RangeInclusive<i64> {
        self.midnight..=self.cursors.hours.slot.min(self.minute / WINDOW_MINUTES)
    }

    fn add_minute(
        &self,
        sum: &mut RecentWorkSum,
        slot: i64,
        agent: i64,
        counts: &WorkCounts,
        latency: &[u8],
    ) {
        if slot > self.minute - WINDOW_MINUTES {
            sum.window.add(counts);
            sum.latency.add_packed(latency);
        }
        let hour = slot.div_euclid(RollupResolution::Minute.slots_in(RollupResolution::Hour));
        if hour >= self.midnight && !self.cursors.hours.includes(hour, agent) {
            sum.add_cost_of_today(counts);
        }
        let age = usize::try_from(self.minute - slot).unwrap_or(usize::MAX);
        if (1..=SPARKLINE_MINUTES).contains(&age) {
            let tasks = counts.ok.saturating_add(counts.failed);
            sum.per_minute[SPARKLINE_MINUTES - age] = u32::try_from(tasks).unwrap_or(u32::MAX);
        }
    }
}

impl RecentWorkSum {
    fn add_cost_of_today(&mut self, counts: &WorkCounts) {
        self.today_nano_usd = self.today_nano_usd.saturating_add(counts.cost_nano_usd);
    }

    fn finish(&self) -> RecentWork {
        let is_idle = self.per_minute.iter().all(|&tasks| tasks == 0);
        RecentWork {
            window_ms: (WINDOW_MINUTES * RollupResolution::Minute.slot_ms()).cast_unsigned(),
            ok: self.window.ok,
            failed: self.window.failed,
            latency: latency_quantiles(&self.latency),
            cost_nano_usd: self.window.cost_nano_usd,
            tokens_in: self.window.tokens_in,
            tokens_out: self.window.tokens_out,
            cost_today_nano_usd: self.today_nano_usd,
            per_minute: if is_idle { Vec::new() } else { self.per_minute.to_vec() },
        }
    }
}

/// Returns the quantiles, each as the midpoint of its bucket (off by 1.6 % at most); `None` without
/// any count. Defined as in `hdrhistogram`, and read from the buckets that are not empty: filling
/// and scanning such a histogram costs twenty times as much.
pub(super) fn latency_quantiles(buckets: &WorkLatencyHistogram) -> Option<LatencyQuantiles> {
    let total = buckets.pairs().fold(0u64, |total, (_, count)| total.saturating_add(count));
    let (largest, _) = buckets.pairs().last()?;
    let at = |percent: u64| {
        // The smallest value that at least so many percent do not exceed.
        let rank = u128::from(total) * u128::from(percent);
        let mut seen = 0u128;
        let found = buckets.pairs().find(|&(_, count)| {
            seen += u128::from(count) * 100;
            seen >= rank
        });
        bucket::midpoint(found.map_or(largest, |(bucket, _)| bucket))
    };
    let max = bucket::midpoint(largest);
    Some(LatencyQuantiles { p50: at(50), p90: at(90), p95: at(95), p99: at(99), max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_hdrhistogram() {
        let mut histogram =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, bucket::MAX_US, 3).unwrap();
        let (mut buckets, mut us) = (WorkLatencyHistogram::default(), 1.0f64);
        for number in 0..500u64 {
            let (index, count) = (bucket::index(us as u64), 1 + number % 7);
            let mut one = Vec::new();
            bucket::pack(&mut one, index, count);
            buckets.add_packed(&one);
            histogram.saturating_record_n(bucket::midpoint(index), count);
            us *= 1.05;
        }
        let ours = latency_quantiles(&buckets).unwrap();
        let theirs =
            [(ours.p50, 0.5), (ours.p90, 0.9), (ours.p95, 0.95), (ours.p99, 0.99), (ours.max, 1.0)];
        for (ours, quantile) in theirs {
            let theirs = histogram.value_at_quantile(quantile);
            assert!(ours.abs_diff(theirs) * 1_000 <= theirs, "{quantile}: {ours} and {theirs}");
        }
    }

    #[test]
    fn a_latency_of_a_day_and_more_is_shown_as_a_day() {
        let mut buckets = WorkLatencyHistogram::default();
        let mut packed = Vec::new();
        bucket::pack(&mut packed, bucket::index(u64::MAX), 1);
        buckets.add_packed(&packed);
        let ours = latency_quantiles(&buckets).unwrap();
        assert_eq!((ours.p50, ours.max), (86_400_000_000, 86_400_000_000));
    }

    #[test]
    fn an_empty_histogram_has_no_quantiles() {
        assert_eq!(latency_quantiles(&WorkLatencyHistogram::default()), None);
    }
}
