//! Whether an agent's work goes well: the sequential tests, a second time and by their definition.

use std::time::Duration;

use heartline_fleet::{
    HealthThresholds, LatencyLimit, MonoTime, QualityRecord, TestRecord, WorkRow,
};
use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_vocabulary::Reason;

/// The tests of one agent.
#[derive(Clone, Debug, Default)]
pub(super) struct ExpectedQuality {
    failing: ExpectedTest,
    slow: ExpectedTest,
    failed_in_a_row: u64,
    /// A beat was judged, and the segment that it may carry is still to come.
    pending_beat: Option<PendingBeat>,
}

/// A beat that was judged, and the silence before it.
#[derive(Clone, Copy, Debug)]
struct PendingBeat {
    at: MonoTime,
    silence: Duration,
}

#[derive(Clone, Debug, Default)]
struct ExpectedTest {
    /// In thousandths.
    sum: i64,
    /// When the sum first was at its largest, since it was low.
    high_since: Option<MonoTime>,
    was_at_cap: bool,
    /// Bad tasks and all of them, since the last beat and in the last one that had any.
    new: (u64, u64),
    last: Option<(u64, u64)>,
    /// Beats with bad tasks.
    bad_beats: u8,
    /// Part of the time since `high_since` that bad tasks had.
    bad_time: Duration,
    is_alarmed: bool,
}

const CAP: i64 = 8_000;
const LOW: i64 = 2_000;
const CONFIRM_AFTER: Duration = Duration::from_millis(29_500);
/// From so many beats with bad tasks on, a tenth of the time without tasks counts.
const BAD_BEATS: u8 = 4;

impl ExpectedTest {
    fn restored(record: &TestRecord, was_shown: bool) -> Self {
        let is_alarmed = (record.is_alarmed || was_shown) && i64::from(record.sum) > LOW;
        let bad_beats = if record.sum > 0 { BAD_BEATS } else { 0 };
        Self { sum: record.sum.into(), is_alarmed, bad_beats, ..Self::default() }
    }

    fn add(&mut self, (usual, wrong): (f64, f64), bad: u64, good: u64) {
        let weight = |ratio: f64| (ratio.ln() * 1e3).round() as i64;
        let (up, down) = (weight(wrong / usual), weight((1.0 - wrong) / (1.0 - usual)));
        self.sum = (self.sum + up * bad as i64 + down * good as i64).clamp(0, CAP);
        self.new = (self.new.0 + bad, self.new.1 + bad + good);
        if self.sum == 0 && !self.is_alarmed && self.high_since.is_none() {
            *self = Self::default();
        }
    }

    fn on_beat(&mut self, PendingBeat { at: now, silence }: PendingBeat) {
        let new = std::mem::take(&mut self.new);
        let has_tasks = new.1 > 0;
        self.last = Some(new).filter(|_| has_tasks).or(self.last);
        self.bad_beats = self.bad_beats.saturating_add(u8::from(new.0 > 0));
        if self.sum <= LOW {
            let is_new = self.sum == 0;
            let last = self.last.filter(|_| !is_new);
            let bad_beats = if is_new { 0 } else { self.bad_beats };
            *self = Self { sum: self.sum, last, bad_beats, ..Self::default() };
            return;
        }
        if self.high_since.is_some() {
            let (bad, tasks) = self.last.unwrap_or((1, 1));
            let permille = bad * 1_000 / tasks;
            let bad_time = silence * permille as u32 / 1_000;
            self.bad_time += match has_tasks {
                true => bad_time,
                false if self.bad_beats < BAD_BEATS => Duration::ZERO,
                false => bad_time / 10,
            };
        }
        let is_at_cap = self.sum == CAP;
        let was_high_for = self.high_since.map(|since| now.since(since));
        let is_confirmed =
            was_high_for >= Some(CONFIRM_AFTER) && self.bad_time >= Duration::from_secs(25);
        if is_at_cap && self.was_at_cap && is_confirmed {
            self.is_alarmed = true;
        }
        if is_at_cap {
            self.high_since.get_or_insert(now);
        }
        self.was_at_cap = is_at_cap;
    }
}

impl ExpectedQuality {
    /// Returns what a collector goes on with, whose last one showed `shown`.
    pub(super) fn restored(record: &QualityRecord, shown: Option<Reason>) -> Self {
        Self {
            failing: ExpectedTest::restored(&record.failing, shown == Some(Reason::Failing)),
            slow: ExpectedTest::restored(&record.slow, shown == Some(Reason::Slow)),
            failed_in_a_row: record.failed_in_a_row.into(),
            pending_beat: None,
        }
    }

    /// Returns the reason for which it is degraded.
    pub(super) fn reason(&self) -> Option<Reason> {
        if self.failing.is_alarmed {
            Some(Reason::Failing)
        } else {
            self.slow.is_alarmed.then_some(Reason::Slow)
        }
    }

    /// Takes in a beat that is judged, and came after such a silence.
    pub(super) fn on_beat(&mut self, at: MonoTime, silence: Duration) {
        self.pending_beat = Some(PendingBeat { at, silence });
    }

    /// Takes in a segment that was counted.
    pub(super) fn on_work(&mut self, row: &WorkRow, rules: &HealthThresholds) {
        let (ok, failed) = (row.work.ok, row.work.failed);
        if rules.failing_rate > 0.0 {
            let (usual, wrong) = (rules.failing_rate / 2.5, rules.failing_rate * 2.0);
            self.failing.add((usual, wrong), failed, ok);
            let is_broken = ok > 0 || rules.failing_in_a_row == 0;
            self.failed_in_a_row = if is_broken { 0 } else { self.failed_in_a_row + failed };
            let enough = u64::from(rules.failing_in_a_row);
            if enough > 0 && self.failed_in_a_row >= enough {
                self.failing.sum = CAP;
                self.failing.bad_beats = self.failing.bad_beats.max(BAD_BEATS);
            }
        }
        if let LatencyLimit::Fixed(limit) = rules.slow {
            let limit = bucket::index(limit.as_micros() as u64);
            let latency = PackedHistogram::new(&row.latency).expect("the core has checked it");
            let of = |is_slow: bool| -> u64 {
                let of = latency.pairs().filter(|(bucket, _)| (*bucket > limit) == is_slow);
                of.map(|(_, tasks)| tasks).sum()
            };
            self.slow.add((0.1, 0.5), of(true), of(false));
        }
    }

    /// Draws the conclusions of the beat, after the work that it brought.
    pub(super) fn conclude(&mut self) {
        if let Some(beat) = self.pending_beat.take() {
            self.failing.on_beat(beat);
            self.slow.on_beat(beat);
        }
    }

    /// Takes in that nothing was observed for so long.
    pub(super) fn postpone(&mut self, lost: Duration) {
        for test in [&mut self.failing, &mut self.slow] {
            test.high_since = test.high_since.map(|since| since + lost);
        }
    }
}
