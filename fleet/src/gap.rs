//! Time in which the collector observed nothing, and must accuse no agent.

use std::time::Duration;

use heartline_vocabulary::GapCause;

use crate::fleet::Fleet;
use crate::output::HistoryDbRow;
use crate::time::MonoTime;

/// A tick comes at least this often; [`crate::Fleet::poll_timeout`] sees to it.
pub const HEARTBEAT: Duration = Duration::from_millis(250);
/// So much later than that a tick may come before the collector counts as frozen.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Shorter freezes postpone deadlines, but are not recorded.
const RECORDED_FROM: Duration = Duration::from_secs(1);
/// Drops that follow each other this closely are one gap.
const MERGED_WITHIN: Duration = Duration::from_secs(2);

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
        let was_frozen = now.since(from) > HEARTBEAT + TOLERANCE;
        was_frozen.then_some(Gap { from, to: now, cause: GapCause::Frozen })
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
        self.drops.take_if(|gap| now.since(gap.to) > MERGED_WITHIN)
    }

    /// Returns the gap of drops as far as it has come.
    pub(crate) fn take_drops(&mut self) -> Option<Gap> {
        self.drops.take()
    }
}

impl Fleet {
    /// The kernel dropped datagrams at some time since the tick before.
    pub(crate) fn on_kernel_drops(&mut self, count: u64, now: MonoTime) {
        if count > 0 {
            let from = self.observed_to;
            self.gap_detector.add_drops(from, now);
            self.postpone_deadlines(from, now);
        }
    }

    /// The collector was frozen.
    pub(crate) fn on_frozen(&mut self, gap: Gap) {
        self.postpone_deadlines(gap.from, gap.to);
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
