//! The clock by which silence is measured: it stands still while the collector could hear nothing.

use std::ops::Add;
use std::time::Duration;

use crate::time::MonoTime;

/// A moment on the collector's monotonic clock, less the time until then in which it was frozen or
/// its socket overflowed. Because deadlines are kept in it, a gap postpones all of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObservedTime(MonoTime);

impl ObservedTime {
    /// Earlier than any other moment.
    pub(crate) const NEVER_YET: Self = Self(MonoTime::NEVER_YET);
    /// Later than any other moment.
    pub(crate) const NEVER: Self = Self(MonoTime::NEVER);

    /// Returns the time from `earlier` to here; zero if it is not earlier.
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

/// Converts between monotonic and observed time: the sum of the gaps so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObservationClock(Duration);

impl ObservationClock {
    /// Adds a gap.
    pub(crate) fn add_gap(&mut self, lost: Duration) {
        self.0 = self.0.saturating_add(lost);
    }

    /// Returns the observed time at a moment after the last gap.
    pub(crate) fn observed(self, at: MonoTime) -> ObservedTime {
        ObservedTime(at - self.0)
    }

    /// Returns the moment after the last gap that has this observed time.
    pub(crate) fn mono(self, at: ObservedTime) -> MonoTime {
        at.0 + self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observed_time_stands_still_in_a_gap() {
        let at = MonoTime::from_millis;
        let mut clock = ObservationClock::default();
        let deadline = clock.observed(at(1_000)) + Duration::from_secs(3);
        clock.add_gap(Duration::from_secs(5));
        assert_eq!(clock.mono(deadline), at(9_000));
        assert_eq!(clock.observed(at(9_000)), deadline);
        assert_eq!(clock.mono(ObservedTime::NEVER), MonoTime::NEVER);
    }
}
