//! Time in which the collector observed nothing, and must accuse nobody.

use heartline_vocabulary::GapCause;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::output::{HistoryDbRow, Output};
use crate::time::MonoTime;

/// A tick comes at least this often; [`crate::Fleet::poll_timeout`] sees to it.
pub const HEARTBEAT: Duration = Duration::from_millis(250);
/// So much later than that a tick may come without anybody having been away.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Shorter absences put deadlines off, but are not worth a line in history.
const WORTH_A_ROW: Duration = Duration::from_secs(1);
/// Drops that follow each other this closely are one gap.
const MERGED_WITHIN: Duration = Duration::from_secs(2);

/// A stretch of time that was not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: MonoTime,
    pub(crate) to: MonoTime,
    pub(crate) cause: GapCause,
}

/// Notices when nobody looked.
#[derive(Debug)]
pub(crate) struct GapDetector {
    last: MonoTime,
    /// Drops that may still go on.
    open: Option<Gap>,
}

impl GapDetector {
    /// Nobody is to look yet.
    pub(crate) fn idle() -> Self {
        Self { last: MonoTime::NEVER_YET, open: None }
    }

    /// From now on somebody is.
    pub(crate) fn begin(&mut self, now: MonoTime) {
        self.last = now;
    }

    /// Takes note that somebody looks now; tells since when nobody had, if that was too long ago.
    pub(crate) fn look(&mut self, now: MonoTime) -> Option<Gap> {
        let from = self.last.known()?;
        self.last = from.max(now);
        let away = now.since(from) > HEARTBEAT + TOLERANCE;
        away.then_some(Gap { from, to: now, cause: GapCause::Frozen })
    }

    /// When somebody last looked.
    pub(crate) fn last(&self) -> MonoTime {
        self.last
    }

    /// Takes drops between `from` and `now` in.
    pub(crate) fn dropped(&mut self, from: MonoTime, now: MonoTime) {
        match &mut self.open {
            Some(gap) => gap.to = now,
            None => self.open = Some(Gap { from, to: now, cause: GapCause::KernelDrops }),
        }
    }

    /// The gap of drops, once they have ended (or, with `all`, as far as it has come).
    pub(crate) fn close(&mut self, now: MonoTime, all: bool) -> Option<Gap> {
        self.open.take_if(|gap| all || now.since(gap.to) > MERGED_WITHIN)
    }
}

impl Gap {
    pub(crate) fn is_worth_a_row(&self) -> bool {
        self.cause != GapCause::Frozen || self.to.since(self.from) >= WORTH_A_ROW
    }
}

impl Fleet {
    /// The kernel dropped datagrams at some time since the tick before.
    pub(crate) fn on_kernel_drops(&mut self, count: u64, now: MonoTime) {
        if count == 0 {
            return;
        }
        let from = self.observed_to;
        self.watch.dropped(from, now);
        self.put_off(from, now);
    }

    /// Nobody looked for too long.
    pub(crate) fn not_observed(&mut self, gap: Gap) {
        self.put_off(gap.from, gap.to);
        if gap.is_worth_a_row() {
            self.record_gap(gap);
        }
    }

    /// Puts every deadline off by the time in which we could not have heard anybody.
    fn put_off(&mut self, from: MonoTime, to: MonoTime) {
        // What had become true before is not excused by it.
        if self.absences.mono(self.roster.earliest()) <= from {
            self.sweep(from);
        }
        self.observed_to = to;
        self.absences.add(to.since(from));
    }

    pub(crate) fn record_gap(&mut self, gap: Gap) {
        self.counters.gaps += 1;
        self.last_gap = Some(gap.to);
        let Gap { from, to, cause } = gap;
        self.outputs.push_back(Output::Record(HistoryDbRow::Gap { from, to, cause }));
    }
}
