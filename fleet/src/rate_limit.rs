//! Rate limits: token buckets of four bytes.

use std::time::Duration;

use crate::time::MonoTime;

/// A rate: `burst` events at once, and then one every `period_ms`.
///
/// In any stretch of time there are at most `burst` events, and one more for each period in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) period_ms: u32,
    pub(crate) burst: u32,
}

impl Rate {
    /// Returns the time that it takes for a used up burst to come back, in ms.
    const fn window_ms(self) -> u32 {
        self.period_ms.saturating_mul(self.burst)
    }

    /// Returns the time that it takes for a used up burst to come back.
    pub(crate) fn window(self) -> Duration {
        Duration::from_millis(u64::from(self.window_ms()))
    }
}

/// The events of one agent that a [`Rate`] limits, as the generic cell rate algorithm (ITU-T I.371)
/// counts them: the time at which all of the burst is there again, in ms modulo 2³².
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimit(u32);

impl RateLimit {
    /// Counts an event, if the rate allows one more.
    pub(crate) fn try_acquire(&mut self, rate: Rate, now: MonoTime) -> bool {
        let is_allowed = self.allows(rate, 0, now);
        if is_allowed {
            self.charge(rate, now);
        }
        is_allowed
    }

    /// Returns whether the rate allows one more event and `reserve` others after it.
    pub(crate) fn allows(self, rate: Rate, reserve: u32, now: MonoTime) -> bool {
        let reserved_ms = reserve.saturating_add(1).saturating_mul(rate.period_ms);
        self.used_ms(rate, now).saturating_add(reserved_ms) <= rate.window_ms()
    }

    /// Counts an event, whether the rate allows it or not.
    pub(crate) fn charge(&mut self, rate: Rate, now: MonoTime) {
        let used_ms = self.used_ms(rate, now).saturating_add(rate.period_ms);
        self.0 = wrapped_ms(now).wrapping_add(used_ms.min(rate.window_ms()));
    }

    /// Returns its one field.
    pub(crate) fn raw(self) -> u32 {
        self.0
    }

    /// Returns how much of the burst is used, as the time in which it comes back.
    pub(crate) fn used_ms(self, rate: Rate, now: MonoTime) -> u32 {
        let (ahead_ms, window_ms) = (self.0.wrapping_sub(wrapped_ms(now)), rate.window_ms());
        // Rates that change, as with an interval, differ by less. Further ahead is the past.
        if ahead_ms > window_ms.saturating_mul(2) { 0 } else { ahead_ms.min(window_ms) }
    }
}

/// Returns milliseconds modulo 2³².
fn wrapped_ms(at: MonoTime) -> u32 {
    at.nanos().div_euclid(1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { period_ms: 34, burst: 32 };

    fn at(ms: i64) -> MonoTime {
        MonoTime::from_millis(ms)
    }

    #[test]
    fn no_stretch_of_time_has_more_than_the_burst_and_one_for_each_period() {
        let mut limit = RateLimit::default();
        let mut taken = Vec::new();
        for ms in 10_000..40_000 {
            // Silence in between fills the burst again.
            while ms % 7_000 > 3_000 && limit.try_acquire(RATE, at(ms)) {
                taken.push(ms);
            }
        }
        let in_second =
            |from: i64| taken.iter().filter(|&&ms| (from..from + 1_000).contains(&ms)).count();
        assert_eq!(taken.iter().map(|&from| in_second(from)).max(), Some(61));
    }

    #[test]
    fn a_reserve_is_left_to_others() {
        let mut limit = RateLimit::default();
        let mut count = 0;
        while limit.allows(RATE, 24, at(5_000)) {
            limit.charge(RATE, at(5_000));
            count += 1;
        }
        assert_eq!(count, 8);
        assert!(limit.allows(RATE, 23, at(5_000)));
    }

    #[test]
    fn what_is_charged_beyond_the_rate_is_forgotten() {
        let mut limit = RateLimit::default();
        (0..1_000).for_each(|_| limit.charge(RATE, at(5_000)));
        assert!(!limit.try_acquire(RATE, at(5_033)) && limit.try_acquire(RATE, at(5_034)));
    }

    #[test]
    fn a_rate_that_changes_gives_no_new_burst() {
        let mut limit = RateLimit::default();
        let rates = [RATE, Rate { period_ms: 51, burst: 20 }, Rate { period_ms: 330, burst: 3 }];
        let taken = (0..300).filter(|n| limit.try_acquire(rates[n % 3], at(5_000))).count();
        assert!(taken <= 32, "{taken}");
    }

    #[test]
    fn it_works_where_the_milliseconds_wrap_around() {
        let mut limit = RateLimit::default();
        let end = i64::from(u32::MAX) - 100;
        limit.charge(RATE, at(end - 9_000));
        assert_eq!((0..40).filter(|_| limit.try_acquire(RATE, at(end))).count(), 32);
        assert_eq!((0..40).filter(|_| limit.try_acquire(RATE, at(end + 340))).count(), 10);
        assert_eq!((0..40).filter(|_| limit.try_acquire(RATE, at(end + 9_000))).count(), 32);
    }
}
