//! Gaps: time in which the collector observed nothing. Their detection, and the clock by which silence
//! is measured, which excludes them.

use std::ops::Add;
use std::time::Duration;

use heartline_vocabulary::GapCause;

use crate::fleet::Fleet;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// Longest time between two ticks, as [`crate::Fleet::poll_timeout`] asks for them.
pub const TICK_INTERVAL_MAX: Duration = Duration::from_millis(250);
/// How much later than that a tick may be before the collector counts as frozen.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Shorter freezes postpone deadlines, but are not recorded.
const RECORDED_FROM: Duration = Duration::from_secs(1);
/// Drops that follow each other this closely are one gap.
const DROP_MERGE_WINDOW: Duration = Duration::from_secs(2);

/// A stretch of time that was not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: MonoTime,
    pub(crate) to: MonoTime,
    pub(crate) cause: GapCause,
}

/// Detects that the collector was frozen, and merges drops into gaps.
#[derive(Debug)]
pub(crate) struct GapDetector {
    last_observed: MonoTime,
    /// Drops that may still go on.
    drops: Option<Gap>,
}

impl GapDetector {
    /// Returns a detector that waits for [`Self::begin`].
    pub(crate) fn idle() -> Self {
        Self { last_observed: MonoTime::NEVER_YET, drops: None }
    }

    pub(crate) fn begin(&mut self, now: MonoTime) {
        self.last_observed = now;
    }

    /// Records that the fleet is observed now; returns the gap since the last time, if that was too
    /// long ago.
    pub(crate) fn observe(&mut self, now: MonoTime) -> Option<Gap> {
        let from = self.last_observed.known()?;
        self.last_observed = from.max(now);
        let was_frozen = now.since(from) > TICK_INTERVAL_MAX + TOLERANCE;
        was_frozen.then_some(Gap { from, to: now, cause: GapCause::Frozen })
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.last_observed != MonoTime::NEVER_YET
    }

    pub(crate) fn last_observed(&self) -> MonoTime {
        self.last_observed
    }

    /// Adds drops between `from` and `now`.
    fn add_drops(&mut self, from: MonoTime, now: MonoTime) {
        match &mut self.drops {
            Some(gap) => gap.to = now,
            None => self.drops = Some(Gap { from, to: now, cause: GapCause::KernelDrops }),
        }
    }

    /// Returns the gap of drops, once they have ended.
    pub(crate) fn take_ended_drops(&mut self, now: MonoTime) -> Option<Gap> {
        self.drops.take_if(|gap| now.since(gap.to) > DROP_MERGE_WINDOW)
    }

    /// Returns the gap of drops as far as it has come.
    pub(crate) fn take_drops(&mut self) -> Option<Gap> {
        self.drops.take()
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

    /// From where durations are counted that many agents keep as small numbers.
    pub(crate) const ORIGIN: Self = Self(MonoTime::from_nanos(0));

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

impl Fleet {
    /// Postpones deadlines by the time since the tick before, in which the kernel dropped datagrams.
    pub(crate) fn on_kernel_drops(&mut self, count: u64, now: MonoTime) {
        if count > 0 {
            let from = self.observed_to;
            self.gap_detector.add_drops(from, now);
            self.postpone_deadlines(from, now);
        }
    }

    /// Postpones deadlines by the time in which the collector was frozen.
    pub(crate) fn on_frozen(&mut self, gap: Gap) {
        self.postpone_deadlines(gap.from, gap.to);
        self.excuse_flooding(gap.to);
        if gap.to.since(gap.from) >= RECORDED_FROM {
            self.record_gap(gap);
        }
    }

    /// Postpones every deadline by time in which no agent could have been heard.
    fn postpone_deadlines(&mut self, from: MonoTime, to: MonoTime) {
        // Deadlines that had passed before are not excused by it.
        if self.context.clock.mono(self.agents.earliest_deadline()) <= from {
            self.sweep(from);
        }
        self.observed_to = to;
        self.context.clock.add_gap(to.since(from));
    }

    pub(crate) fn record_gap(&mut self, Gap { from, to, cause }: Gap) {
        self.gaps += 1;
        self.last_gap = Some(to);
        self.context.record(HistoryDbRow::Gap { from, to, cause });
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
