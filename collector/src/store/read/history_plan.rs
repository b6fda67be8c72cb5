//! The steps in which an agent's history is answered.

use heartline_operator::message::{CHART_STEPS_MAX, STEPS_MAX};
use rusqlite::Connection;

use super::history_range::HistoryRefusal;
use crate::store::history::{DAY_MS, FoldCursors, RollupResolution};

const MINUTE_MS: i64 = RollupResolution::Minute.slot_ms();
const HOUR_MS: i64 = RollupResolution::Hour.slot_ms();

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
/// The same, for charts, which use all the room that they have.
const CHART_STEPS_MS: [i64; 11] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
];
/// The end of the year 9999.
pub(super) const LAST_MS: i64 = 253_402_300_799_999;
/// Steps that a chosen length makes at most.
const CHOSEN_STEPS: i64 = 60;
/// The least slots of the kept length in a range of a chart: what is cut off at its ends is less than
/// a twelfth.
const CHART_SLOTS_MIN: i64 = 12;

/// A range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HistoryRange {
    pub(super) since_ms: i64,
    pub(super) until_ms: i64,
}

impl HistoryRange {
    /// Returns the part of another range that is in this one; an empty one if there is none.
    pub(super) fn cut(&self, from_ms: i64, to_ms: i64) -> (i64, i64) {
        let from_ms = from_ms.max(self.since_ms);
        (from_ms, to_ms.min(self.until_ms).max(from_ms))
    }
}

/// The steps to be answered.
pub(super) struct StepPlan {
    /// Begin of the first step, and the length of all.
    pub(super) first_ms: i64,
    pub(super) step_ms: i64,
    pub(super) count: i64,
    /// The work and the states that are in the steps.
    pub(super) work: HistoryRange,
    pub(super) states: HistoryRange,
    /// The range of the answer.
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// Work of so short a range is kept from this moment on only.
    pub(super) work_kept_from_ms: Option<i64>,
}

impl StepPlan {
    /// Returns whole steps that hold a range.
    pub(super) fn of_whole_steps(
        range: HistoryRange,
        step_ms: Option<i64>,
        kept_from: &KeptFrom,
        now_ms: i64,
    ) -> Result<Self, HistoryRefusal> {
        let HistoryRange { since_ms, until_ms } = range;
        let fits = |step_ms: &i64| {
            let begin_ms = since_ms.div_euclid(*step_ms) * step_ms;
            (until_ms - since_ms) / step_ms <= CHOSEN_STEPS
                && kept_from.of_step(*step_ms).is_none_or(|kept_ms| begin_ms >= kept_ms)
        };
        let longest_ms = STEPS_MS[STEPS_MS.len() - 1];
        let step_ms =
            step_ms.unwrap_or_else(|| STEPS_MS.into_iter().find(fits).unwrap_or(longest_ms));
        check_step(step_ms)?;
        let from_ms = since_ms.div_euclid(step_ms) * step_ms;
        let count = (until_ms - from_ms + step_ms - 1) / step_ms;
        check_count(count, STEPS_MAX as i64)?;
        if let Some(kept_ms) = kept_from.of_step(step_ms).filter(|kept_ms| from_ms < *kept_ms) {
            return Err(HistoryRefusal::TooFine(kept_ms));
        }
        let to_ms = (from_ms + count * step_ms).min(now_ms.max(until_ms));
        let work = HistoryRange { since_ms: from_ms, until_ms: from_ms + count * step_ms };
        let states = HistoryRange { since_ms: from_ms, until_ms: to_ms };
        let first_ms = from_ms;
        Ok(Self { first_ms, step_ms, count, work, states, from_ms, to_ms, work_kept_from_ms: None })
    }

    /// Returns at most so many steps, the first and the last of them cut to a range.
    pub(super) fn of_chart(
        range: HistoryRange,
        step_ms: Option<i64>,
        most: u32,
        kept_from: &KeptFrom,
    ) -> Result<Self, HistoryRefusal> {
        let HistoryRange { since_ms, until_ms } = range;
        let most = i64::from(most.clamp(2, CHART_STEPS_MAX));
        let slot_ms = kept_from.slot_ms(since_ms);
        let from_ms = since_ms.div_euclid(slot_ms) * slot_ms;
        // Of the slot that holds the end, all is from before it only where that is now: of a minute the
        // rest does not matter, of a longer one it does.
        let to_ms = match kept_from.slot_ms(until_ms) {
            MINUTE_MS => (until_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS,
            slot_ms => (until_ms.div_euclid(slot_ms) * slot_ms).max(from_ms),
        };
        let count_of = |step_ms: i64| {
            let first_ms = from_ms.div_euclid(step_ms) * step_ms;
            (to_ms - first_ms + step_ms - 1) / step_ms
        };
        let fits = |step_ms: &i64| *step_ms >= slot_ms && count_of(*step_ms) <= most;
        let longest_ms = CHART_STEPS_MS[CHART_STEPS_MS.len() - 1];
        let step_ms =
            step_ms.unwrap_or_else(|| CHART_STEPS_MS.into_iter().find(fits).unwrap_or(longest_ms));
        check_step(step_ms)?;
        let mut plan = Self {
            first_ms: from_ms.div_euclid(step_ms) * step_ms,
            step_ms,
            count: count_of(step_ms),
            work: HistoryRange { since_ms: from_ms, until_ms: to_ms },
            states: range,
            from_ms,
            to_ms: to_ms.min(until_ms),
            work_kept_from_ms: None,
        };
        if slot_ms > MINUTE_MS && until_ms - since_ms < CHART_SLOTS_MIN * slot_ms {
            let finer_ms = if slot_ms == DAY_MS { HOUR_MS } else { MINUTE_MS };
            plan.work_kept_from_ms = kept_from.of_step(finer_ms);
            (plan.count, plan.from_ms, plan.to_ms) = (0, since_ms, until_ms);
        }
        check_count(plan.count, CHART_STEPS_MAX.into())?;
        match kept_from.of_step(step_ms) {
            Some(kept_ms) if plan.count > 0 && step_ms < slot_ms => {
                Err(HistoryRefusal::TooFine(kept_ms))
            }
            _ => Ok(plan),
        }
    }
}

fn check_step(step_ms: i64) -> Result<(), HistoryRefusal> {
    let is_known = (MINUTE_MS..=LAST_MS).contains(&step_ms)
        && step_ms % MINUTE_MS == 0
        && (DAY_MS % step_ms == 0 || step_ms % DAY_MS == 0);
    if is_known { Ok(()) } else { Err(HistoryRefusal::WrongStep) }
}

fn check_count(count: i64, most: i64) -> Result<(), HistoryRefusal> {
    if count > most { Err(HistoryRefusal::TooManySteps(count)) } else { Ok(()) }
}

/// The moments from which on work is kept by the minute and by the hour; `None` where nothing has been
/// removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptFrom {
    minutes_ms: Option<i64>,
    hours_ms: Option<i64>,
}

impl KeptFrom {
    /// Reads what has been removed.
    pub(super) fn read(conn: &Connection, cursors: &FoldCursors) -> rusqlite::Result<Self> {
        let first = |table: &str| {
            let sql = format!("SELECT min(slot) FROM {table}");
            conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
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

    /// Returns the length of the shortest slots of work that are kept of a moment.
    fn slot_ms(&self, at_ms: i64) -> i64 {
        let is_kept = |slot_ms: &i64| {
            let begin_ms = at_ms.div_euclid(*slot_ms) * slot_ms;
            self.of_step(*slot_ms).is_none_or(|kept_ms| begin_ms >= kept_ms)
        };
        [MINUTE_MS, HOUR_MS].into_iter().find(is_kept).unwrap_or(DAY_MS)
    }

    /// Moves a moment on to the begin of the next slot of the shortest work that is kept of then.
    pub(super) fn next_slot(&self, at_ms: i64) -> i64 {
        let slot_ms = self.slot_ms(at_ms);
        -(-at_ms).div_euclid(slot_ms) * slot_ms
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
}
