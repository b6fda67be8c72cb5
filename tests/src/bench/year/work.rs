//! The tasks of agents: how many end, how many of them fail, and how long they take.

use std::time::Duration;

use fastrand::Rng;
use heartline_protocol::bucket;

use super::site::{Arrivals, HOUR_MS, SECOND_MS, is_office_hour};
use crate::judgement::random::{binomial, normal, poisson};

/// Share of tasks that always fail.
const FAILING: f64 = 0.05;
/// Spread of the latencies of one agent in one hour, as that of their logarithms.
const SPREAD: f64 = 0.6;
/// How much the level of an hour differs from that of others by chance, and over a day.
const LEVEL_NOISE: f64 = 0.15;
const LEVEL_WAVE: f64 = 0.25;
/// More tasks at once than these are drawn by classes of latencies.
const ONE_BY_ONE_MAX: u64 = 30;
/// The first class of latencies, how many follow, and their width, in spreads.
const CLASS_FIRST: f64 = -3.25;
const CLASSES: usize = 30;
const CLASS_WIDTH: f64 = 0.25;

/// Tasks that ended and were not reported yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    pub(super) ok: u64,
    pub(super) failed: u64,
    /// Counts by bucket, ascending.
    pub(super) latency: Vec<(u16, u64)>,
}

/// What an agent's tasks are like in one turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnConditions {
    pub(super) until_ms: u64,
    pub(super) span_ms: u64,
    /// Share of the turn in which everything fails.
    pub(super) out_share: f64,
    /// Share of the tasks that fails beside that, where it is not the usual one.
    pub(super) failing: Option<f64>,
    /// Multiple of the usual latency.
    pub(super) slowness: f64,
}

/// Draws the tasks of one agent.
#[derive(Clone, Debug)]
pub(super) struct TaskSource {
    arrivals: Arrivals,
    usual_us: f64,
    /// Where its level stands in the hour of that number, and the buckets of the classes by it.
    hour: u64,
    level_us: f64,
    class_buckets: [u16; CLASSES],
    slowness: f64,
    /// The current burst, or the next.
    burst_ms: (u64, u64),
}

impl Tasks {
    fn add(&mut self, bucket: u16, count: u64) {
        match self.latency.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(at) => self.latency[at].1 += count,
            Err(at) => self.latency.insert(at, (bucket, count)),
        }
    }
}

impl TaskSource {
    pub(super) fn new(arrivals: Arrivals, usual_us: f64) -> Self {
        Self {
            arrivals,
            usual_us,
            hour: u64::MAX,
            level_us: usual_us,
            class_buckets: [0; CLASSES],
            slowness: 1.0,
            burst_ms: (0, 0),
        }
    }

    /// Draws the tasks of a turn; returns how many ended.
    pub(super) fn draw(
        &mut self,
        conditions: TurnConditions,
        into: &mut Tasks,
        rng: &mut Rng,
    ) -> u64 {
        let TurnConditions { until_ms, span_ms, out_share, failing, slowness } = conditions;
        self.set_level(until_ms, slowness, rng);
        let rate = self.rate(until_ms, rng);
        let count = match rate * span_ms as f64 / SECOND_MS as f64 {
            0.0 => 0,
            mean => self.draw_latencies(mean, into, rng),
        };
        let out = binomial(count, out_share, rng);
        let failed = out + binomial(count - out, failing.unwrap_or(FAILING), rng);
        into.failed += failed;
        into.ok += count - failed;
        count
    }

    /// Returns how many tasks a second there are now.
    fn rate(&mut self, now_ms: u64, rng: &mut Rng) -> f64 {
        match self.arrivals {
            Arrivals::Random(rate) => rate,
            Arrivals::OfficeHours(rate) if is_office_hour(now_ms) => rate,
            Arrivals::OfficeHours(_) => 0.0,
            Arrivals::Bursts { every, rate } => {
                if now_ms >= self.burst_ms.1 {
                    self.burst_ms = next_burst(now_ms, every, rng);
                }
                if now_ms >= self.burst_ms.0 { rate } else { 0.0 }
            }
        }
    }

    fn set_level(&mut self, now_ms: u64, slowness: f64, rng: &mut Rng) {
        let hour = now_ms / HOUR_MS;
        let is_new_hour = hour != self.hour;
        if is_new_hour {
            self.hour = hour;
            let angle = std::f64::consts::TAU * (hour % 24) as f64 / 24.0;
            let level = LEVEL_WAVE * angle.sin() + LEVEL_NOISE * normal(rng);
            self.level_us = self.usual_us * level.exp();
        }
        if is_new_hour || slowness != self.slowness {
            self.slowness = slowness;
            for class in 0..CLASSES {
                let middle = CLASS_FIRST + (class as f64 + 0.5) * CLASS_WIDTH;
                self.class_buckets[class] = self.bucket(middle);
            }
        }
    }

    /// Returns the bucket of a task that takes so many spreads more than the middle.
    fn bucket(&self, spreads: f64) -> u16 {
        bucket::index((self.level_us * self.slowness * (SPREAD * spreads).exp()) as u64)
    }

    /// Draws tasks of which `mean` are expected; returns how many there are.
    fn draw_latencies(&self, mean: f64, into: &mut Tasks, rng: &mut Rng) -> u64 {
        if mean <= ONE_BY_ONE_MAX as f64 {
            let count = poisson(mean, rng);
            (0..count).for_each(|_| into.add(self.bucket(normal(rng)), 1));
            return count;
        }
        let mut sum = 0;
        for (class, &bucket) in self.class_buckets.iter().enumerate() {
            let count = poisson(mean * CLASS_SHARES[class], rng);
            if count > 0 {
                into.add(bucket, count);
                sum += count;
            }
        }
        sum
    }
}

fn next_burst(now_ms: u64, every: Duration, rng: &mut Rng) -> (u64, u64) {
    let wait_ms = -(1.0 - rng.f64()).ln() * every.as_millis() as f64;
    let begin_ms = now_ms + wait_ms as u64;
    (begin_ms, begin_ms + rng.u64(120..=900) * SECOND_MS)
}

/// The share of each class of a normal distribution.
static CLASS_SHARES: std::sync::LazyLock<[f64; CLASSES]> = std::sync::LazyLock::new(|| {
    let density = |class: usize| {
        let middle = CLASS_FIRST + (class as f64 + 0.5) * CLASS_WIDTH;
        (-middle * middle / 2.0).exp()
    };
    let sum: f64 = (0..CLASSES).map(density).sum();
    std::array::from_fn(|class| density(class) / sum)
});
