//! The one place that reads a clock.

use std::time::Instant;

use crate::engine::Moment;

/// The emitter's monotonic clock: nanoseconds since it was made, from 1, so that 0 can mean never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

#[allow(clippy::disallowed_methods, reason = "this is the emitter's clock module")]
impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    #[inline]
    pub(crate) fn now(&self) -> Moment {
        let elapsed = Instant::now().duration_since(self.origin);
        // 584 years fit; a plain multiplication keeps a division out of the agent's way.
        let nanos = elapsed.as_secs().wrapping_mul(1_000_000_000);
        Moment::from_nanos(1 + nanos + u64::from(elapsed.subsec_nanos()))
    }
}
