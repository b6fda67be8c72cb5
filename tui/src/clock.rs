//! The program's only clock.

use std::time::{Duration, Instant};

/// Monotonic time since the program began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MonoTime {
    ms: u64,
}

/// Reads the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl MonoTime {
    pub(crate) const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// Milliseconds since an earlier moment; 0 if it is not earlier.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.ms.saturating_sub(earlier.ms)
    }

    pub(crate) fn plus_ms(self, ms: u64) -> Self {
        Self { ms: self.ms.saturating_add(ms) }
    }
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "the one place where this program reads a clock")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> MonoTime {
        let elapsed = self.start.elapsed().as_millis();
        MonoTime::from_ms(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}
