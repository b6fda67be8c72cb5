//! Reports of work.

use std::time::Duration;

use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket;

use crate::counters::CounterId;

/// Report of one finished piece of work: outcome, latency, cost, tokens.
///
/// ```
/// use std::time::Duration;
/// use heartline::Report;
///
/// let report = Report::ok().latency(Duration::from_millis(230)).cost_usd(0.03).tokens(1_200, 80);
/// ```
///
/// An invalid value (a negative, infinite or NaN cost) is ignored and counted as a lost
/// observation; the rest of the report counts.
#[derive(Clone, Copy, Debug)]
#[must_use = "a report counts when it is given to Heartline::report"]
pub struct Report {
    cost_nano_usd: u64,
    tokens_in: u64,
    tokens_out: u64,
    lost: u32,
    /// The latency's bucket, or [`NO_LATENCY`].
    bucket: u16,
    outcome: TaskOutcome,
}

/// Stands for no latency: there is no such bucket.
const NO_LATENCY: u16 = u16::MAX;
const _: () = assert!(bucket::BUCKETS <= NO_LATENCY as usize);

/// Small and without padding: copying a report costs more than counting it, and copying padding,
/// which the compiler does in odd pieces, most of all.
const _: () = assert!(size_of::<Report>() == 3 * 8 + 4 + 2 + 2);

const TWO_TO_52: f64 = (1u64 << 52) as f64;

/// Outcome of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum TaskOutcome {
    /// The work succeeded.
    Ok,
    /// The work failed.
    Failed,
}

impl Report {
    /// Creates a report of work that succeeded.
    #[inline]
    pub const fn ok() -> Self {
        Self::new(TaskOutcome::Ok)
    }

    /// Creates a report of work that failed.
    #[inline]
    pub const fn failed() -> Self {
        Self::new(TaskOutcome::Failed)
    }

    /// Creates a report of work with this outcome.
    #[inline]
    pub const fn new(outcome: TaskOutcome) -> Self {
        Self { cost_nano_usd: 0, tokens_in: 0, tokens_out: 0, lost: 0, bucket: NO_LATENCY, outcome }
    }

    /// Sets the latency; counted in microseconds, up to 24 h.
    #[inline]
    pub fn latency(self, latency: Duration) -> Self {
        // Beyond a day every latency is the same, so that nothing can overflow.
        let secs = latency.as_secs().min(bucket::MAX_US / 1_000_000);
        self.latency_us(secs * 1_000_000 + u64::from(latency.subsec_micros()))
    }

    #[inline]
    pub(crate) fn latency_us(mut self, us: u64) -> Self {
        self.bucket = bucket::index(us);
        self
    }

    /// Adds a cost in US dollars, rounded to the nearest billionth.
    #[inline]
    pub fn cost_usd(self, usd: f64) -> Self {
        // At 2^52 a double has no room for a fraction: the sum is rounded, and its low bits are the
        // integer. All else than 0 to 2^52, such as NaN, has other high bits.
        let nano = (usd * 1e9 + TWO_TO_52).to_bits() ^ TWO_TO_52.to_bits();
        if usd >= 0.0 && nano < 1 << 52 {
            self.cost_nano_usd(nano)
        } else {
            self.rare_cost_usd(usd)
        }
    }

    /// Adds a cost of millions, or counts an invalid one.
    #[cold]
    fn rare_cost_usd(mut self, usd: f64) -> Self {
        let nano = (usd * 1e9).round();
        if usd >= 0.0 && nano < COUNT_MAX as f64 {
            return self.cost_nano_usd(nano as u64);
        }
        self.lost = self.lost.saturating_add(1);
        self
    }

    /// Adds a cost in billionths of a US dollar.
    #[inline]
    pub fn cost_nano_usd(mut self, nano: u64) -> Self {
        add(&mut self.cost_nano_usd, nano, &mut self.lost);
        self
    }

    /// Adds tokens that models have read and written.
    #[inline]
    pub fn tokens(mut self, read: u64, written: u64) -> Self {
        add(&mut self.tokens_in, read, &mut self.lost);
        add(&mut self.tokens_out, written, &mut self.lost);
        self
    }

    #[inline]
    pub(crate) fn outcome(&self) -> CounterId {
        match self.outcome {
            TaskOutcome::Ok => CounterId::Ok,
            TaskOutcome::Failed => CounterId::Failed,
        }
    }

    #[inline]
    pub(crate) fn with_outcome(self, outcome: TaskOutcome) -> Self {
        Self { outcome, ..self }
    }

    /// Returns the latency's bucket; beyond the last one if there is no latency.
    #[inline]
    pub(crate) fn bucket(&self) -> usize {
        usize::from(self.bucket)
    }

    /// Returns whether all [`sums`](Self::sums) are zero.
    #[inline]
    pub(crate) fn has_no_sums(&self) -> bool {
        (self.cost_nano_usd | self.tokens_in | self.tokens_out | u64::from(self.lost)) == 0
    }

    #[inline]
    pub(crate) fn sums(&self) -> [(CounterId, u64); 4] {
        [
            (CounterId::CostNanoUsd, self.cost_nano_usd),
            (CounterId::TokensIn, self.tokens_in),
            (CounterId::TokensOut, self.tokens_out),
            (CounterId::Lost, u64::from(self.lost)),
        ]
    }
}

/// Adds up to the limit of a field of a segment; beyond it nothing is plausible.
#[inline]
fn add(sum: &mut u64, count: u64, lost: &mut u32) {
    if count <= COUNT_MAX - *sum {
        *sum += count;
    } else {
        *lost = lost.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(report: Report) -> [u64; 4] {
        report.sums().map(|(_, count)| count)
    }

    #[test]
    fn costs_are_rounded_and_added() {
        assert_eq!(sums(Report::ok().cost_usd(0.03).cost_usd(1e-9)), [30_000_001, 0, 0, 0]);
        assert_eq!(sums(Report::ok().cost_usd(0.0).tokens(5, 7).tokens(1, 1)), [0, 6, 8, 0]);
        let nanos = [
            (-0.0, 0),
            (0.4e-9, 0),
            (0.6e-9, 1),
            (12.345678901, 12_345_678_901),
            (4_503_599.0, 4_503_599_000_000_000),
            (4_503_600.0, 4_503_600_000_000_000),
            (9_007_199.0, 9_007_199_000_000_000),
        ];
        for (usd, nano) in nanos {
            assert_eq!(sums(Report::ok().cost_usd(usd)), [nano, 0, 0, 0], "{usd}");
        }
    }

    #[test]
    fn invalid_values_are_ignored_and_counted() {
        for usd in [-0.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-12, 1e7, 1e300] {
            assert_eq!(sums(Report::ok().cost_usd(usd)), [0, 0, 0, 1], "{usd}");
        }
        assert_eq!(sums(Report::ok().cost_nano_usd(u64::MAX).tokens(9, u64::MAX)), [0, 9, 0, 2]);
    }

    #[test]
    fn latencies_are_in_microseconds_and_saturate() {
        let falls_into = |latency, us| {
            assert_eq!(Report::ok().latency(latency).bucket(), usize::from(bucket::index(us)));
        };
        falls_into(Duration::from_nanos(1_999), 1);
        falls_into(Duration::from_millis(2_500), 2_500_000);
        falls_into(Duration::from_secs(86_399), 86_399_000_000);
        falls_into(Duration::from_secs(86_400), bucket::MAX_US);
        falls_into(Duration::MAX, u64::MAX);
        assert!(Report::failed().bucket() >= bucket::BUCKETS);
    }
}
