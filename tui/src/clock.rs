//! The only clock of the program, and the times of the next frame and rebuild.
//!
//! 1. Input is drawn within [`INPUT_FRAME_MS`].
//! 2. Data is drawn at most four times a second, on a slow terminal once a second.
//! 3. The list is rebuilt at most four times a second, and takes at most a twentieth of the time.

use std::time::{Duration, Instant};

const INPUT_FRAME_MS: u64 = 12;
const DATA_FRAME_MS: u64 = 250;
const SLOW_DATA_FRAME_MS: u64 = 1_000;
/// A terminal that takes this long to accept a frame is slow.
const SLOW_WRITE_MS: u64 = 100;
/// The inverse of the share of time that rebuilding the list may take.
const MIN_REBUILD_GAP_FACTOR: u64 = 20;

/// Monotonic time since the program began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MonoTime {
    ms: u64,
}

/// Reads monotonic time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock {
    start: Instant,
}

impl MonoTime {
    pub(crate) const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// Returns the milliseconds since `earlier`; 0 if that is not earlier.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.ms.saturating_sub(earlier.ms)
    }

    pub(crate) fn plus_ms(self, ms: u64) -> Self {
        Self { ms: self.ms.saturating_add(ms) }
    }
}

impl MonotonicClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where this program reads a clock")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> MonoTime {
        let elapsed = self.start.elapsed().as_millis();
        MonoTime::from_ms(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

/// What a frame is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedrawPriority {
    Input,
    Data,
}

/// The times of the next frame and of the next rebuild.
#[derive(Debug, Default)]
pub(crate) struct FramePacer {
    frame_at: Option<MonoTime>,
    last_frame: MonoTime,
    frame_ms: u64,
    rebuild_at: Option<MonoTime>,
    last_rebuild: MonoTime,
    rebuild_ms: u64,
}

impl FramePacer {
    /// Schedules a frame, because something visible changed.
    pub(crate) fn request_frame(&mut self, priority: RedrawPriority) {
        let gap = match priority {
            RedrawPriority::Input => INPUT_FRAME_MS,
            RedrawPriority::Data if self.frame_ms >= SLOW_WRITE_MS => SLOW_DATA_FRAME_MS,
            RedrawPriority::Data => DATA_FRAME_MS,
        };
        let at = self.last_frame.plus_ms(gap);
        self.frame_at = Some(self.frame_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Schedules a rebuild, because the list is stale.
    pub(crate) fn request_rebuild(&mut self) {
        let gap = DATA_FRAME_MS.max(self.rebuild_ms.saturating_mul(MIN_REBUILD_GAP_FACTOR));
        self.rebuild_at.get_or_insert(self.last_rebuild.plus_ms(gap));
    }

    pub(crate) fn is_frame_due(&self, now: MonoTime) -> bool {
        self.frame_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn is_rebuild_due(&self, now: MonoTime) -> bool {
        self.rebuild_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn record_frame(&mut self, began: MonoTime, ended: MonoTime) {
        self.frame_at = None;
        self.last_frame = ended;
        self.frame_ms = ended.since(began);
    }

    pub(crate) fn record_rebuild(&mut self, began: MonoTime, ended: MonoTime) {
        self.rebuild_at = None;
        self.last_rebuild = ended;
        self.rebuild_ms = ended.since(began);
    }

    /// Returns the milliseconds until the next frame or rebuild, if one is scheduled.
    pub(crate) fn timeout_ms(&self, now: MonoTime) -> Option<u64> {
        let frame = self.frame_at.map(|at| at.since(now));
        frame.into_iter().chain(self.rebuild_timeout_ms(now)).min()
    }

    /// Returns the milliseconds until the next rebuild, if one is scheduled.
    pub(crate) fn rebuild_timeout_ms(&self, now: MonoTime) -> Option<u64> {
        self.rebuild_at.map(|at| at.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> MonoTime {
        MonoTime::from_ms(ms)
    }

    #[test]
    fn input_is_drawn_before_data() {
        let mut pacer = FramePacer::default();
        pacer.record_frame(at(1_000), at(1_001));
        pacer.request_frame(RedrawPriority::Data);
        assert_eq!(pacer.timeout_ms(at(1_001)), Some(250));
        pacer.request_frame(RedrawPriority::Input);
        assert_eq!(pacer.timeout_ms(at(1_001)), Some(12));
        assert!(pacer.is_frame_due(at(1_013)));
    }

    #[test]
    fn a_slow_terminal_gets_data_once_a_second() {
        let mut pacer = FramePacer::default();
        pacer.record_frame(at(1_000), at(1_150));
        pacer.request_frame(RedrawPriority::Data);
        assert_eq!(pacer.timeout_ms(at(1_150)), Some(1_000));
    }

    #[test]
    fn an_expensive_list_is_rebuilt_less_often() {
        let mut pacer = FramePacer::default();
        pacer.record_rebuild(at(1_000), at(1_030));
        pacer.request_rebuild();
        assert!(!pacer.is_rebuild_due(at(1_629)));
        assert!(pacer.is_rebuild_due(at(1_630)));
    }
}
