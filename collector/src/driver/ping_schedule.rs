//! When the next ping is due, and what it says. Pure.

use std::time::Duration;

use heartline_fleet::MonoTime;
use heartline_operator::message::PingKind;

/// Time after which a ping that was not taken is sent again, where the next is not due before.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Shortest time between two pings of which the second says something else.
const APART: Duration = Duration::from_secs(5);

/// What is known at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// Every sign of life was seen lately, and nothing is doubted.
    Sure,
    /// Some sign was not seen yet since the start.
    Unsure,
    Doubting,
}

/// The schedule of pings.
#[derive(Clone, Copy, Debug)]
pub(super) struct PingSchedule {
    every: Duration,
    /// What was said last, and when.
    said: Option<(PingKind, MonoTime)>,
    due: MonoTime,
}

impl PingSchedule {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, said: None, due: MonoTime::NEVER_YET }
    }

    /// Returns the ping that is due now:
    ///
    /// 1. The first one says that the collector begins.
    /// 2. While some sign of life was not seen yet, none is due: no ping claims what is not known.
    /// 3. What has changed is said at once, and what stays at every interval.
    pub(super) fn due(&self, certainty: Certainty, now: MonoTime) -> Option<PingKind> {
        let Some((said, at)) = self.said else { return Some(PingKind::Start) };
        let kind = match certainty {
            Certainty::Unsure => return None,
            Certainty::Sure => PingKind::Alive,
            Certainty::Doubting => PingKind::Fail,
        };
        let is_news = said != kind && now.since(at) >= APART.min(self.every);
        (now >= self.due || is_news).then_some(kind)
    }

    /// Takes in that a ping is sent.
    pub(super) fn sent(&mut self, kind: PingKind, now: MonoTime) {
        self.said = Some((kind, now));
        // The first sure word follows the begin at once.
        self.due = if kind == PingKind::Start { now } else { now + self.every };
    }

    /// Takes in that a ping was not taken.
    pub(super) fn failed(&mut self, now: MonoTime) {
        self.due = self.due.min(now + AGAIN_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> MonoTime {
        MonoTime::from_millis(s * 1_000)
    }

    /// Returns what is sent from second to second, as `second kind`.
    fn sent(
        schedule: &mut PingSchedule,
        seconds: std::ops::Range<i64>,
        certainty: impl Fn(i64) -> Certainty,
    ) -> Vec<String> {
        let step = |second: i64| {
            let kind = schedule.due(certainty(second), at(second))?;
            schedule.sent(kind, at(second));
            Some(format!("{second} {}", kind.name()))
        };
        seconds.filter_map(step).collect()
    }

    #[test]
    fn it_begins_waits_for_certainty_and_says_changes_at_once() {
        let mut schedule = PingSchedule::new(Duration::from_secs(60));
        let certainty = |second| match second {
            0..4 => Certainty::Unsure,
            100..130 | 132..200 => Certainty::Doubting,
            _ => Certainty::Sure,
        };
        let expected =
            ["0 start", "4 alive", "64 alive", "100 fail", "130 alive", "135 fail", "195 fail"];
        assert_eq!(sent(&mut schedule, 0..200, certainty), expected);
    }

    #[test]
    fn what_was_not_taken_is_sent_again_and_never_later_than_the_next() {
        let mut schedule = PingSchedule::new(Duration::from_secs(60));
        let sure = |_| Certainty::Sure;
        assert_eq!(sent(&mut schedule, 0..2, sure), ["0 start", "1 alive"]);
        schedule.failed(at(6));
        assert_eq!(sent(&mut schedule, 6..60, sure), ["16 alive"]);
        let mut fast = PingSchedule::new(Duration::from_secs(2));
        sent(&mut fast, 0..2, sure);
        fast.failed(at(2));
        assert_eq!(sent(&mut fast, 2..6, sure), ["3 alive", "5 alive"]);
    }
}
