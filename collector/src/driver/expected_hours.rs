//! The hours in which tasks are expected: local times, of which the core is told moments.

use std::time::Duration;

use heartline_config::{ExpectSection, HoursSpan};
use heartline_fleet::{ExpectedHours, Input, MonoTime};

use super::Driver;
use crate::clock::WallClockAnchor;

/// Hours are told when they begin to be the next ones, and looked at so often, because the clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Expectations as they were set last, with the hours that the core knows.
#[derive(Debug)]
pub(super) struct ExpectationClock {
    settings: Vec<(ExpectSection, Option<HoursSpan>)>,
    /// Places all hours. It stays until the clock was set, so that hours told again begin at the same moment.
    anchor: WallClockAnchor,
    /// When to look next; [`MonoTime::NEVER_YET`]: the core knows nothing yet.
    next: MonoTime,
}

impl ExpectationClock {
    /// Returns a clock that looks at once.
    pub(super) fn new(settings: Vec<ExpectSection>, anchor: WallClockAnchor) -> Self {
        let settings = settings.into_iter().map(|setting| (setting, None)).collect();
        Self { settings, anchor, next: MonoTime::NEVER_YET }
    }

    /// Returns what the core must be told: of expectations, by number, the hours that last, or come next.
    fn look(
        &mut self,
        anchor: WallClockAnchor,
        now: MonoTime,
    ) -> Vec<(u16, Option<ExpectedHours>)> {
        let was_set = anchor.step_since(self.anchor).is_some();
        if now < self.next && !was_set {
            return Vec::new();
        }
        if was_set {
            self.anchor = anchor;
        }
        let tells_all = was_set || self.next == MonoTime::NEVER_YET;
        self.next = now + LOOK_EVERY;
        let anchor = self.anchor;
        let mut changed = Vec::new();
        for (number, (setting, known)) in (0..).zip(&mut self.settings) {
            let span = setting.span_at(anchor.wall_ms(now));
            let hours = if setting.is_always() {
                Some(ExpectedHours::ALWAYS)
            } else {
                let at = |wall_ms| anchor.mono(wall_ms);
                span.map(|it| ExpectedHours { from: at(it.from_ms), until: at(it.until_ms) })
            };
            self.next = hours.map_or(self.next, |hours| self.next.min(hours.until));
            if std::mem::replace(known, span) != span || tells_all {
                changed.push((number, hours));
            }
        }
        changed
    }
}

impl Driver {
    /// Tells the core of the hours that last now, or come next. To be called before messages are handled, so that no
    /// beat is judged by hours that are over.
    pub(super) fn begin_expected_hours(&mut self, now: MonoTime) {
        for (expectation, hours) in self.expectations.look(self.anchor, now) {
            self.handle(Input::ExpectedHours { expectation, hours }, now);
        }
    }

    /// Replaces all expectations, of which the core knows no hours any more.
    pub(super) fn set_expectations(&mut self, settings: Vec<ExpectSection>, now: MonoTime) {
        self.expectations = ExpectationClock::new(settings, self.expectations.anchor);
        self.begin_expected_hours(now);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_config::{ConfigFile, ConfigText};
    use heartline_operator::CollectorDirectories;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// A Thursday, at midnight.
    const MIDNIGHT_MS: i64 = 0;

    /// Something that is always expected, and something during hours of two days.
    fn settings() -> Vec<ExpectSection> {
        let text = "[[agent]]\nmatch = \"a\"\nexpect = { at_least = 1, in = \"24h\" }\n[[agent]]\nmatch = \"b\"\n\
                    expect = { at_least = 1, in = \"1h\", during = \"thu,fri 09:00-17:00\" }\n";
        let text = ConfigText::new(Path::new("heartline.toml"), text.to_owned());
        let file = <ConfigFile>::parse(&text).expect("it is right");
        let directories = CollectorDirectories { data: "/d".into(), sockets: "/s".into() };
        file.resolve(&[], directories).expectations
    }

    /// Hours of the second expectation, on the monotonic clock.
    fn told(hours: &[(u16, Option<ExpectedHours>)]) -> Vec<(u16, Option<(i64, i64)>)> {
        let hour = |at: MonoTime| at.nanos() / 1_000_000 / HOUR_MS;
        let span = |it: ExpectedHours| (hour(it.from), hour(it.until));
        let known = |it: Option<ExpectedHours>| it.filter(|it| *it != ExpectedHours::ALWAYS);
        hours.iter().map(|(number, it)| (*number, known(*it).map(span))).collect()
    }

    fn at_hour(hour: i64) -> MonoTime {
        MonoTime::from_millis(hour * HOUR_MS)
    }

    #[test]
    fn hours_are_told_once_and_the_next_ones_when_they_are_over() {
        let anchor = WallClockAnchor::new(at_hour(0), MIDNIGHT_MS);
        let mut clock = ExpectationClock::new(settings(), anchor);
        let mut look = |hour| told(&clock.look(anchor, at_hour(hour)));
        assert_eq!(look(8), [(0, None), (1, Some((9, 17)))]);
        assert_eq!(look(9), []);
        assert_eq!(look(16), []);
        assert_eq!(look(17), [(1, Some((33, 41)))]);
    }

    #[test]
    fn a_clock_that_is_set_moves_them_at_once_and_one_that_is_slewed_does_not() {
        let anchor = |by_ms| WallClockAnchor::new(at_hour(0), MIDNIGHT_MS + by_ms);
        let mut clock = ExpectationClock::new(settings(), anchor(0));
        let mut look = |by_ms, hour| told(&clock.look(anchor(by_ms), at_hour(hour)));
        assert_eq!(look(0, 10), [(0, None), (1, Some((9, 17)))]);
        assert_eq!(look(900, 11), []);
        // Two hours back at noon: it is ten again.
        assert_eq!(look(-2 * HOUR_MS, 12), [(0, None), (1, Some((11, 19)))]);
        assert_eq!(look(-2 * HOUR_MS, 18), []);
        assert_eq!(look(-2 * HOUR_MS, 19), [(1, Some((35, 43)))]);
    }
}
