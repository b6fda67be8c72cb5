//! One piece of work, as the agent tells it.

use std::time::Duration;

use heartline_protocol::body::COUNT_MAX;

use crate::counters::Sum;

/// One piece of work that is done: how it went, how long it took, what it cost.
///
/// ```
/// use std::time::Duration;
/// use heartline::Report;
///
/// let report = Report::ok().latency(Duration::from_millis(230)).cost_usd(0.03).tokens(1_200, 80);
/// ```
///
/// A value that cannot be (a negative or infinite cost, NaN) is left out and counted among the
/// agent's lost observations; the rest of the report counts.
#[derive(Clone, Copy, Debug)]
#[must_use = "a report counts when it is given to Heartline::report"]
pub struct Report {
    outcome: Outcome,
    latency_us: Option<u64>,
    cost_nano_usd: u64,
    tokens_in: u64,
    tokens_out: u64,
    lost: u64,
}

/// How a piece of work went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Ok,
    /// It failed.
    Failed,
}

impl Report {
    /// Work that succeeded.
    #[inline]
    pub const fn ok() -> Self {
        Self::new(Outcome::Ok)
    }

    /// Work that failed.
    #[inline]
    pub const fn failed() -> Self {
        Self::new(Outcome::Failed)
    }

    /// Work that went like that.
    #[inline]
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, latency_us: None, cost_nano_usd: 0, tokens_in: 0, tokens_out: 0, lost: 0 }
    }

    /// How long it took; counted in microseconds, up to 24 h.
    #[inline]
    pub fn latency(mut self, latency: Duration) -> Self {
        let us = latency.as_secs().saturating_mul(1_000_000);
        self.latency_us = Some(us.saturating_add(u64::from(latency.subsec_micros())));
        self
    }

    /// What it cost, in US dollars, rounded to the nearest billionth. Several costs add up.
    #[inline]
    pub fn cost_usd(mut self, usd: f64) -> Self {
        let nano = usd * 1e9 + 0.5;
        if usd >= 0.0 && nano < COUNT_MAX as f64 {
            add(&mut self.cost_nano_usd, nano as i64 as u64, &mut self.lost);
        } else {
            self.lost += 1;
        }
        self
    }

    /// What it cost, in billionths of a US dollar. Several costs add up.
    #[inline]
    pub fn cost_nano_usd(mut self, nano: u64) -> Self {
        add(&mut self.cost_nano_usd, nano, &mut self.lost);
        self
    }

    /// Tokens that models read and wrote. Several add up.
    #[inline]
    pub fn tokens(mut self, read: u64, written: u64) -> Self {
        add(&mut self.tokens_in, read, &mut self.lost);
        add(&mut self.tokens_out, written, &mut self.lost);
        self
    }

    #[inline]
    pub(crate) fn outcome(&self) -> Sum {
        match self.outcome {
            Outcome::Ok => Sum::Ok,
            Outcome::Failed => Sum::Failed,
        }
    }

    #[inline]
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    #[inline]
    pub(crate) fn latency_us(&self) -> Option<u64> {
        self.latency_us
    }

    #[inline]
    pub(crate) fn sums(&self) -> [(Sum, u64); 4] {
        [
            (Sum::CostNanoUsd, self.cost_nano_usd),
            (Sum::TokensIn, self.tokens_in),
            (Sum::TokensOut, self.tokens_out),
            (Sum::Lost, self.lost),
        ]
    }
}

/// Adds up to the most that a field of a segment can say; beyond it nothing is plausible.
#[inline]
fn add(sum: &mut u64, count: u64, lost: &mut u64) {
    if count <= COUNT_MAX - *sum {
        *sum += count;
    } else {
        *lost += 1;
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
    }

    #[test]
    fn what_cannot_be_is_left_out_and_counted() {
        for usd in [-0.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(sums(Report::ok().cost_usd(usd)), [0, 0, 0, 1], "{usd}");
        }
        assert_eq!(sums(Report::ok().cost_nano_usd(u64::MAX).tokens(9, u64::MAX)), [0, 9, 0, 2]);
    }

    #[test]
    fn latencies_are_in_microseconds_and_saturate() {
        let us = |latency| Report::ok().latency(latency).latency_us();
        assert_eq!(us(Duration::from_nanos(1_999)), Some(1));
        assert_eq!(us(Duration::from_millis(2_500)), Some(2_500_000));
        assert_eq!(us(Duration::MAX), Some(u64::MAX));
        assert_eq!(Report::failed().latency_us(), None);
    }
}
