//! The hours in which work is expected: local times, of which the core is told moments.

use heartline_config::{ExpectSection, HoursSpan};
use heartline_fleet::{ExpectedHours, Input, MonoTime};

use super::Driver;

/// The clock and the zone data may change while hours last.
const LOOK_EVERY_MS: i64 = 60_000;

/// What is expected, as it was set last, with the hours that the core knows.
#[derive(Debug)]
pub(super) struct ExpectedClock {
    settings: Vec<(ExpectSection, Option<HoursSpan>)>,
    next_ms: i64,
}

impl ExpectedClock {
    /// Returns a clock that looks at once.
    pub(super) fn new(settings: Vec<ExpectSection>) -> Self {
        let settings = settings.into_iter().map(|setting| (setting, None)).collect();
        Self { settings, next_ms: i64::MIN }
    }
}

impl Driver {
    /// Tells the core of the hours that last now, or come next. To be called before messages are handled, so that no
    /// beat is judged by hours that are over.
    pub(super) fn begin_expected_hours(&mut self, now: MonoTime) {
        let wall_ms = self.anchor.wall_ms(now);
        if wall_ms < self.expected.next_ms {
            return;
        }
        let is_first = self.expected.next_ms == i64::MIN;
        let mut next_ms = wall_ms.saturating_add(LOOK_EVERY_MS);
        let mut changed = Vec::new();
        for (expectation, (setting, known)) in (0..).zip(&mut self.expected.settings) {
            let span = setting.span_at(wall_ms);
            if let Some(span) = span {
                next_ms = next_ms.min(span.until_ms);
            }
            if is_first || span != *known {
                *known = span;
                let always = setting.is_always().then_some(ExpectedHours::ALWAYS);
                let hours = span.map(|span| ExpectedHours {
                    from: self.anchor.mono(span.from_ms),
                    until: self.anchor.mono(span.until_ms),
                });
                changed.push((expectation, hours.or(always)));
            }
        }
        self.expected.next_ms = next_ms;
        for (expectation, hours) in changed {
            self.handle(Input::ExpectedHours { expectation, hours }, now);
        }
    }
}
