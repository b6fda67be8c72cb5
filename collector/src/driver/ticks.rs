//! The driver's own ticks: whether they come in time.

use std::collections::VecDeque;
use std::time::Duration;

use heartline_fleet::{MonoTime, TICK_INTERVAL_MAX};
use heartline_operator::message::TickHealth;

use super::sign::FRESH_FOR;
use crate::clock::WallClockAnchor;

/// How much later than asked for a tick is on time: from there on the core counts no silence.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Time for which late ticks are remembered one by one.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// From so much of that time on that was not observed, the collector doubts itself.
const LATE_MAX: Duration = Duration::from_secs(10);

/// The ticks since the start.
#[derive(Debug)]
pub(super) struct TickLog {
    last: MonoTime,
    last_span: Duration,
    longest: Duration,
    count: u64,
    late: u64,
    last_late: Option<MonoTime>,
    on_time: Option<MonoTime>,
    /// The late ticks of the last minute, with how long nothing was observed before each.
    recent: VecDeque<(MonoTime, Duration)>,
}

impl TickLog {
    pub(super) fn new(now: MonoTime) -> Self {
        Self {
            last: now,
            last_span: Duration::ZERO,
            longest: Duration::ZERO,
            count: 0,
            late: 0,
            last_late: None,
            on_time: None,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn record(&mut self, now: MonoTime) {
        let span = now.since(self.last);
        (self.last, self.last_span, self.longest) = (now, span, self.longest.max(span));
        self.count += 1;
        if span > TICK_INTERVAL_MAX + TOLERANCE {
            self.late += 1;
            self.last_late = Some(now);
            self.recent.push_back((now, span));
        } else {
            self.on_time = Some(now);
        }
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) > REMEMBERED_FOR) {
            self.recent.pop_front();
        }
    }

    /// Returns whether one was on time lately.
    pub(super) fn is_on_time(&self, now: MonoTime) -> bool {
        self.on_time.is_some_and(|at| now.since(at) <= FRESH_FOR)
    }

    /// Says that too much of the last minute was not observed, if that is so.
    pub(super) fn doubt(&self) -> Option<String> {
        let lost: Duration = self.recent.iter().map(|(_, span)| *span).sum();
        (lost >= LATE_MAX).then(|| {
            let seconds = lost.as_secs();
            format!("ticks were late: in the last minute nothing was observed for {seconds} s")
        })
    }

    pub(super) fn health(&self, anchor: WallClockAnchor) -> TickHealth {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        TickHealth {
            count: self.count,
            last_ms: ms(self.last_span),
            longest_ms: ms(self.longest),
            late: self.late,
            last_late_ms: self.last_late.map(|at| anchor.wall_ms(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_late_beyond_300_ms_and_doubted_from_ten_seconds_of_a_minute_on() {
        let at = MonoTime::from_millis;
        let mut ticks = TickLog::new(at(0));
        ticks.record(at(300));
        assert!(ticks.is_on_time(at(30_300)) && !ticks.is_on_time(at(30_301)));
        ticks.record(at(10_200));
        assert_eq!((ticks.doubt(), ticks.late), (None, 1), "9.9 s");
        ticks.record(at(10_501));
        let doubt = ticks.doubt().unwrap();
        assert!(doubt.contains("nothing was observed for 10 s"), "{doubt}");
        ticks.record(at(10_700));
        for second in 11..=72 {
            ticks.record(at(second * 1_000));
            ticks.record(at(second * 1_000 + 1));
        }
        let health = ticks.health(WallClockAnchor::new(at(0), 0));
        assert_eq!((health.longest_ms, health.last_ms), (9_900, 1));
    }
}
