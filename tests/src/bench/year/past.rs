//! What history would say of the latencies of an agent: hours and days, and which hours were outages.
//!
//! The collector chooses the hours and days with SQL, and this module with arrays, by the same rules; what they say
//! is judged by the same code of the core.

use std::collections::{BTreeMap, VecDeque};

use heartline_fleet::{LatencyLimits, LatencySample};

/// The past of one agent.
#[derive(Default)]
pub(super) struct LatencyPast {
    hour: BTreeMap<u16, u64>,
    day: BTreeMap<u16, u64>,
    /// It was in an outage at some time of this hour.
    had_outage: bool,
    is_in_outage: bool,
    /// What the hours before taught, the newest first.
    hours: VecDeque<Option<LatencySample>>,
    /// The days before, the newest first.
    days: VecDeque<BTreeMap<u16, u64>>,
}

const DAYS: usize = LatencySample::DAYS as usize;

impl LatencyPast {
    pub(super) fn add(&mut self, tasks: &[(u16, u64)]) {
        for &(bucket, count) in tasks {
            *self.hour.entry(bucket).or_default() += count;
        }
    }

    pub(super) fn set_outage(&mut self, is_in_outage: bool) {
        self.is_in_outage = is_in_outage;
        self.had_outage |= is_in_outage;
    }

    /// Ends an hour, and a day with its last one; returns the limits of the next hour, if something is known.
    pub(super) fn end_hour(&mut self, is_midnight: bool) -> Option<LatencyLimits> {
        let hour = std::mem::take(&mut self.hour);
        let sample = LatencySample::of_hour(&pairs(&hour)).filter(|_| !self.had_outage);
        self.had_outage = self.is_in_outage;
        for (bucket, count) in hour {
            *self.day.entry(bucket).or_default() += count;
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
        let mut sum = BTreeMap::new();
        // Without yesterday.
        for (bucket, count) in self.days.iter().skip(1).flatten() {
            *sum.entry(*bucket).or_default() += count;
        }
        Some(LatencyLimits::of_days(LatencySample::of_days(&pairs(&sum))?))
    }
}

fn pairs(tasks: &BTreeMap<u16, u64>) -> impl Iterator<Item = (u16, u64)> + Clone {
    tasks.iter().map(|(&bucket, &count)| (bucket, count))
}
