//! A range of time in whole steps, as far as work is kept in so short ones.

use std::ops::Range;

use rusqlite::Connection;

use super::history_plan::{HistoryRange, KeptFrom, LAST_MS, StepPlan};
use crate::store::history::checkpoint;

/// A history, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum HistoryReading<T> {
    History(Box<T>),
    /// No agent has, or had, this name.
    UnknownAgent,
    Refused(HistoryRefusal),
}

/// Why a range is not answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRefusal {
    /// The length of a step is none of those that there are.
    WrongStep,
    /// The range has so many steps, which are too many.
    TooManySteps(i64),
    /// Work is kept in steps so short from this moment on only.
    TooFine(i64),
}

/// A range as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedRange {
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: i64,
    pub(super) step_ms: Option<i64>,
}

/// A range in whole steps; the last one is cut by now.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepRange {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) step_ms: i64,
    count: i64,
}

impl AskedRange {
    /// Widens a range to whole steps, as far as `now_ms`.
    pub(super) fn resolve(
        self,
        conn: &Connection,
        kept_from: &KeptFrom,
        now_ms: i64,
    ) -> rusqlite::Result<Result<StepRange, HistoryRefusal>> {
        // A client may ask for anything: there are no steps outside of the years that can be written.
        let until_ms = self.until_ms.clamp(0, LAST_MS);
        let first_ms = checkpoint::first_record_ms(conn)?.unwrap_or(until_ms);
        let since_ms = self.since_ms.unwrap_or(first_ms).clamp(0, until_ms);
        let range = HistoryRange { since_ms, until_ms };
        let plan = StepPlan::of_whole_steps(range, self.step_ms, kept_from, now_ms);
        Ok(plan.map(|StepPlan { from_ms, to_ms, step_ms, count, .. }| StepRange {
            from_ms,
            to_ms,
            step_ms,
            count,
        }))
    }
}

impl StepRange {
    /// Returns the begin and the end of each step.
    pub(super) fn steps(&self) -> impl Iterator<Item = (i64, i64)> {
        let Self { from_ms, step_ms, count, .. } = *self;
        (0..count).map(move |at| (from_ms + at * step_ms, from_ms + (at + 1) * step_ms))
    }

    /// Returns all of it.
    pub(super) fn whole(&self) -> Range<i64> {
        self.from_ms..self.to_ms
    }

    /// Returns the number of steps.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// Returns the step that holds a moment of the range.
    pub(super) fn step_of(&self, at_ms: i64) -> usize {
        usize::try_from((at_ms - self.from_ms) / self.step_ms).unwrap_or(0)
    }
}
