//! Reading of the monotonic clock.

use heartline_engine::MonoNanos;
use rustix::time::{ClockId, clock_gettime};

/// Monotonic clock that counts from its creation, from 1, so that 0 can mean never.
///
/// It is read twice for each task, and asks the system directly: `Instant` adds a subtraction of
/// seconds and nanoseconds, with its checks, to each reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock {
    origin_nanos: u64,
}

impl MonotonicClock {
    pub(crate) fn start() -> Self {
        Self { origin_nanos: monotonic_nanos() }
    }

    #[inline]
    pub(crate) fn now(&self) -> MonoNanos {
        MonoNanos::new(1 + monotonic_nanos().saturating_sub(self.origin_nanos))
    }
}

/// Reads the system's monotonic clock, whose nanoseconds fit for 584 years.
#[inline]
fn monotonic_nanos() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}
