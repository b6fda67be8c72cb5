//! Monotonic time as a value.

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

    /// Creates the time `nanos` after the origin.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Creates the time `millis` after the origin; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Returns the nanoseconds since the origin.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns the time elapsed since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns [`since`](Self::since) in whole milliseconds.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0) / NANOS_PER_MILLI
    }

    /// Returns the time, or `None` for [`Self::NEVER`] and [`Self::NEVER_YET`].
    pub fn known(self) -> Option<Self> {
        (self != Self::NEVER_YET && self != Self::NEVER).then_some(self)
    }

    /// Returns the time `millis` earlier; saturates.
    pub fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(nanos_of(millis)).max(OLDEST))
    }

    /// Returns the time `millis` later; saturates.
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(nanos_of(millis)))
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;
/// The earliest value that is not [`MonoTime::NEVER_YET`].
const OLDEST: i64 = i64::MIN + 1;

fn nanos(span: Duration) -> i64 {
    let whole = i64::try_from(span.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    whole.saturating_add(i64::from(span.subsec_nanos()))
}

/// Avoids the conversion through [`Duration`]: every beat calls this several times.
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
    /// Saturates above [`Self::NEVER_YET`], which means something else than a great age.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)).max(OLDEST))
    }
}
