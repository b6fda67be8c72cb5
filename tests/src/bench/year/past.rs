//! What history would say of the latencies of an agent: hours and days, and which hours were outages.
//!
//! The collector chooses the hours and days with SQL, and this module with arrays, by the same rules; what they say
//! is judged by the same code of the core.

use std::collections::VecDeque;

use heartline_fleet::{LatencyLimits, LatencySample};
use heartline_protocol::bucket::BUCKETS;

/// The past of one agent.
pub(super) struct LatencyPast {
    hour: Histogram,
    day: Histogram,
    /// It was in an outage at some time of this hour.
    had_outage: bool,
    is_in_outage: bool,
    /// What the hours before taught, the newest first.
    hours: VecDeque<Option<LatencySample>>,
    /// The days before, the newest first.
    days: VecDeque<Histogram>,
}

/// Tasks by bucket.
#[derive(Clone)]
struct Histogram(Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Histogram {
    fn add(&mut self, bucket: u16, count: u64) {
        self.0[usize::from(bucket)] += count;
    }

    fn pairs(&self) -> impl Iterator<Item = (u16, u64)> + Clone {
        (0..).zip(self.0.iter().copied()).filter(|(_, count)| *count > 0)
    }
}

const DAYS: usize = LatencySample::DAYS as usize;

impl LatencyPast {
    pub(super) fn new() -> Self {
        Self {
            hour: Histogram::default(),
            day: Histogram::default(),
            had_outage: false,
            is_in_outage: false,
            hours: VecDeque::new(),
            days: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, tasks: &[(u16, u64)]) {
        for &(bucket, count) in tasks {
            self.hour.add(bucket, count);
        }
    }

    pub(super) fn set_outage(&mut self, is_in_outage: bool) {
        self.is_in_outage = is_in_outage;
        self.had_outage |= is_in_outage;
    }

    /// Ends an hour, and a day with its last one; returns the limits of the next hour, if something is known.
    pub(super) fn end_hour(&mut self, is_midnight: bool) -> Option<LatencyLimits> {
        let hour = std::mem::take(&mut self.hour);
        let sample = LatencySample::of_hour(&hour.pairs()).filter(|_| !self.had_outage);
        self.had_outage = self.is_in_outage;
        for (bucket, count) in hour.pairs() {
            self.day.add(bucket, count);
        }
        self.hours.push_front(sample);
        self.hours.truncate(24 * DAYS);
        if is_midnight {
            self.days.push_front(std::mem::take(&mut self.day));
            self.days.truncate(DAYS + 1);
        }
        // Of the hour that begins the same one of the days before.
        let same = self.hours.iter().skip(23).step_by(24);
        let samples: Vec<LatencySample> = same.copied().flatten().collect();
        LatencyLimits::of_hours(&samples).or_else(|| self.limits_of_days())
    }

    fn limits_of_days(&self) -> Option<LatencyLimits> {
        let mut sum = Histogram::default();
        // Without yesterday.
        for (bucket, count) in self.days.iter().skip(1).flat_map(Histogram::pairs) {
            sum.add(bucket, count);
        }
        Some(LatencyLimits::of_days(LatencySample::of_days(&sum.pairs())?))
    }
}
