//! The collector's clocks: the only file of this crate that reads one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heartline_fleet::MonoTime;
use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock now. It counts the time in which the machine was suspended
/// (`CLOCK_BOOTTIME`), because time that nobody observed must show as a gap.
#[must_use]
pub fn now() -> MonoTime {
    let now = clock_gettime(ClockId::Boottime);
    MonoTime::from_nanos(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// The wall clock now, in milliseconds of Unix time.
#[must_use]
pub fn wall_ms() -> i64 {
    wall_nanos().div_euclid(1_000_000)
}

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
fn wall_nanos() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}

/// So far two readings of clocks that nobody moved may be apart.
const ROUNDING_MS: u64 = 2;

/// Where the monotonic clock stands on the wall clock. Wall-clock time only labels: when an
/// administrator or NTP moves it, later labels move, and no judgement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    offset_ms: i64,
}

impl Anchor {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let offset = wall_nanos().saturating_sub(now().nanos());
        Self { offset_ms: offset.div_euclid(1_000_000) }
    }

    /// Reads both clocks again, and follows if the wall clock was moved: not by how they round, or
    /// the label of one moment would change from one look to the next.
    #[must_use]
    pub fn followed(self) -> Self {
        let read = Self::read();
        if read.offset_ms.abs_diff(self.offset_ms) > ROUNDING_MS { read } else { self }
    }

    /// An anchor at which `mono` is `wall_ms` of Unix time.
    #[must_use]
    pub fn new(mono: MonoTime, wall_ms: i64) -> Self {
        Self { offset_ms: wall_ms - mono.nanos().div_euclid(1_000_000) }
    }

    /// The label of a moment, in milliseconds of Unix time.
    #[must_use]
    pub fn wall_ms(self, mono: MonoTime) -> i64 {
        mono.nanos().div_euclid(1_000_000).saturating_add(self.offset_ms)
    }

    /// The moment of a label.
    #[must_use]
    pub fn mono(self, wall_ms: i64) -> MonoTime {
        MonoTime::from_millis(wall_ms.saturating_sub(self.offset_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_follows_a_clock_that_was_moved_and_no_rounding() {
        let read = Anchor::read();
        let off = |by_ms| Anchor { offset_ms: read.offset_ms + by_ms };
        assert_eq!(off(1).followed(), off(1));
        let followed = off(3_600_000).followed();
        assert!(followed.offset_ms.abs_diff(read.offset_ms) <= ROUNDING_MS, "{followed:?}");
    }
}
