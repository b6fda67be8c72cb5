//! Schedule of the next message.

use std::time::Duration;

use crate::time::MonoNanos;

/// Rate limit of messages sent before their interval is over, as a burst and as an average. It
/// keeps a collector that always asks again, or a replay of its datagrams, from setting the agent's
/// rate.
const EARLY_PER_S: u32 = 10;
const EARLY_PERIOD: Duration = Duration::from_millis(1_000 / EARLY_PER_S as u64);
/// Share of the interval kept, in millionths: jitter of a tenth either way.
const JITTER_PPM: std::ops::RangeInclusive<u32> = 900_000..=1_100_000;

/// Schedule of an emitter's messages: one an interval, earlier when something has changed, and with
/// exponential backoff while something important is unacknowledged.
#[derive(Clone, Debug)]
pub(crate) struct SendSchedule {
    interval: Duration,
    jitter: fastrand::Rng,
    next_due: MonoNanos,
    last_sent: MonoNanos,
    retries: u32,
    /// Theoretical arrival time of the generic cell rate algorithm (ITU-T I.371).
    early_until: MonoNanos,
}

impl SendSchedule {
    /// Creates a schedule whose first message is due now.
    pub(crate) fn new(interval: Duration, seed: u64, now: MonoNanos) -> Self {
        Self {
            interval,
            jitter: fastrand::Rng::with_seed(seed),
            next_due: now,
            last_sent: now,
            retries: 0,
            early_until: MonoNanos::default(),
        }
    }

    pub(crate) fn next_due(&self) -> MonoNanos {
        self.next_due
    }

    /// Makes the next message due as soon as the rate limit of early messages allows.
    pub(crate) fn expedite(&mut self, now: MonoNanos) {
        let burst = EARLY_PERIOD * (EARLY_PER_S - 1);
        let earliest = now.max(self.early_until.minus(burst));
        if earliest < self.next_due {
            self.next_due = earliest;
            self.early_until = self.early_until.max(now).plus(EARLY_PERIOD);
        }
    }

    /// Makes the next message due now, past the rate limit: for the few of a goodbye.
    pub(crate) fn send_now(&mut self, now: MonoNanos) {
        self.next_due = self.next_due.min(now);
        self.retries = 0;
    }

    /// Restarts the backoff, and expedites the next message.
    pub(crate) fn retry_early(&mut self, now: MonoNanos) {
        self.retries = 0;
        self.expedite(now);
    }

    /// Returns to one message an interval, counted from the last one sent.
    pub(crate) fn stop_retrying(&mut self) {
        self.retries = 0;
        self.next_due = self.last_sent.plus(self.jittered_interval());
    }

    /// Schedules the message after one that was sent: an interval later, or earlier by a backoff
    /// that begins with `retry`.
    pub(crate) fn on_sent(&mut self, now: MonoNanos, retry: Option<Duration>) {
        let mut wait = self.jittered_interval();
        if let Some(first) = retry {
            wait = wait.min(first.saturating_mul(1 << self.retries.min(20)));
            self.retries += 1;
        }
        self.last_sent = now;
        self.next_due = now.plus(wait);
    }

    fn jittered_interval(&mut self) -> Duration {
        self.interval * self.jitter.u32(JITTER_PPM) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn intervals_are_jittered_by_at_most_a_tenth() {
        let mut schedule = SendSchedule::new(1_000 * MS, 7, MonoNanos::default());
        let mut intervals = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let now = schedule.next_due();
            schedule.on_sent(now, None);
            let interval = schedule.next_due().since(now);
            assert!((900 * MS..=1_100 * MS).contains(&interval), "{interval:?}");
            intervals.insert(interval);
        }
        assert!(intervals.len() > 500);
    }

    #[test]
    fn backoff_doubles_up_to_the_interval() {
        let mut schedule = SendSchedule::new(1_000 * MS, 7, MonoNanos::default());
        let mut now = MonoNanos::default();
        for wait in [100, 200, 400, 800] {
            schedule.on_sent(now, Some(100 * MS));
            assert_eq!(schedule.next_due().since(now), wait * MS);
            now = schedule.next_due();
        }
        schedule.on_sent(now, Some(100 * MS));
        assert!(schedule.next_due().since(now) <= 1_100 * MS);
    }

    #[test]
    fn early_messages_are_limited_to_ten_a_second() {
        let mut schedule = SendSchedule::new(60_000 * MS, 7, MonoNanos::default());
        schedule.on_sent(MonoNanos::default(), None);
        let (mut sent, end) = (0, MonoNanos::default().plus(10_000 * MS));
        let mut now = MonoNanos::new(1);
        while now < end {
            schedule.expedite(now);
            if schedule.next_due() <= now {
                schedule.on_sent(now, None);
                sent += 1;
            }
            now = now.plus(MS);
        }
        assert!((100..=110).contains(&sent), "{sent}");
    }
}
