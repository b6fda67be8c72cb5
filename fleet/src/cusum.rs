//! The sequential test of whether too many of an agent's tasks are bad: a CUSUM of likelihood ratios
//! (Page 1954), in thousandths.
//!
//! 1. A bad task adds ln(p1/p0) to the sum, a good one adds ln((1−p1)/(1−p0)), which is negative. So a few
//!    bad tasks in a row suffice, and a share of them that is usual never does, however many tasks there
//!    are. The sum is high from 8 on, and certain, where it stops, at 12.8: after five and eight bad tasks
//!    in a row.
//! 2. Of the tasks of one segment the order is unknown: they count by their sums, and raise the sum by 8 at
//!    most. What fails in one moment has one cause, however many tasks it hits.
//! 3. It alarms in a beat in which the sum is certain, 30 s or more after the beat in which it first was
//!    high, when bad tasks had 25 s of the time since then: the time between two beats, in proportion to
//!    their share. While bad tasks came in fewer than 4 beats since the sum was low, the share is taken as
//!    if four more tasks had gone well. So an outage of 30 s of what an agent calls is no alarm, also where
//!    two beats have parts of it, unless chance adds much; with 40 tasks and more a beat the second beat of
//!    a real one is enough, and with 10 it is the third.
//! 4. It alarms as well when the sum was high through 285 s of beats without any task, if it had been low
//!    so long before it was high: five bad tasks in five hours are enough, and a burst of work that ends
//!    with an outage is not.
//! 5. The sum is low up to 2. What was suspected or alarmed is over at a beat in which it is. Alarmed it stops at 8,
//!    so that this takes 11 good tasks.

use std::time::Duration;

use crate::gap::ObservedTime;

/// Where the sum is high.
const HIGH: i16 = 8_000;
/// Where it is certain that something is wrong.
const CERTAIN: i16 = 12_800;
/// The most that one segment adds.
const SEGMENT_MAX: i64 = 8_000;
/// Where the sum is low, and an alarm over.
const LOW: i16 = 2_000;
/// How long before the alarm the sum must have been high: 30 s, less the little by which a beat may come early.
const CONFIRM_AFTER: Duration = Duration::from_millis(29_500);
/// How much of the time bad tasks must have had.
const BAD_TIME_MIN: Duration = Duration::from_secs(25);
/// How much time without any task confirms a high sum that took as long to rise.
const QUIET_MIN: Duration = Duration::from_secs(285);
/// From how many beats with bad tasks on shares are believed, and the good tasks that are added to each before.
const BAD_BEATS_MIN: u8 = 4;
const UNSEEN_GOOD: u64 = 4;
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
    tasks: BeatTasks,
    /// The last beat in which the sum was low, or else the first one.
    low_at: Option<ObservedTime>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CusumPhase {
    #[default]
    Quiet,
    Suspected {
        /// The beat in which the sum first was high.
        since: ObservedTime,
        /// The time since then that bad tasks had.
        bad_time: Duration,
        /// From low to high it took as long as quiet time must last.
        rose_slowly: bool,
        /// Time without any task, up to the newest beat, with a high sum.
        quiet: Duration,
    },
    Alarmed,
}

/// The tasks since the newest beat.
#[derive(Clone, Copy, Debug, Default)]
struct BeatTasks {
    bad: u64,
    all: u64,
    /// Beats with bad tasks since the sum was low; stops at its largest value.
    bad_beats: u8,
}

/// What the time before a beat was.
enum BeatSpan {
    /// No task ended.
    Quiet,
    /// Bad tasks had so much of it.
    Bad(Duration),
}

impl BeatTasks {
    fn add(&mut self, bad: u64, good: u64) {
        let [bad, good] = [bad, good].map(|tasks| tasks.min(TASKS_MAX));
        self.bad = self.bad.saturating_add(bad);
        self.all = self.all.saturating_add(bad).saturating_add(good);
    }

    fn take(&mut self, span: Duration) -> BeatSpan {
        let (bad, all) = (std::mem::take(&mut self.bad), std::mem::take(&mut self.all));
        if all == 0 {
            return BeatSpan::Quiet;
        }
        self.bad_beats = self.bad_beats.saturating_add(u8::from(bad > 0));
        let unseen = if self.are_believed() { 0 } else { UNSEEN_GOOD };
        let permille = u128::from(bad) * 1_000 / u128::from(all.saturating_add(unseen));
        BeatSpan::Bad(span.saturating_mul(permille as u32) / 1_000)
    }

    fn are_believed(&self) -> bool {
        self.bad_beats >= BAD_BEATS_MIN
    }
}

impl Cusum {
    /// Returns a test that goes on with a sum from before.
    pub(crate) fn restored(sum: u16) -> Self {
        let sum = i16::try_from(sum).unwrap_or(CERTAIN).min(CERTAIN);
        // In how many beats they came, and how long ago, was not recorded.
        let tasks = BeatTasks { bad_beats: BAD_BEATS_MIN, ..BeatTasks::default() };
        Self { sum, tasks, low_at: Some(ObservedTime::NEVER_YET), ..Self::default() }
    }

    /// Returns a test that has alarmed before; a sum at which that is over makes a new one.
    pub(crate) fn alarmed(sum: u16) -> Self {
        let restored = Self::restored(sum);
        if restored.sum <= LOW {
            return restored;
        }
        Self { phase: CusumPhase::Alarmed, sum: restored.sum.min(HIGH), ..restored }
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

    /// Takes in the tasks of a segment.
    pub(crate) fn add(&mut self, weights: CusumWeights, bad: u64, good: u64) {
        let weigh = |weight: i16, tasks: u64| i64::from(weight) * tasks.min(TASKS_MAX) as i64;
        let change = weigh(weights.bad, bad) - weigh(weights.good, good);
        let sum = i64::from(self.sum) + change.min(SEGMENT_MAX);
        let top = if self.is_alarmed() { HIGH } else { CERTAIN };
        self.sum = sum.clamp(0, top.into()) as i16;
        self.tasks.add(bad, good);
    }

    /// Takes in that so many bad tasks came in a row as suffice by themselves.
    pub(crate) fn saturate(&mut self) {
        self.sum = if self.is_alarmed() { HIGH } else { CERTAIN };
        self.tasks.bad_beats = self.tasks.bad_beats.max(BAD_BEATS_MIN);
        self.low_at = Some(ObservedTime::NEVER_YET);
    }

    /// Draws the conclusion, after a beat that is judged, `span` after the one before.
    pub(crate) fn on_beat(&mut self, now: ObservedTime, span: Duration) {
        let before = self.tasks.take(span);
        if self.sum <= LOW {
            self.phase = CusumPhase::Quiet;
            self.tasks.bad_beats = 0;
            self.low_at = Some(now);
            return;
        }
        let rose_slowly = now.since(*self.low_at.get_or_insert(now)) >= QUIET_MIN;
        let is_high = self.sum >= HIGH;
        match &mut self.phase {
            CusumPhase::Quiet if is_high => {
                let (bad_time, quiet) = (Duration::ZERO, Duration::ZERO);
                self.phase = CusumPhase::Suspected { since: now, bad_time, rose_slowly, quiet };
            }
            CusumPhase::Suspected { since, bad_time, rose_slowly, quiet } => {
                match before {
                    BeatSpan::Quiet if is_high && *rose_slowly => {
                        *quiet = quiet.saturating_add(span);
                    }
                    BeatSpan::Quiet => *quiet = Duration::ZERO,
                    BeatSpan::Bad(part) => {
                        *quiet = Duration::ZERO;
                        *bad_time = bad_time.saturating_add(part);
                    }
                }
                let is_certain = self.sum == CERTAIN
                    && now.since(*since) >= CONFIRM_AFTER
                    && *bad_time >= BAD_TIME_MIN;
                if is_certain || *quiet >= QUIET_MIN {
                    self.phase = CusumPhase::Alarmed;
                    self.sum = self.sum.min(HIGH);
                }
            }
            CusumPhase::Quiet | CusumPhase::Alarmed => {}
        }
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
        assert_eq!(i64::from(cusum.sum), SEGMENT_MAX, "of one segment");
        cusum.add(weights, u64::MAX, 0);
        assert_eq!(cusum.sum, CERTAIN);
        cusum.add(weights, 0, u64::MAX);
        assert!(cusum.is_idle());
        cusum.add(weights, u64::MAX, u64::MAX);
        assert_eq!(i64::from(cusum.sum), SEGMENT_MAX, "half of them");
    }
}
