//! Work of ranges, added up from the coarsest rollups that are exact, and its percentiles.

use std::ops::Range;

use hdrhistogram::Histogram;
use heartline_operator::message::{HistoryStep, LatencyQuantiles, StateTimes};
use heartline_protocol::bucket;
use rusqlite::Connection;

use crate::store::history::{FoldCursors, RollupResolution};
use crate::store::rollup::{LatencyBuckets, RollupSum, WorkCounts};

/// Digits that a histogram keeps: its buckets are a quarter as wide as those of the wire.
const DIGITS: u8 = 2;

/// Adds up work.
pub(super) struct WorkReader<'a> {
    pub(super) conn: &'a Connection,
    pub(super) cursors: FoldCursors,
}

/// Agents of which work is added up.
#[derive(Clone, Copy, Debug)]
pub(super) enum WorkOf<'a> {
    /// Of all that there were.
    Fleet,
    /// Of those at whose row id it says so.
    Marked(&'a [bool]),
}

impl WorkReader<'_> {
    /// Adds the work of many agents between two moments, both at the begin of a slot that is kept.
    pub(super) fn add(
        &self,
        of: WorkOf<'_>,
        (from_ms, to_ms): (i64, i64),
        sum: &mut RollupSum,
    ) -> rusqlite::Result<()> {
        let mut at_ms = from_ms;
        while at_ms < to_ms {
            let resolution = self.longest(at_ms, to_ms, |resolution, slot| {
                self.cursors.get(resolution).is_none_or(|cursor| slot < cursor.slot)
            });
            let mut end_ms = at_ms + resolution.slot_ms();
            let is_next = |ms| {
                let slot = resolution.slot(ms);
                ms + resolution.slot_ms() <= to_ms
                    && self.cursors.get(resolution).is_none_or(|cursor| slot < cursor.slot)
                    // Longer ones may go on from here.
                    && resolution.coarser().is_none_or(|coarser| ms % coarser.slot_ms() != 0)
            };
            while is_next(end_ms) {
                end_ms += resolution.slot_ms();
            }
            let slots = resolution.slot(at_ms)..resolution.slot(end_ms);
            self.add_slots(of, resolution, slots, sum)?;
            at_ms = end_ms;
        }
        Ok(())
    }

    fn add_slots(
        &self,
        of: WorkOf<'_>,
        resolution: RollupResolution,
        slots: Range<i64>,
        sum: &mut RollupSum,
    ) -> rusqlite::Result<()> {
        match of {
            WorkOf::Fleet => {
                resolution.visit_fleet(self.conn, slots, |counts, latency| sum.add(counts, latency))
            }
            WorkOf::Marked(marks) => {
                let is_marked = |agent: i64| {
                    usize::try_from(agent).is_ok_and(|at| marks.get(at).copied().unwrap_or(false))
                };
                let Some(first) = marks.iter().position(|mark| *mark) else { return Ok(()) };
                let agents = first as i64..=marks.len() as i64;
                for slot in slots {
                    let add = |_, counts: &WorkCounts, latency: &[u8]| sum.add(counts, latency);
                    resolution.visit_wanted(self.conn, slot, &agents, is_marked, add)?;
                }
                Ok(())
            }
        }
    }

    /// Visits the work of one agent between two moments, both at the begin of a slot that is kept.
    pub(super) fn visit_agent(
        &self,
        agent: i64,
        (from_ms, to_ms): (i64, i64),
        mut visit: impl FnMut(&WorkCounts, &[u8]),
    ) -> rusqlite::Result<()> {
        let mut at_ms = from_ms;
        while at_ms < to_ms {
            let resolution = self.longest(at_ms, to_ms, |resolution, slot| {
                self.cursors.get(resolution).is_none_or(|cursor| cursor.includes(slot, agent))
            });
            let slot = resolution.slot(at_ms);
            resolution.visit(self.conn, slot, &(agent..=agent), |_, counts, latency| {
                visit(counts, latency);
            })?;
            at_ms += resolution.slot_ms();
        }
        Ok(())
    }

    /// Returns the longest slots that begin at a moment, are over before the end, and hold all finer ones.
    fn longest(
        &self,
        at_ms: i64,
        to_ms: i64,
        is_folded: impl Fn(RollupResolution, i64) -> bool,
    ) -> RollupResolution {
        let fits = |resolution: RollupResolution| {
            at_ms % resolution.slot_ms() == 0
                && at_ms + resolution.slot_ms() <= to_ms
                && is_folded(resolution, resolution.slot(at_ms))
        };
        [RollupResolution::Day, RollupResolution::Hour]
            .into_iter()
            .find(|resolution| fits(*resolution))
            .unwrap_or(RollupResolution::Minute)
    }
}

/// Reads percentiles from sums; one histogram for all of a query.
pub(super) struct PercentileReader {
    histogram: Histogram<u64>,
}

impl PercentileReader {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, bucket::MAX_US, DIGITS);
        Self { histogram: histogram.expect("the bounds and the digits are in range") }
    }

    /// Returns the percentiles, each as the midpoint of its bucket; `None` without any latency.
    pub(super) fn quantiles(&mut self, buckets: &LatencyBuckets) -> Option<LatencyQuantiles> {
        self.histogram.reset();
        for (bucket, count) in buckets.pairs() {
            self.histogram.saturating_record_n(bucket::midpoint(bucket), count);
        }
        if self.histogram.is_empty() {
            return None;
        }
        // The histogram answers with the highest of the values that it does not tell apart.
        let at = |quantile| {
            let us = self.histogram.value_at_quantile(quantile);
            bucket::midpoint(bucket::index(us))
        };
        Some(LatencyQuantiles {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max: at(1.0),
        })
    }
}

/// Returns a step of a history.
pub(super) fn step(
    at_ms: i64,
    counts: &WorkCounts,
    latency: Option<LatencyQuantiles>,
    (state_ms, outages): (StateTimes, u64),
) -> HistoryStep {
    HistoryStep {
        at_ms,
        beats: counts.beats,
        lost: counts.lost,
        ok: counts.ok,
        failed: counts.failed,
        latency,
        cost_nano_usd: counts.cost_nano_usd,
        tokens_in: counts.tokens_in,
        tokens_out: counts.tokens_out,
        state_ms,
        outages,
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::latency_quantiles;
    use super::*;
    use crate::store::rollup::WorkLatencyHistogram;

    #[test]
    fn percentiles_are_those_of_the_sparse_buckets() {
        let (mut reader, mut rng) = (PercentileReader::new(), fastrand::Rng::with_seed(11));
        assert_eq!(reader.quantiles(&LatencyBuckets::default()), None);
        for buckets in [1, 2, 5, 60, 1_000] {
            let (mut sparse, mut sum) = (WorkLatencyHistogram::default(), RollupSum::default());
            for _ in 0..buckets {
                let mut packed = Vec::new();
                let bucket = rng.u16(..bucket::BUCKETS as u16);
                bucket::pack(&mut packed, bucket, rng.u64(1..1_000));
                sparse.add_packed(&packed);
                sum.add(&Default::default(), &packed);
            }
            assert_eq!(reader.quantiles(&sum.latency), latency_quantiles(&sparse));
        }
    }
}
