//! Signs of life of other threads: numbers that grow for as long as they turn.

use std::time::Duration;

use heartline_fleet::MonoTime;

/// How old a sign of life may be.
pub(super) const FRESH_FOR: Duration = Duration::from_secs(30);

/// When a number was last seen to grow, by the driver's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignOfLife {
    count: u64,
    seen_at: Option<MonoTime>,
    since: MonoTime,
}

/// What a sign of life says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It was seen lately.
    Seen,
    /// It was not seen yet, and there is still time.
    Awaited,
    /// It was last seen so long ago.
    Missing(Duration),
}

impl SignOfLife {
    /// Returns a sign whose number was `count` when it was last looked at.
    pub(super) fn new(count: u64, now: MonoTime) -> Self {
        Self { count, seen_at: None, since: now }
    }

    pub(super) fn look(&mut self, count: u64, now: MonoTime) {
        if count != self.count {
            (self.count, self.seen_at) = (count, Some(now));
        }
    }

    /// Returns how long ago it was last seen; `None`: not yet.
    pub(super) fn age(&self, now: MonoTime) -> Option<Duration> {
        self.seen_at.map(|at| now.since(at))
    }

    /// Returns what it says where it may take `allowance` longer than others.
    pub(super) fn life(&self, now: MonoTime, allowance: Duration) -> Life {
        let age = now.since(self.seen_at.unwrap_or(self.since));
        match self.seen_at {
            _ if age > FRESH_FOR + allowance => Life::Missing(age),
            Some(_) => Life::Seen,
            None => Life::Awaited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_stands_still_is_missed_after_30_seconds() {
        let at = |s: i64| MonoTime::from_millis(s * 1_000);
        let mut sign = SignOfLife::new(7, at(0));
        let none = Duration::ZERO;
        assert_eq!(sign.life(at(30), none), Life::Awaited);
        assert_eq!(sign.life(at(31), none), Life::Missing(Duration::from_secs(31)));
        sign.look(8, at(40));
        sign.look(8, at(60));
        assert_eq!((sign.life(at(70), none), sign.age(at(70))), (Life::Seen, Some(FRESH_FOR)));
        assert_eq!(sign.life(at(71), none), Life::Missing(Duration::from_secs(31)));
        assert_eq!(sign.life(at(80), Duration::from_secs(10)), Life::Seen);
    }
}
