//! Monotonic time as a value, and the clock by which silence is measured: it stands still while the
//! collector could hear nothing.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the collector's monotonic clock, in nanoseconds from an arbitrary origin. Moments
/// before this start of the collector (restored from disk) are negative; no wall clock can move any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(i64);

impl MonoTime {
    /// Earlier than any other moment: *it has not happened*.
    pub const NEVER_YET: Self = Self(i64::MIN);
    /// Later than any other moment: *it will not happen by itself*.
    pub const NEVER: Self = Self(i64::MAX);

    /// A moment so many nanoseconds after the origin.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A moment so many milliseconds after the origin.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to here; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// [`Self::since`] in whole milliseconds.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0) / NANOS_PER_MILLI
    }

    /// This moment, unless it is one of the two that are none.
    pub fn known(self) -> Option<Self> {
        (self != Self::NEVER_YET && self != Self::NEVER).then_some(self)
    }

    /// So many milliseconds earlier.
    pub fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(nanos_of(millis)).max(OLDEST))
    }

    /// So many milliseconds later.
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(nanos_of(millis)))
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;
/// The earliest moment that is one.
const OLDEST: i64 = i64::MIN + 1;

fn nanos(span: Duration) -> i64 {
    let whole = i64::try_from(span.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    whole.saturating_add(i64::from(span.subsec_nanos()))
}

/// Without the way through a [`Duration`]: every beat is several times that far from something.
fn nanos_of(millis: u64) -> i64 {
    i64::try_from(millis.saturating_mul(NANOS_PER_MILLI)).unwrap_or(i64::MAX)
}

impl Add<Duration> for MonoTime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for MonoTime {
    type Output = Self;
    /// Never reaches [`Self::NEVER_YET`]: an age that an agent made up is still an age.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)).max(OLDEST))
    }
}

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
