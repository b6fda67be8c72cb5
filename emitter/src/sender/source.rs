//! The engine's view of the agent.

use crate::board::HasWorked;
use crate::counters::{Ledger, Sum};
use crate::engine::{Moment, Vitals, Work, Workload};
use crate::shared::Shared;

/// What the sender remembers of the counters between two beats.
pub(super) struct Memo {
    ledger: Ledger,
    done: u64,
    /// When work was last found to have been reported. Reporting reads no clock, so it is dated by
    /// the beat that finds it.
    noticed: Option<Moment>,
}

impl Memo {
    pub(super) fn new() -> Self {
        Self { ledger: Ledger::new(), done: 0, noticed: None }
    }
}

/// The engine's view of the agent, for as long as one message takes.
pub(super) struct Source<'a> {
    pub(super) shared: &'a Shared,
    pub(super) memo: &'a mut Memo,
}

impl Workload for Source<'_> {
    fn vitals(&mut self, now: Moment) -> Vitals {
        let counters = &self.shared.counters;
        let done = counters.total(Sum::Ok).wrapping_add(counters.total(Sum::Failed));
        let last = counters.last_progress();
        if done != self.memo.done {
            self.memo.done = done;
            // The end of a task is dated, and is then no newer than this beat says.
            self.memo.noticed = Some(now);
        }
        let progress = last.max(self.memo.noticed);
        let in_flight = counters.in_flight();
        let has_worked = if progress.is_some() { HasWorked::Yes } else { HasWorked::No };
        let (phase, step) = self.shared.board.read(in_flight, has_worked);
        Vitals {
            phase,
            in_flight,
            oldest_in_flight: counters.oldest().map(|begun| now.since(begun)),
            progress_age: progress.map(|at| now.since(at)),
            queue: self.shared.board.queued(),
            step,
            lost_observations: counters.total(Sum::Lost),
        }
    }

    fn take(&mut self, work: &mut Work) -> bool {
        self.memo.ledger.take(&self.shared.counters, work)
    }
}
