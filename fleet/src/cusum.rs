//! The sequential test of whether too many of an agent's tasks are bad: a CUSUM of likelihood ratios
//! (Page 1954), in thousandths.
//!
//! 1. A bad task adds ln(p1/p0) to the sum, a good one adds ln((1−p1)/(1−p0)), which is negative. The
//!    sum stays between 0 and 8. So a few bad tasks in a row suffice, and a share of them that is usual
//!    never does, however many tasks there are.
//! 2. Of the tasks of one segment the order is unknown: they count by their sums.
//! 3. It alarms when the sum stood at 8 in two beats running, the second of them 30 s or more after the
//!    beat in which it first did, and bad tasks had 25 s of the time since then: the time between two
//!    beats, in proportion to their share. So an outage of 30 s of what an agent calls is no alarm, also
//!    where two beats have parts of it; and where half of the tasks fail, it takes a third beat.
//! 4. Of a beat without tasks nothing is known: a tenth of its time counts, by the share before it, and none
//!    while bad tasks came in fewer than 4 beats. So a burst of work that ends with such an outage is no alarm,
//!    nor is a run of bad luck before the next task shows it, and five bad tasks in five hours are one.
//! 5. What was suspected or alarmed is over at a beat in which the sum is 2 or less.

use std::time::Duration;

use crate::gap::ObservedTime;

/// Where the sum stops.
const CAP: i16 = 8_000;
/// Where an alarm is over.
const OVER: i16 = 2_000;
/// How long the sum must have stood high: 30 s, less the little by which a beat may come early.
const CONFIRM_AFTER: Duration = Duration::from_millis(29_500);
/// How much of the time bad tasks must have had.
const BAD_TIME_MIN: Duration = Duration::from_secs(25);
/// The part of the time that counts of a beat without tasks, one of so many, and from how many beats with bad
/// tasks on.
const QUIET_PART: u32 = 10;
const BAD_BEATS_MIN: u8 = 4;
/// A sum from which on a test may soon alarm: that of two bad tasks in a row.
const SUSPICIOUS: i16 = 3_000;
/// More tasks in one segment count as so many; products of weights with them stay small.
const TASKS_MAX: u64 = 1 << 40;

/// What one task adds to the sum, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CusumWeights {
    bad: i16,
    good: i16,
}

impl CusumWeights {
    /// Of latencies above their limit: 10 % are usual, 50 % are wrong.
    pub(crate) const SLOW: Self = Self { bad: 1_609, good: 588 };
    /// Of latencies below the limit for fast ones: 10 % are usual, 70 % are wrong.
    pub(crate) const FAST: Self = Self { bad: 1_946, good: 1_099 };

    /// Of two shares of bad tasks: the usual one, and the one to be found.
    fn between(usual: f64, wrong: f64) -> Self {
        let thousandths = |ratio: f64| (ratio.ln() * 1e3).round() as i16;
        let (bad, good) = (wrong / usual, (1.0 - wrong) / (1.0 - usual));
        Self { bad: thousandths(bad), good: -thousandths(good) }
    }

    /// Of the share of bad tasks, above 0 and below 1, about which is still tolerated: usual is 0.4 of
    /// it, and twice as much is wrong; where that leaves no room below 1, the same of the good ones.
    pub(crate) fn tolerating(share: f64) -> Self {
        let usual = (share / 2.5).max(2.0 * share - 1.0);
        Self::between(usual, (2.0 * share).min(f64::midpoint(share, 1.0)))
    }
}

/// The sum, and what follows from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cusum {
    sum: i16,
    phase: CusumPhase,
    share: BadShare,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CusumPhase {
    #[default]
    Quiet,
    Suspected {
        /// The beat in which the sum first stood at its cap.
        since: ObservedTime,
        /// It did so in the newest beat.
        at_cap: bool,
        /// The time since then that bad tasks had.
        bad_time: Duration,
    },
    Alarmed,
}

/// The share of bad tasks in what the newest beats brought.
#[derive(Clone, Copy, Debug)]
struct BadShare {
    /// Tasks since the newest beat.
    bad: u64,
    tasks: u64,
    /// In thousandths; as before where a beat brings no task.
    permille: u32,
    /// Beats with bad tasks so far; stops at its largest value.
    bad_beats: u8,
}

impl Default for BadShare {
    fn default() -> Self {
        Self { bad: 0, tasks: 0, permille: 1_000, bad_beats: 0 }
    }
}

impl BadShare {
    fn add(&mut self, bad: u64, good: u64) {
        self.bad = self.bad.saturating_add(bad.min(TASKS_MAX));
        self.tasks =
            self.tasks.saturating_add(bad.min(TASKS_MAX)).saturating_add(good.min(TASKS_MAX));
    }

    /// Returns the part of the time before a beat that bad tasks had.
    fn take(&mut self, span: Duration) -> Duration {
        let (bad, tasks) = (std::mem::take(&mut self.bad), std::mem::take(&mut self.tasks));
        if tasks > 0 {
            self.permille = (u128::from(bad) * 1_000 / u128::from(tasks)) as u32;
            self.bad_beats = self.bad_beats.saturating_add(u8::from(bad > 0));
            span.saturating_mul(self.permille) / 1_000
        } else if self.bad_beats < BAD_BEATS_MIN {
            Duration::ZERO
        } else {
            span.saturating_mul(self.permille) / 1_000 / QUIET_PART
        }
    }
}

impl Cusum {
    /// Returns a test that goes on with a sum from before.
    pub(crate) fn restored(sum: u16) -> Self {
        let sum = i16::try_from(sum).unwrap_or(CAP).min(CAP);
        // In how many beats they came was not recorded.
        let share = BadShare { bad_beats: BAD_BEATS_MIN, ..BadShare::default() };
        Self { sum, share, ..Self::default() }
    }

    /// Returns a test that has alarmed before; a sum at which that is over makes a new one.
    pub(crate) fn alarmed(sum: u16) -> Self {
        let restored = Self::restored(sum);
        let phase = if restored.sum > OVER { CusumPhase::Alarmed } else { CusumPhase::Quiet };
        Self { phase, ..restored }
    }

    /// Returns the sum, in thousandths.
    pub(crate) fn sum(&self) -> u16 {
        self.sum.unsigned_abs()
    }

    pub(crate) fn is_alarmed(&self) -> bool {
        self.phase == CusumPhase::Alarmed
    }

    /// Returns whether it may soon alarm.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.sum >= SUSPICIOUS && !self.is_alarmed()
    }

    /// Returns whether it says no more than a new one.
    pub(crate) fn is_idle(&self) -> bool {
        self.sum == 0 && self.phase == CusumPhase::Quiet
    }

    /// Takes in tasks.
    pub(crate) fn add(&mut self, weights: CusumWeights, bad: u64, good: u64) {
        let weigh = |weight: i16, tasks: u64| i64::from(weight) * tasks.min(TASKS_MAX) as i64;
        let sum = i64::from(self.sum) + weigh(weights.bad, bad) - weigh(weights.good, good);
        self.sum = sum.clamp(0, CAP.into()) as i16;
        self.share.add(bad, good);
    }

    /// Takes in that so many bad tasks came in a row as suffice by themselves.
    pub(crate) fn saturate(&mut self) {
        self.sum = CAP;
        self.share.bad_beats = self.share.bad_beats.max(BAD_BEATS_MIN);
    }

    /// Draws the conclusion, after a beat that is judged, `span` after the one before.
    pub(crate) fn on_beat(&mut self, now: ObservedTime, span: Duration) {
        let bad_span = self.share.take(span);
        if self.sum <= OVER {
            self.phase = CusumPhase::Quiet;
            return;
        }
        let stands_at_cap = self.sum == CAP;
        self.phase = match self.phase {
            CusumPhase::Quiet if stands_at_cap => {
                CusumPhase::Suspected { since: now, at_cap: true, bad_time: Duration::ZERO }
            }
            CusumPhase::Suspected { since, at_cap, bad_time } => {
                let bad_time = bad_time.saturating_add(bad_span);
                let is_confirmed = at_cap
                    && stands_at_cap
                    && now.since(since) >= CONFIRM_AFTER
                    && bad_time >= BAD_TIME_MIN;
                if is_confirmed {
                    CusumPhase::Alarmed
                } else {
                    CusumPhase::Suspected { since, at_cap: stands_at_cap, bad_time }
                }
            }
            phase @ (CusumPhase::Quiet | CusumPhase::Alarmed) => phase,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_the_default_are_those_of_10_and_50_percent() {
        let default = CusumWeights::tolerating(0.25);
        assert_eq!(default, CusumWeights::between(0.1, 0.5));
        assert_eq!(default, CusumWeights::SLOW);
        assert_eq!(CusumWeights::between(0.1, 0.7), CusumWeights::FAST);
    }

    /// The sum of many tasks rises where the share of bad ones is above a limit, and that is near what
    /// was set.
    #[test]
    fn what_is_tolerated_is_about_what_was_set() {
        for percent in 1..=95_u64 {
            let weights = CusumWeights::tolerating(percent as f64 / 100.0);
            assert!(weights.bad > 0 && weights.good > 0, "{percent} %: {weights:?}");
            let limit = f64::from(weights.good) / f64::from(weights.good + weights.bad) * 100.0;
            let ratio = limit / percent as f64;
            assert!((0.85..1.12).contains(&ratio), "{percent} %: {limit}");
        }
    }

    #[test]
    fn sums_of_any_size_stay_within_their_bounds() {
        let weights = CusumWeights::tolerating(0.25);
        let mut cusum = Cusum::default();
        cusum.add(weights, u64::MAX, 0);
        assert_eq!(cusum.sum, CAP);
        cusum.add(weights, 0, u64::MAX);
        assert!(cusum.is_idle());
        cusum.add(weights, u64::MAX, u64::MAX);
        assert_eq!(cusum.sum, CAP, "half of them");
    }
}
