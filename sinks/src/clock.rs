//! Reading of clocks, and deadlines by them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An instant by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(monotonic_now() + duration)
    }

    /// Returns the time that is left; zero when it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(monotonic_now())
    }
}

/// Time since a fixed instant, by a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock(Instant);

impl MonotonicClock {
    pub(crate) fn start() -> Self {
        Self(monotonic_now())
    }

    pub(crate) fn now(self) -> Duration {
        monotonic_now().saturating_duration_since(self.0)
    }
}

/// Reads the wall clock, in milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn wall_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
fn monotonic_now() -> Instant {
    Instant::now()
}
