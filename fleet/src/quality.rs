//! The quality of an agent's work: whether too many of its tasks fail, or take too long.
//!
//! 1. A segment counts once, whatever carries it and whichever of the agent's sessions it is of.
//! 2. Its failed tasks are the bad ones of the first test, those above the latency limit of the second,
//!    those below the limit for fast ones of the third (`cusum.rs`).
//! 3. So many failed tasks in a row as the rule says make the first test stand at its cap. A segment with
//!    any success breaks the row, because the order within it is unknown.
//! 4. Live beats of the current session that are judged and not overtaken draw the conclusion.
//! 5. A restart of the agent or of the collector changes nothing; a kill makes everything new, because
//!    somebody has dealt with it.

use std::time::Duration;

use heartline_protocol::SegmentView;
use heartline_vocabulary::Reason;

use crate::agent::Agent;
use crate::cusum::{Cusum, CusumWeights};
use crate::gap::ObservedTime;
use crate::latency_limit::LatencyLimits;
use crate::quality_record::QualityRecord;
use crate::thresholds::{AgentThresholds, IdleRule};
use crate::time::MonoTime;

/// The tests of an agent whose work is not all well.
#[derive(Debug, Default)]
pub(crate) struct WorkQuality {
    pub(crate) failing: Option<QualityTest>,
    pub(crate) slow: Option<QualityTest>,
    pub(crate) fast: Option<QualityTest>,
    /// Failed tasks since the last success; stops at its largest value.
    pub(crate) failed_in_a_row: u8,
}

/// One test, and the tasks since its sum was last 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QualityTest {
    pub(crate) cusum: Cusum,
    pub(crate) tally: TaskTally,
}

/// A number of tasks, and how many of them were bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskTally {
    /// Receipt of the first of them.
    pub(crate) since: MonoTime,
    pub(crate) bad: u32,
    pub(crate) tasks: u32,
}

impl TaskTally {
    fn add(&mut self, bad: u64, good: u64) {
        let add = |count: u32, more: u64| {
            u32::try_from(u64::from(count).saturating_add(more)).unwrap_or(u32::MAX)
        };
        self.bad = add(self.bad, bad);
        self.tasks = add(self.tasks, bad.saturating_add(good));
    }
}

impl WorkQuality {
    fn is_idle(&self) -> bool {
        let tests = [&self.failing, &self.slow, &self.fast];
        tests.into_iter().all(Option::is_none) && self.failed_in_a_row == 0
    }

    /// Counts the failed tasks in a row up to `limit` of them, where that is not 0.
    fn count_row(&mut self, failed: u64, ok: u64, limit: u32) {
        let before = u64::from(self.failed_in_a_row);
        let row = if ok > 0 || limit == 0 { 0 } else { before.saturating_add(failed) };
        self.failed_in_a_row = u8::try_from(row).unwrap_or(u8::MAX);
        if limit > 0 && row >= u64::from(limit) {
            self.failing.iter_mut().for_each(|test| test.cusum.saturate());
        }
    }

    fn on_beat(&mut self, now: ObservedTime, span: Duration) {
        for test in [&mut self.failing, &mut self.slow, &mut self.fast] {
            test.iter_mut().for_each(|it| it.cusum.on_beat(now, span));
            test.take_if(|it| it.cusum.is_idle());
        }
    }
}

/// Adds tasks to a test, which begins with the first bad one and ends when its sum is 0 again.
/// `weights` is `None` where there is no such test.
fn add(
    test: &mut Option<QualityTest>,
    weights: Option<CusumWeights>,
    Outcomes { bad, good }: Outcomes,
    now: MonoTime,
) {
    let Some(weights) = weights else {
        *test = None;
        return;
    };
    if bad == 0 && test.is_none() {
        return;
    }
    let it = test.get_or_insert_with(|| {
        let tally = TaskTally { since: now, bad: 0, tasks: 0 };
        QualityTest { cusum: Cusum::default(), tally }
    });
    it.cusum.add(weights, bad, good);
    it.tally.add(bad, good);
    test.take_if(|it| it.cusum.is_idle());
}

/// The tasks of one segment, as one test sees them.
#[derive(Clone, Copy, Default)]
struct Outcomes {
    bad: u64,
    good: u64,
}

impl Outcomes {
    fn count(&mut self, is_bad: bool, tasks: u64) {
        let count = if is_bad { &mut self.bad } else { &mut self.good };
        *count = count.saturating_add(tasks);
    }

    /// Returns the slow tasks of a segment among all, and the fast ones.
    fn of_latencies(segment: &SegmentView<'_>, limits: LatencyLimits) -> [Self; 2] {
        let [mut slow, mut fast] = [Self::default(); 2];
        if limits.are_set() {
            for (bucket, tasks) in segment.latency.pairs() {
                slow.count(limits.is_slow(bucket), tasks);
                fast.count(limits.is_fast(bucket), tasks);
            }
        }
        [slow, fast]
    }
}

impl Agent {
    /// Goes on with what was recorded before the collector started.
    pub(crate) fn restore_quality(&mut self, record: &QualityRecord, shown: Option<Reason>) {
        let mut quality = record.tests(self.last_live);
        // The beat that drew the conclusion came after the segment.
        let alarmed = match shown {
            Some(Reason::Failing) => &mut quality.failing,
            Some(Reason::Slow) => &mut quality.slow,
            Some(Reason::Fast) => &mut quality.fast,
            _ => &mut None,
        };
        alarmed.iter_mut().for_each(|it| it.cusum = Cusum::alarmed(it.cusum.sum()));
        self.quality = (!quality.is_idle()).then(|| Box::new(quality));
    }

    /// Returns the tasks by which it is failing, if it is.
    pub(crate) fn failing(&self) -> Option<TaskTally> {
        self.alarm(|quality| quality.failing.as_ref())
    }

    /// Returns the tasks by which it is slow, if it is.
    pub(crate) fn slow(&self) -> Option<TaskTally> {
        self.alarm(|quality| quality.slow.as_ref())
    }

    /// Returns the tasks by which it is too fast, if it is.
    pub(crate) fn fast(&self) -> Option<TaskTally> {
        self.alarm(|quality| quality.fast.as_ref())
    }

    /// Returns the reasons for which it is not judged yet, because too little of its own past is known.
    pub(crate) fn being_learned(&self, thresholds: &AgentThresholds) -> Vec<Reason> {
        let (health, own) = (&thresholds.health, self.own_latency_limits);
        let all = [
            (Reason::Slow, health.slow.is_being_learned(own.slow_above)),
            (Reason::Fast, health.fast.is_being_learned(own.fast_below)),
            (Reason::Idle, health.idle == IdleRule::ByPauses && self.pauses_are_being_learned()),
        ];
        all.into_iter().filter_map(|(reason, is_learned)| is_learned.then_some(reason)).collect()
    }

    /// Returns the tasks by which it is in the status of that reason, which is one of its work.
    pub(crate) fn bad_tasks(&self, reason: Reason) -> Option<TaskTally> {
        match reason {
            Reason::Failing => self.failing(),
            Reason::Slow => self.slow(),
            Reason::Fast => self.fast(),
            _ => None,
        }
    }

    /// Returns whether its work may soon bring it into the status of that reason.
    pub(crate) fn is_suspected(&self, reason: Reason) -> bool {
        let Some(quality) = &self.quality else { return false };
        let test = match reason {
            Reason::Failing => &quality.failing,
            Reason::Slow => &quality.slow,
            Reason::Fast => &quality.fast,
            _ => return false,
        };
        test.as_ref().is_some_and(|test| test.cusum.is_suspicious())
    }

    fn alarm(&self, test: impl FnOnce(&WorkQuality) -> Option<&QualityTest>) -> Option<TaskTally> {
        let test = test(self.quality.as_deref()?)?;
        test.cusum.is_alarmed().then_some(test.tally)
    }

    /// Takes in the tasks of a segment that was received at `now`.
    pub(crate) fn count_outcomes(
        &mut self,
        segment: &SegmentView<'_>,
        thresholds: &AgentThresholds,
        now: MonoTime,
    ) {
        let limits = self.latency_limits(thresholds);
        let failed = Outcomes { bad: segment.failed, good: segment.ok };
        let [slow, fast] = Outcomes::of_latencies(segment, limits);
        if self.quality.is_none() && failed.bad == 0 && slow.bad == 0 && fast.bad == 0 {
            return;
        }
        let quality = self.quality.get_or_insert_default();
        add(&mut quality.failing, thresholds.failing_weights, failed, now);
        add(&mut quality.slow, limits.slow_above.map(|_| CusumWeights::SLOW), slow, now);
        add(&mut quality.fast, limits.fast_below.map(|_| CusumWeights::FAST), fast, now);
        quality.count_row(failed.bad, failed.good, thresholds.health.failing_in_a_row);
        self.quality.take_if(|quality| quality.is_idle());
    }

    /// Draws the conclusions of a beat; `before` is when the one before it came.
    pub(crate) fn conclude_quality(&mut self, before: ObservedTime, now: ObservedTime) {
        let Some(quality) = &mut self.quality else { return };
        quality.on_beat(now, now.since(before));
        self.quality.take_if(|quality| quality.is_idle());
    }

    /// Drops the tests that there are no more by new rules.
    pub(crate) fn drop_unruled_tests(&mut self, thresholds: &AgentThresholds) {
        let limits = self.latency_limits(thresholds);
        let Some(quality) = &mut self.quality else { return };
        quality.failing.take_if(|_| thresholds.failing_weights.is_none());
        quality.slow.take_if(|_| limits.slow_above.is_none());
        quality.fast.take_if(|_| limits.fast_below.is_none());
        self.quality.take_if(|quality| quality.is_idle());
    }
}
