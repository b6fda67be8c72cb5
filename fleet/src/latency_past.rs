//! What an agent's own past says of its latencies in an hour of the day: the limits beyond which a task
//! counts as slow, or as too fast.
//!
//! 1. The same hour of each of the last 7 days teaches, if the agent had at least 20 tasks in it and was in
//!    no outage: what was wrong, or not observed, is no example.
//! 2. With at least 4 such hours, slow is what is above the median of their 95th percentiles, times the
//!    larger of 2 and 3 robust standard deviations (1.4826 MAD) of these. All of it on logarithms.
//! 3. With fewer, slow is what is above twice the 95th percentile of all tasks of the 7 days before
//!    yesterday, at least 40 of them. So an agent that is slow for a week is judged by that week.
//! 4. With neither, it is not known yet.
//! 5. Too fast is what is below a tenth of the median of the same hours or days.
//!
//! Whoever keeps the past chooses the hours and days.

use std::num::NonZero;

use heartline_protocol::bucket;

use crate::latency_limit::LatencyLimits;

/// Hours that are needed.
const HOURS_MIN: usize = 4;
/// Tasks that an hour needs, and that all days together need.
const HOUR_TASKS_MIN: u64 = 20;
const TASKS_MIN: u64 = 40;

/// Two quantiles of the tasks of an hour or of some days, as logarithms of microseconds.
#[derive(Clone, Copy, Debug)]
pub struct LatencySample {
    median: f64,
    p95: f64,
}

impl LatencySample {
    /// Days before today whose hours and tasks teach.
    pub const DAYS: i64 = 7;

    /// Returns what one hour teaches; `tasks`: `(bucket, count)` pairs, buckets ascending.
    pub fn of_hour(tasks: &(impl Iterator<Item = (u16, u64)> + Clone)) -> Option<Self> {
        Self::of(tasks, HOUR_TASKS_MIN)
    }

    /// Returns what all tasks of some days teach; `tasks` as in [`Self::of_hour`].
    pub fn of_days(tasks: &(impl Iterator<Item = (u16, u64)> + Clone)) -> Option<Self> {
        Self::of(tasks, TASKS_MIN)
    }

    fn of(tasks: &(impl Iterator<Item = (u16, u64)> + Clone), tasks_min: u64) -> Option<Self> {
        let count: u64 = tasks.clone().map(|(_, count)| count).sum();
        let quantile = |permille: u64| {
            let mut rest = (count * permille).div_ceil(1_000);
            let reached = |(_, count): &(u16, u64)| {
                rest = rest.saturating_sub(*count);
                rest == 0
            };
            let (bucket, _) = tasks.clone().find(reached)?;
            Some((bucket::midpoint(bucket).max(1) as f64).ln())
        };
        (count >= tasks_min).then_some(())?;
        Some(Self { median: quantile(500)?, p95: quantile(950)? })
    }
}

impl LatencyLimits {
    /// Returns the limits that the same hour of several days sets; `None`: these are too few.
    pub fn of_hours(samples: &[LatencySample]) -> Option<Self> {
        (samples.len() >= HOURS_MIN).then(|| Self::of(samples))
    }

    /// Returns the limits that all tasks of some days set.
    pub fn of_days(sample: LatencySample) -> Self {
        Self::of(&[sample])
    }

    fn of(samples: &[LatencySample]) -> Self {
        let of = |get: fn(&LatencySample) -> f64| median(samples.iter().map(get).collect());
        let (p95, usual) = (of(|it| it.p95), of(|it| it.median));
        let spread = 1.4826 * median(samples.iter().map(|it| (it.p95 - p95).abs()).collect());
        let bucket = |ln_us: f64| NonZero::new(bucket::index(ln_us.exp() as u64));
        Self {
            slow_above: bucket(p95 + (3.0 * spread).max(2_f64.ln())),
            fast_below: bucket(usual - 10_f64.ln()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(ms: &[(u64, u64)]) -> Vec<(u16, u64)> {
        ms.iter().map(|&(ms, count)| (bucket::index(ms * 1_000), count)).collect()
    }

    fn hour(ms: &[(u64, u64)]) -> Option<LatencySample> {
        LatencySample::of_hour(&tasks(ms).into_iter())
    }

    fn slow_above_ms(samples: &[LatencySample]) -> u64 {
        let limits = LatencyLimits::of_hours(samples).unwrap();
        bucket::midpoint(limits.slow_above.unwrap().get()) / 1_000
    }

    #[test]
    fn a_limit_is_twice_what_is_usual_or_more_where_that_varies() {
        let day = |ms| hour(&[(ms / 10, 90), (ms, 10)]).unwrap();
        let calm: Vec<_> = (0..7).map(|_| day(1_000)).collect();
        assert!((1_950..2_050).contains(&slow_above_ms(&calm)), "{}", slow_above_ms(&calm));
        // One bad day moves nothing.
        let burst: Vec<_> = calm[1..].iter().copied().chain([day(60_000)]).collect();
        assert_eq!(slow_above_ms(&burst), slow_above_ms(&calm));
        let varied: Vec<_> = [500, 700, 900, 1_000, 1_200, 1_500, 2_100].map(day).into();
        assert!(slow_above_ms(&varied) > 4_000, "{}", slow_above_ms(&varied));
        assert_eq!(LatencyLimits::of_hours(&calm[..3]), None, "three hours teach nothing");
    }

    #[test]
    fn quantiles_are_those_of_enough_tasks() {
        assert!(hour(&[(5, 19)]).is_none() && hour(&[]).is_none());
        assert!(LatencySample::of_days(&tasks(&[(5, 39)]).into_iter()).is_none());
        let LatencySample { median, p95 } = hour(&[(10, 95), (1_000, 5)]).unwrap();
        assert!((median.exp() - 1e4).abs() < 200.0 && (p95.exp() - 1e4).abs() < 200.0);
        assert!(hour(&[(10, 94), (1_000, 6)]).unwrap().p95.exp() > 9e5);
    }
}
