//! A range of time in whole steps, as far as work is kept in so short ones.

use std::ops::Range;

use heartline_operator::message::STEPS_MAX;
use rusqlite::Connection;

use crate::store::history::{FoldCursors, RollupResolution, checkpoint};

pub(super) const MINUTE_MS: i64 = RollupResolution::Minute.slot_ms();
pub(super) const HOUR_MS: i64 = RollupResolution::Hour.slot_ms();
pub(super) const DAY_MS: i64 = RollupResolution::Day.slot_ms();

/// The lengths of steps that are chosen from.
const STEPS_MS: [i64; 8] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
];
/// The end of the year 9999.
const LAST_MS: i64 = 253_402_300_799_999;
/// Steps that a chosen length makes at most.
const CHOSEN_STEPS: i64 = 60;

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
        let fits = |step_ms: &i64| {
            let begin_ms = since_ms.div_euclid(*step_ms) * step_ms;
            (until_ms - since_ms) / step_ms <= CHOSEN_STEPS
                && kept_from.of_step(*step_ms).is_none_or(|kept_ms| begin_ms >= kept_ms)
        };
        let longest_ms = STEPS_MS[STEPS_MS.len() - 1];
        let step_ms =
            self.step_ms.unwrap_or_else(|| STEPS_MS.into_iter().find(fits).unwrap_or(longest_ms));
        let is_known = (MINUTE_MS..=LAST_MS).contains(&step_ms)
            && step_ms % MINUTE_MS == 0
            && (DAY_MS % step_ms == 0 || step_ms % DAY_MS == 0);
        if !is_known {
            return Ok(Err(HistoryRefusal::WrongStep));
        }
        let from_ms = since_ms.div_euclid(step_ms) * step_ms;
        let count = (until_ms - from_ms + step_ms - 1) / step_ms;
        if count > STEPS_MAX as i64 {
            return Ok(Err(HistoryRefusal::TooManySteps(count)));
        }
        if let Some(kept_ms) = kept_from.of_step(step_ms).filter(|kept_ms| from_ms < *kept_ms) {
            return Ok(Err(HistoryRefusal::TooFine(kept_ms)));
        }
        let to_ms = (from_ms + count * step_ms).min(now_ms.max(until_ms));
        Ok(Ok(StepRange { from_ms, to_ms, step_ms, count }))
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

/// The moments from which on work is kept by the minute and by the hour; `None` where nothing has been
/// removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptFrom {
    minutes_ms: Option<i64>,
    hours_ms: Option<i64>,
}

impl KeptFrom {
    pub(super) fn read(conn: &Connection, cursors: &FoldCursors) -> rusqlite::Result<Self> {
        let first = |table: &str| {
            let sql = format!("SELECT min(slot) FROM {table}");
            conn.prepare_cached(&sql)?.query_row([], |row| row.get::<_, Option<i64>>(0))
        };
        let (minute, hour, day) = (first("minutes")?, first("hours")?, first("days")?);
        // What has been folded and is not there has been removed. The coarse slot in which the finer ones
        // begin may have lost some.
        let kept =
            |fine: Option<i64>, coarse: Option<i64>, folded: i64, per_coarse: i64, ms: i64| {
                let coarse = coarse?;
                let fine = fine.map_or(folded, |fine| fine.div_euclid(per_coarse));
                (fine > coarse).then(|| (fine + 1) * ms)
            };
        let per_hour = RollupResolution::Minute.slots_in(RollupResolution::Hour);
        let per_day = RollupResolution::Hour.slots_in(RollupResolution::Day);
        Ok(Self {
            minutes_ms: kept(minute, hour, cursors.hours.slot, per_hour, HOUR_MS),
            hours_ms: kept(hour, day, cursors.days.slot, per_day, DAY_MS),
        })
    }

    /// Returns from when on steps of this length can be answered for; `None`: always.
    fn of_step(&self, step_ms: i64) -> Option<i64> {
        if step_ms % DAY_MS == 0 {
            None
        } else if step_ms % HOUR_MS == 0 {
            self.hours_ms
        } else {
            self.minutes_ms.max(self.hours_ms)
        }
    }

    /// Moves a moment on to the begin of the next slot of the shortest rollups that are kept of then.
    pub(super) fn next_slot(&self, at_ms: i64) -> i64 {
        let is_kept = |kept_ms: Option<i64>| kept_ms.is_none_or(|kept_ms| at_ms >= kept_ms);
        let slot_ms = match (is_kept(self.minutes_ms), is_kept(self.hours_ms)) {
            (true, true) => MINUTE_MS,
            (_, true) => HOUR_MS,
            _ => DAY_MS,
        };
        -(-at_ms).div_euclid(slot_ms) * slot_ms
    }
}
