//! When to draw, and when to build the list anew: rarely enough to cost next to nothing.
//!
//! 1. A key is answered within [`KEY_MS`].
//! 2. News is drawn at most four times a second, on a slow terminal once.
//! 3. The list is built at most four times a second, and takes at most a twentieth of the time.

use crate::clock::MonoTime;

const KEY_MS: u64 = 12;
const NEWS_MS: u64 = 250;
const SLOW_NEWS_MS: u64 = 1_000;
/// A terminal that takes this long to accept a frame is slow.
const SLOW_WRITE_MS: u64 = 100;
/// Share of the time that building the list may take, as its inverse.
const SHARE: u64 = 20;

/// Why something is to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Key,
    News,
}

/// The times of the next frame and of the next build.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    draw_at: Option<MonoTime>,
    drawn: MonoTime,
    write_ms: u64,
    settle_at: Option<MonoTime>,
    settled: MonoTime,
    settle_ms: u64,
}

impl Pace {
    /// Something visible changed.
    pub(crate) fn want_frame(&mut self, urgency: Urgency) {
        let gap = match urgency {
            Urgency::Key => KEY_MS,
            Urgency::News if self.write_ms >= SLOW_WRITE_MS => SLOW_NEWS_MS,
            Urgency::News => NEWS_MS,
        };
        let at = self.drawn.plus_ms(gap);
        self.draw_at = Some(self.draw_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// The list no longer fits the fleet.
    pub(crate) fn want_settle(&mut self) {
        let gap = NEWS_MS.max(self.settle_ms.saturating_mul(SHARE));
        self.settle_at.get_or_insert(self.settled.plus_ms(gap));
    }

    pub(crate) fn frame_due(&self, now: MonoTime) -> bool {
        self.draw_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn settle_due(&self, now: MonoTime) -> bool {
        self.settle_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn drew(&mut self, began: MonoTime, ended: MonoTime) {
        self.draw_at = None;
        self.drawn = ended;
        self.write_ms = ended.since(began);
    }

    pub(crate) fn settled(&mut self, began: MonoTime, ended: MonoTime) {
        self.settle_at = None;
        self.settled = ended;
        self.settle_ms = ended.since(began);
    }

    /// Milliseconds until the next of these, if any is wanted.
    pub(crate) fn wait_ms(&self, now: MonoTime) -> Option<u64> {
        [self.draw_at, self.settle_at].into_iter().flatten().map(|at| at.since(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> MonoTime {
        MonoTime::from_ms(ms)
    }

    #[test]
    fn news_waits_and_a_key_does_not() {
        let mut pace = Pace::default();
        pace.drew(at(1_000), at(1_001));
        pace.want_frame(Urgency::News);
        assert_eq!(pace.wait_ms(at(1_001)), Some(250));
        pace.want_frame(Urgency::Key);
        assert_eq!(pace.wait_ms(at(1_001)), Some(12));
        assert!(pace.frame_due(at(1_013)));
    }

    #[test]
    fn a_slow_terminal_is_told_news_once_a_second() {
        let mut pace = Pace::default();
        pace.drew(at(1_000), at(1_150));
        pace.want_frame(Urgency::News);
        assert_eq!(pace.wait_ms(at(1_150)), Some(1_000));
    }

    #[test]
    fn a_dear_list_is_built_less_often() {
        let mut pace = Pace::default();
        pace.settled(at(1_000), at(1_030));
        pace.want_settle();
        assert!(!pace.settle_due(at(1_629)));
        assert!(pace.settle_due(at(1_630)));
    }
}
