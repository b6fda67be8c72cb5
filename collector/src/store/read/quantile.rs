//! LatencyQuantiles quantiles of added-up buckets.
//!
//! Taken from the few buckets that are not empty: a microsecond an agent, where filling and scanning
//! an `hdrhistogram` of 24 h costs twenty. The definition is that crate's, and the test asks it.

use heartline_operator::message::LatencyQuantiles;
use heartline_protocol::bucket;

use crate::store::rollup::Buckets;

/// The quantiles, each as the midpoint of its bucket (off by 1.6 % at most); `None` without any.
pub(super) fn latency(buckets: &Buckets) -> Option<LatencyQuantiles> {
    let total = buckets.pairs().fold(0u64, |total, (_, count)| total.saturating_add(count));
    let (largest, _) = buckets.pairs().last()?;
    let at = |percent: u64| {
        // The smallest value that at least so many percent do not exceed.
        let rank = u128::from(total) * u128::from(percent);
        let mut seen = 0u128;
        let found = buckets.pairs().find(|&(_, count)| {
            seen += u128::from(count) * 100;
            seen >= rank
        });
        bucket::midpoint(found.map_or(largest, |(bucket, _)| bucket))
    };
    let max = bucket::midpoint(largest);
    Some(LatencyQuantiles { p50: at(50), p90: at(90), p95: at(95), p99: at(99), max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_hdrhistogram() {
        let mut histogram =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, bucket::MAX_US, 3).unwrap();
        let (mut buckets, mut us) = (Buckets::default(), 1.0f64);
        for number in 0..500u64 {
            let (index, count) = (bucket::index(us as u64), 1 + number % 7);
            let mut one = Vec::new();
            bucket::pack(&mut one, index, count);
            buckets.add_packed(&one);
            histogram.saturating_record_n(bucket::midpoint(index), count);
            us *= 1.05;
        }
        let ours = latency(&buckets).unwrap();
        let theirs =
            [(ours.p50, 0.5), (ours.p90, 0.9), (ours.p95, 0.95), (ours.p99, 0.99), (ours.max, 1.0)];
        for (ours, quantile) in theirs {
            let theirs = histogram.value_at_quantile(quantile);
            assert!(ours.abs_diff(theirs) * 1_000 <= theirs, "{quantile}: {ours} and {theirs}");
        }
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(latency(&Buckets::default()), None);
    }
}
