//! Time in which the collector observed nothing, and must accuse nobody.

use std::time::Duration;

use crate::fleet::Fleet;
use crate::output::{HistoryRow, Output};
use crate::time::Mono;

/// Why time was not observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// No collector ran.
    Down,
    /// The collector was frozen or starved, or the machine suspended.
    Frozen,
    /// The kernel dropped datagrams.
    KernelDrops,
}

impl GapCause {
    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Frozen => "frozen",
            Self::KernelDrops => "kernel_drops",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Down, Self::Frozen, Self::KernelDrops].into_iter().find(|cause| cause.name() == name)
    }
}

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
    pub(crate) from: Mono,
    pub(crate) to: Mono,
    pub(crate) cause: GapCause,
}

/// Notices when nobody looked.
#[derive(Debug)]
pub(crate) struct Watch {
    last: Mono,
    /// Drops that may still go on.
    open: Option<Gap>,
}

impl Watch {
    /// Nobody is to look yet.
    pub(crate) fn idle() -> Self {
        Self { last: Mono::NEVER_YET, open: None }
    }

    /// From now on somebody is.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.last = now;
    }

    /// Takes note that somebody looks now; tells since when nobody had, if that was too long ago.
    pub(crate) fn look(&mut self, now: Mono) -> Option<Gap> {
        let from = self.last.known()?;
        self.last = from.max(now);
        let away = now.since(from) > HEARTBEAT + TOLERANCE;
        away.then_some(Gap { from, to: now, cause: GapCause::Frozen })
    }

    /// When somebody last looked.
    pub(crate) fn last(&self) -> Mono {
        self.last
    }

    /// Takes drops between `from` and `now` in.
    pub(crate) fn dropped(&mut self, from: Mono, now: Mono) {
        match &mut self.open {
            Some(gap) => gap.to = now,
            None => self.open = Some(Gap { from, to: now, cause: GapCause::KernelDrops }),
        }
    }

    /// The gap of drops, once they have ended (or, with `all`, as far as it has come).
    pub(crate) fn close(&mut self, now: Mono, all: bool) -> Option<Gap> {
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
    pub(crate) fn on_kernel_drops(&mut self, count: u64, now: Mono) {
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
    fn put_off(&mut self, from: Mono, to: Mono) {
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
        self.outputs.push_back(Output::Record(HistoryRow::Gap { from, to, cause }));
    }
}
