//! WorkWindow of the last hour and of today, per agent.

use std::collections::BTreeMap;

use heartline_operator::message::{LatencyQuantiles, WorkWindow};
use heartline_protocol::bucket;
use heartline_vocabulary::AgentRowId;
use rusqlite::Connection;

use super::{ReadError, Reader};
use crate::store::history::{Level, Marks};
use crate::store::rollup::{Buckets, Sums};

/// Minutes of the window of [`WorkWindow`]: the current one and those before it.
const WINDOW: i64 = 60;
/// Whole minutes of which the number of tasks is told.
const SPARK: usize = 15;
/// Beyond every agent's id.
const ALL: (i64, i64) = (0, i64::MAX);

/// One agent's work as it adds up.
#[derive(Default)]
struct Sum {
    window: Sums,
    latency: Buckets,
    today_nano_usd: u64,
    per_minute: [u32; SPARK],
}

/// Which slots count for what.
struct Span {
    /// The current minute.
    minute: i64,
    /// The first hour of today, UTC.
    midnight: i64,
    marks: Marks,
}

impl Reader {
    /// The work of every agent that did any in the last hour, or cost anything since midnight UTC.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn work(&mut self, now_ms: i64) -> Result<BTreeMap<AgentRowId, WorkWindow>, ReadError> {
        let sums = self.history.read("work", |conn| {
            let span = Span::at(conn, now_ms)?;
            let mut sums = BTreeMap::<i64, Sum>::new();
            for slot in span.minutes() {
                Level::Minute.visit(conn, slot, ALL, |agent, counted, latency| {
                    span.add_minute(sums.entry(agent).or_default(), slot, agent, counted, latency);
                })?;
            }
            for slot in span.hours() {
                Level::Hour.visit(conn, slot, ALL, |agent, counted, _| {
                    span.add_hour(sums.entry(agent).or_default(), slot, agent, counted);
                })?;
            }
            Ok(sums)
        })?;
        Ok(finish(&sums))
    }

    /// The work of these agents; each of them is in the answer. Costs about 0.1 ms an agent: for
    /// more than a few hundred, [`Self::work`] is cheaper.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn work_of(
        &mut self,
        agents: &[AgentRowId],
        now_ms: i64,
    ) -> Result<BTreeMap<AgentRowId, WorkWindow>, ReadError> {
        let sums = self.history.read("work", |conn| {
            let span = Span::at(conn, now_ms)?;
            let mut sums = BTreeMap::<i64, Sum>::new();
            for &AgentRowId(agent) in agents {
                let sum = sums.entry(agent).or_default();
                *sum = Sum::default();
                for slot in span.minutes() {
                    Level::Minute.read(conn, slot, agent, |counted, latency| {
                        span.add_minute(sum, slot, agent, counted, latency);
                    })?;
                }
                for slot in span.hours() {
                    Level::Hour.read(conn, slot, agent, |counted, _| {
                        span.add_hour(sum, slot, agent, counted);
                    })?;
                }
            }
            Ok(sums)
        })?;
        Ok(finish(&sums))
    }
}

fn finish(sums: &BTreeMap<i64, Sum>) -> BTreeMap<AgentRowId, WorkWindow> {
    sums.iter().map(|(&agent, sum)| (AgentRowId(agent), sum.finish())).collect()
}

impl Span {
    fn at(conn: &Connection, now_ms: i64) -> rusqlite::Result<Self> {
        let per_day = Level::Hour.slots_in(Level::Day);
        Ok(Self {
            minute: Level::Minute.slot(now_ms),
            midnight: Level::Day.slot(now_ms) * per_day,
            marks: Marks::read(conn)?,
        })
    }

    /// Minutes to read: the window, and those of today whose hour is not (wholly) folded.
    fn minutes(&self) -> std::ops::RangeInclusive<i64> {
        let per_hour = Level::Minute.slots_in(Level::Hour);
        let unfolded = self.marks.hours.slot.max(self.midnight).saturating_mul(per_hour);
        unfolded.min(self.minute - WINDOW + 1)..=self.minute
    }

    /// Hours to read: those of today that are folded, also in part.
    fn hours(&self) -> std::ops::RangeInclusive<i64> {
        self.midnight..=self.marks.hours.slot.min(self.minute / WINDOW)
    }

    fn add_minute(&self, sum: &mut Sum, slot: i64, agent: i64, counted: &Sums, latency: &[u8]) {
        if slot > self.minute - WINDOW {
            sum.window.add(counted);
            sum.latency.add_packed(latency);
        }
        let hour = slot.div_euclid(Level::Minute.slots_in(Level::Hour));
        if hour >= self.midnight && !self.marks.hours.has(hour, agent) {
            sum.today_nano_usd = sum.today_nano_usd.saturating_add(counted.cost_nano_usd);
        }
        let age = usize::try_from(self.minute - slot).unwrap_or(usize::MAX);
        if (1..=SPARK).contains(&age) {
            let tasks = counted.ok.saturating_add(counted.failed);
            sum.per_minute[SPARK - age] = u32::try_from(tasks).unwrap_or(u32::MAX);
        }
    }

    fn add_hour(&self, sum: &mut Sum, slot: i64, agent: i64, counted: &Sums) {
        if self.marks.hours.has(slot, agent) {
            sum.today_nano_usd = sum.today_nano_usd.saturating_add(counted.cost_nano_usd);
        }
    }
}

impl Sum {
    fn finish(&self) -> WorkWindow {
        let is_idle = self.per_minute.iter().all(|&tasks| tasks == 0);
        WorkWindow {
            window_ms: (WINDOW * Level::Minute.slot_ms()).cast_unsigned(),
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
/// any count. Defined as in `hdrhistogram`, and read from the buckets that are not empty: filling and
/// scanning such a histogram costs twenty times as much.
fn latency_quantiles(buckets: &Buckets) -> Option<LatencyQuantiles> {
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
        let (mut buckets, mut us) = (Buckets::default(), 1.0f64);
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
    fn an_empty_histogram_has_no_quantiles() {
        assert_eq!(latency_quantiles(&Buckets::default()), None);
    }
}
