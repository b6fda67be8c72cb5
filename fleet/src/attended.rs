//! The clock by which silence is measured: it stands still while nobody could be heard.

use std::ops::Add;
use std::time::Duration;

use crate::time::MonoTime;

/// A moment on the collector's monotonic clock, less the time until then in which it was frozen or
/// its socket overflowed. Because deadlines are kept in it, an absence puts all of them off at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObservedTime(MonoTime);

impl ObservedTime {
    /// Earlier than any other moment.
    pub(crate) const NEVER_YET: Self = Self(MonoTime::NEVER_YET);
    /// Later than any other moment.
    pub(crate) const NEVER: Self = Self(MonoTime::NEVER);

    /// The time from `earlier` to here; zero if it is not earlier.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.since(earlier.0)
    }
}

impl Add<Duration> for ObservedTime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0 + span)
    }
}

/// How much time was lost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObservationClock(Duration);

impl ObservationClock {
    /// Nobody could be heard for so long.
    pub(crate) fn add(&mut self, lost: Duration) {
        self.0 = self.0.saturating_add(lost);
    }

    /// What the clock showed at a moment after the last absence.
    pub(crate) fn attended(self, at: MonoTime) -> ObservedTime {
        ObservedTime(at - self.0)
    }

    /// When the clock will show, or has shown since the last absence, that moment.
    pub(crate) fn mono(self, at: ObservedTime) -> MonoTime {
        at.0 + self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_nobody_could_be_heard() {
        let at = MonoTime::from_millis;
        let mut absences = ObservationClock::default();
        let deadline = absences.attended(at(1_000)) + Duration::from_secs(3);
        absences.add(Duration::from_secs(5));
        assert_eq!(absences.mono(deadline), at(9_000));
        assert_eq!(absences.attended(at(9_000)), deadline);
        assert_eq!(absences.mono(ObservedTime::NEVER), MonoTime::NEVER);
    }
}
