//! When the next message is due.

use std::time::Duration;

use super::moment::Moment;

/// Most messages sent out of turn, in a burst and then in a second on average. It keeps a collector
/// that always asks again, or somebody who replays its datagrams, from setting the agent's rate.
const OUT_OF_TURN_PER_S: u32 = 10;
const OUT_OF_TURN_EVERY: Duration = Duration::from_millis(1_000 / OUT_OF_TURN_PER_S as u64);
/// How much shorter or longer than the interval a turn may be, in millionths.
const JITTER_PPM: u64 = 100_000;

/// The schedule of an emitter: in turn once an interval, out of turn when there is news, again and
/// again at doubling distances while something important is unanswered.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    jitter: SplitMix64,
    due: Moment,
    last_sent: Moment,
    retries: u32,
    /// By when all turns taken out of order would have been taken in order (the generic cell rate
    /// algorithm of ITU-T I.371).
    paid_until: Moment,
}

impl Pace {
    /// A schedule whose first message is due now.
    pub(super) fn new(interval: Duration, seed: u64, now: Moment) -> Self {
        Self {
            interval,
            jitter: SplitMix64(seed),
            due: now,
            last_sent: now,
            retries: 0,
            paid_until: Moment::default(),
        }
    }

    pub(super) fn due(&self) -> Moment {
        self.due
    }

    /// Makes the next message due now, or as soon as the limit on messages out of turn allows.
    pub(super) fn at_once(&mut self, now: Moment) {
        let burst = OUT_OF_TURN_EVERY * (OUT_OF_TURN_PER_S - 1);
        let earliest = now.max(self.paid_until.minus(burst));
        if earliest < self.due {
            self.due = earliest;
            self.paid_until = self.paid_until.max(now).plus(OUT_OF_TURN_EVERY);
        }
    }

    /// Makes the next message due now whatever was sent before: for the few of a goodbye.
    pub(super) fn now(&mut self, now: Moment) {
        self.due = self.due.min(now);
        self.retries = 0;
    }

    /// Starts the doubling again from its beginning.
    pub(super) fn reset_retries(&mut self) {
        self.retries = 0;
    }

    /// Back to one message an interval, counted from the last one sent.
    pub(super) fn calm(&mut self) {
        self.retries = 0;
        self.due = self.last_sent.plus(self.turn());
    }

    /// A message was sent. The next is due in turn, or `retry` later, which doubles each time.
    pub(super) fn sent(&mut self, now: Moment, retry: Option<Duration>) {
        let mut wait = self.turn();
        if let Some(first) = retry {
            wait = wait.min(first.saturating_mul(1 << self.retries.min(20)));
            self.retries += 1;
        }
        self.last_sent = now;
        self.due = now.plus(wait);
    }

    fn turn(&mut self) -> Duration {
        let ppm = 1_000_000 - JITTER_PPM + self.jitter.next() % (2 * JITTER_PPM + 1);
        self.interval * ppm as u32 / 1_000_000
    }
}

/// Steele, Lea and Flood's generator: good enough to keep emitters from marching in step.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn turns_stay_within_a_tenth_of_the_interval_and_differ() {
        let mut pace = Pace::new(1_000 * MS, 7, Moment::default());
        let mut turns = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let now = pace.due();
            pace.sent(now, None);
            let turn = pace.due().since(now);
            assert!((900 * MS..=1_100 * MS).contains(&turn), "{turn:?}");
            turns.insert(turn);
        }
        assert!(turns.len() > 500);
    }

    #[test]
    fn retries_double_up_to_the_interval() {
        let mut pace = Pace::new(1_000 * MS, 7, Moment::default());
        let mut now = Moment::default();
        for wait in [100, 200, 400, 800] {
            pace.sent(now, Some(100 * MS));
            assert_eq!(pace.due().since(now), wait * MS);
            now = pace.due();
        }
        pace.sent(now, Some(100 * MS));
        assert!(pace.due().since(now) <= 1_100 * MS);
    }

    #[test]
    fn no_more_than_ten_a_second_are_sent_out_of_turn() {
        let mut pace = Pace::new(60_000 * MS, 7, Moment::default());
        pace.sent(Moment::default(), None);
        let (mut sent, end) = (0, Moment::default().plus(10_000 * MS));
        let mut now = Moment::from_nanos(1);
        while now < end {
            pace.at_once(now);
            if pace.due() <= now {
                pace.sent(now, None);
                sent += 1;
            }
            now = now.plus(MS);
        }
        assert!((100..=110).contains(&sent), "{sent}");
    }
}
