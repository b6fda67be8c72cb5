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
    /// When the sum first was high, since it was low.
    high_since: Option<MonoTime>,
    /// Bad tasks and all of them since the last beat.
    new: (u64, u64),
    /// Beats with bad tasks since the sum was low.
    bad_beats: u8,
    /// Part of the time since `high_since` that bad tasks had.
    bad_time: Duration,
    /// The last beat in which the sum was low, or else the first one.
    low_at: Option<LowAt>,
    rose_slowly: bool,
    /// Time without tasks up to now, with a high sum that rose slowly.
    quiet: Duration,
    is_alarmed: bool,
}

/// When a sum was low.
#[derive(Clone, Copy, Debug)]
enum LowAt {
    LongAgo,
    At(MonoTime),
}

const CERTAIN: i64 = 12_800;
const HIGH: i64 = 8_000;
const LOW: i64 = 2_000;
const CONFIRM_AFTER: Duration = Duration::from_millis(29_500);
/// From so many beats with bad tasks on, shares are what they seem and time without tasks counts.
const BAD_BEATS: u8 = 4;

impl ExpectedTest {
    fn restored(record: &TestRecord, was_shown: bool) -> Self {
        let is_alarmed = (record.is_alarmed || was_shown) && i64::from(record.sum) > LOW;
        let bad_beats = if record.sum > 0 { BAD_BEATS } else { 0 };
        let top = if is_alarmed { HIGH } else { CERTAIN };
        let sum = i64::from(record.sum).min(top);
        let low_at = (record.sum > 0).then_some(LowAt::LongAgo);
        Self { sum, is_alarmed, bad_beats, low_at, ..Self::default() }
    }

    fn top(&self) -> i64 {
        if self.is_alarmed { HIGH } else { CERTAIN }
    }

    fn add(&mut self, (usual, wrong): (f64, f64), bad: u64, good: u64) {
        let weight = |ratio: f64| (ratio.ln() * 1e3).round() as i64;
        let (up, down) = (weight(wrong / usual), weight((1.0 - wrong) / (1.0 - usual)));
        let change = up * bad as i64 + down * good as i64;
        self.sum = (self.sum + change.min(HIGH)).clamp(0, self.top());
        self.new = (self.new.0 + bad, self.new.1 + bad + good);
        if self.sum == 0 && !self.is_alarmed && self.high_since.is_none() {
            *self = Self::default();
        }
    }

    fn saturate(&mut self) {
        self.sum = self.top();
        self.bad_beats = self.bad_beats.max(BAD_BEATS);
        self.low_at = Some(LowAt::LongAgo);
    }

    fn on_beat(&mut self, PendingBeat { at: now, silence }: PendingBeat) {
        let (bad, tasks) = std::mem::take(&mut self.new);
        self.bad_beats = self.bad_beats.saturating_add(u8::from(bad > 0));
        if self.sum <= LOW {
            let low_at = (self.sum > 0).then_some(LowAt::At(now));
            *self = Self { sum: self.sum, low_at, ..Self::default() };
            return;
        }
        let has_many = self.bad_beats >= BAD_BEATS;
        if self.high_since.is_some() {
            let out_of = if has_many { tasks.max(1) } else { tasks + 4 };
            self.bad_time += silence * (bad * 1_000 / out_of) as u32 / 1_000;
            let is_quiet = tasks == 0 && self.rose_slowly && self.sum >= HIGH;
            self.quiet = if is_quiet { self.quiet + silence } else { Duration::ZERO };
        }
        let high_for = self.high_since.map(|since| now.since(since));
        let is_certain = self.sum == CERTAIN
            && high_for >= Some(CONFIRM_AFTER)
            && self.bad_time >= Duration::from_secs(25);
        if is_certain || self.quiet >= Duration::from_secs(285) {
            self.is_alarmed = true;
            self.sum = self.sum.min(HIGH);
        }
        let low_at = *self.low_at.get_or_insert(LowAt::At(now));
        if self.sum >= HIGH && self.high_since.is_none() {
            self.high_since = Some(now);
            self.rose_slowly = match low_at {
                LowAt::LongAgo => true,
                LowAt::At(at) => now.since(at) >= Duration::from_secs(285),
            };
        }
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
                self.failing.saturate();
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
            if let Some(LowAt::At(at)) = &mut test.low_at {
                *at = *at + lost;
            }
        }
    }
}
