//! The collector's clocks. No other file of this package reads one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heartline_fleet::MonoTime;
use rustix::time::{ClockId, clock_gettime};

/// Returns the monotonic time. It includes the time in which the machine was suspended
/// (`CLOCK_BOOTTIME`), which must show as a gap in observation.
pub fn now() -> MonoTime {
    let now = clock_gettime(ClockId::Boottime);
    MonoTime::from_nanos(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// Returns the wall-clock time, in milliseconds of Unix time.
pub fn wall_ms() -> i64 {
    wall_nanos().div_euclid(1_000_000)
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
fn wall_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

/// Largest difference of two readings between which the wall clock was not set.
const ROUNDING_MS: u64 = 2;

/// Offset of the wall clock to the monotonic clock. Wall-clock time only labels: when an
/// administrator or NTP sets the clock, later labels change, and no judgement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClockAnchor {
    offset_ms: i64,
}

impl WallClockAnchor {
    /// Reads both clocks.
    pub fn read() -> Self {
        let offset = wall_nanos().saturating_sub(now().nanos());
        Self { offset_ms: offset.div_euclid(1_000_000) }
    }

    /// Reads both clocks again. Returns a new anchor if the wall clock was set, and `self` if only
    /// rounding differs: otherwise the label of one moment would change from reading to reading.
    pub fn updated(self) -> Self {
        let read = Self::read();
        if read.offset_ms.abs_diff(self.offset_ms) > ROUNDING_MS { read } else { self }
    }

    /// Creates an anchor at which `mono` is `wall_ms` of Unix time.
    pub fn new(mono: MonoTime, wall_ms: i64) -> Self {
        Self { offset_ms: wall_ms - mono.nanos().div_euclid(1_000_000) }
    }

    /// Returns the wall-clock time of a moment, in milliseconds of Unix time.
    pub fn wall_ms(self, mono: MonoTime) -> i64 {
        mono.nanos().div_euclid(1_000_000).saturating_add(self.offset_ms)
    }

    /// Returns the moment of a wall-clock time.
    pub fn mono(self, wall_ms: i64) -> MonoTime {
        MonoTime::from_millis(wall_ms.saturating_sub(self.offset_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_updated_when_the_clock_was_set_and_not_for_rounding() {
        let anchor = WallClockAnchor::read();
        let shifted = |by_ms| WallClockAnchor { offset_ms: anchor.offset_ms + by_ms };
        assert_eq!(shifted(1).updated(), shifted(1));
        let updated = shifted(3_600_000).updated();
        assert!(updated.offset_ms.abs_diff(anchor.offset_ms) <= ROUNDING_MS, "{updated:?}");
    }
}
