//! The one place that reads a clock.

use rustix::time::{ClockId, clock_gettime};

use crate::engine::Moment;

/// The emitter's monotonic clock: nanoseconds since it was made, from 1, so that 0 can mean never.
///
/// It is read twice for each task, and asks the system directly: `Instant` adds a subtraction of
/// seconds and nanoseconds, with its checks, to each reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin_nanos: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin_nanos: monotonic_nanos() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Moment {
        Moment::from_nanos(1 + monotonic_nanos().saturating_sub(self.origin_nanos))
    }
}

/// The system's monotonic clock. It counts from a moment in the past, and 584 years fit.
#[inline]
fn monotonic_nanos() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}
