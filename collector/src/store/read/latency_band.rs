//! Bands of latencies for charts.

use heartline_protocol::bucket::{self, BUCKETS};

use crate::store::rollup::WorkLatencyHistogram;

/// Where bands begin, as round numbers: in tenths, times every power of ten of microseconds. The
/// finest come first.
const SCALES: [BandScale; 9] = [
    BandScale {
        tenths: &[
            10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75,
            82, 91,
        ],
        decades: 1,
    },
    BandScale { tenths: &[10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82], decades: 1 },
    BandScale { tenths: &[10, 15, 20, 30, 50, 70], decades: 1 },
    BandScale { tenths: &[10, 20, 50], decades: 1 },
    BandScale { tenths: &[10, 30], decades: 1 },
    BandScale { tenths: &[10], decades: 1 },
    BandScale { tenths: &[10], decades: 2 },
    BandScale { tenths: &[10], decades: 3 },
    BandScale { tenths: &[10], decades: 6 },
];
/// The largest power of ten within [`bucket::MAX_US`].
const LAST_DECADE: u32 = 10;

struct BandScale {
    tenths: &'static [u64],
    /// Only every so many powers of ten.
    decades: u32,
}

/// Bands of latencies, each of whole buckets, so that counts are exact.
pub(super) struct LatencyBands {
    /// The bucket with which each band begins, and the one behind the last band; empty without bands.
    edges: Vec<u16>,
}

impl LatencyBands {
    /// Returns the finest bands, at most `most`, that hold all of a histogram.
    pub(super) fn covering(histogram: &WorkLatencyHistogram, most: usize) -> Self {
        let buckets = || histogram.pairs().map(|(bucket, _)| bucket);
        let (Some(first), Some(last), 1..) = (buckets().next(), buckets().last(), most) else {
            return Self { edges: Vec::new() };
        };
        let scales = SCALES.iter().map(|scale| between(&scale.edges(), first, last));
        let fitting = scales.into_iter().find(|edges| edges.len() <= most + 1);
        Self { edges: fitting.unwrap_or_else(|| vec![0, BUCKETS as u16]) }
    }

    /// Returns the edges of the bands in microseconds.
    pub(super) fn edges_us(&self) -> Vec<u64> {
        self.edges.iter().map(|&edge| bucket::lowest(edge)).collect()
    }

    /// Returns how many tasks are in each band; empty without any task.
    pub(super) fn counts(&self, histogram: &WorkLatencyHistogram) -> Vec<u64> {
        let mut counts = vec![0_u64; self.edges.len().saturating_sub(1)];
        let mut is_empty = true;
        for (bucket, count) in histogram.pairs() {
            let band = self.edges.partition_point(|edge| *edge <= bucket);
            if let Some(sum) = band.checked_sub(1).and_then(|band| counts.get_mut(band)) {
                *sum = sum.saturating_add(count);
                is_empty = false;
            }
        }
        if is_empty { Vec::new() } else { counts }
    }
}

impl BandScale {
    /// Returns the edges of all bands, from the first bucket to the one behind the last.
    fn edges(&self) -> Vec<u16> {
        let mut edges = vec![0];
        for decade in (0..=LAST_DECADE).step_by(self.decades as usize) {
            let whole = self.tenths.iter().map(|tenths| tenths * 10_u64.pow(decade));
            let whole = whole.filter(|value| value.is_multiple_of(10));
            edges.extend(whole.map(|value| nearest_edge(value / 10)));
        }
        edges.push(BUCKETS as u16);
        edges.dedup();
        edges
    }
}

/// Returns the edges of the bands between that of the first and that of the last bucket.
fn between(edges: &[u16], first: u16, last: u16) -> Vec<u16> {
    let from = edges.partition_point(|edge| *edge <= first).saturating_sub(1);
    let to = edges.partition_point(|edge| *edge <= last);
    edges[from..=to].to_vec()
}

/// Returns the bucket that begins closest to a latency.
fn nearest_edge(us: u64) -> u16 {
    let below = bucket::index(us);
    let above = (below + 1).min(BUCKETS as u16);
    let distance = |edge| bucket::lowest(edge).abs_diff(us);
    if distance(above) <= distance(below) { above } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(latencies_us: &[u64]) -> WorkLatencyHistogram {
        let mut histogram = WorkLatencyHistogram::default();
        for &us in latencies_us {
            let mut packed = Vec::new();
            bucket::pack(&mut packed, bucket::index(us), 1);
            histogram.add_packed(&packed);
        }
        histogram
    }

    #[test]
    fn every_scale_has_its_edges_next_to_round_numbers() {
        for scale in &SCALES {
            let edges = scale.edges();
            assert!(edges.windows(2).all(|two| two[0] < two[1]), "{edges:?}");
            for decade in (0..=LAST_DECADE).step_by(scale.decades as usize) {
                let values = scale.tenths.iter().map(|tenths| tenths * 10_u64.pow(decade));
                let is_whole =
                    |value: &u64| value.is_multiple_of(10) && *value <= 10 * bucket::MAX_US;
                for us in values.filter(is_whole).map(|value| value / 10) {
                    let nearest = edges.iter().map(|edge| bucket::lowest(*edge).abs_diff(us)).min();
                    assert!(nearest.unwrap() * 63 <= us.max(63), "{us}");
                }
            }
        }
    }

    #[test]
    fn the_bands_are_the_finest_that_fit_and_hold_every_task() {
        let all = [
            vec![1],
            vec![200_000; 9],
            vec![90_000, 210_000, 480_000, 9_800_000],
            vec![0, 3, 63, 64, 999, 86_400_000_000, u64::MAX],
            (0..400).map(|n| 1_000 + n * 977).collect(),
        ];
        for latencies in all {
            for most in 1..=16 {
                let histogram = histogram(&latencies);
                let bands = LatencyBands::covering(&histogram, most);
                let (edges, counts) = (bands.edges_us(), bands.counts(&histogram));
                assert!(counts.len() <= most && edges.len() == counts.len() + 1, "{latencies:?}");
                assert_eq!(counts.iter().sum::<u64>(), latencies.len() as u64);
                // No band at an end is empty, and each count is that of the raw values.
                if counts.len() > 1 {
                    assert!(counts[0] > 0 && counts[counts.len() - 1] > 0);
                }
                for (two, count) in edges.windows(2).zip(&counts) {
                    let is_in = |us: &&u64| (two[0]..two[1]).contains(&(**us).min(bucket::MAX_US));
                    assert_eq!(latencies.iter().filter(is_in).count() as u64, *count, "{two:?}");
                }
            }
        }
    }

    #[test]
    fn a_scale_is_as_fine_as_there_is_room_for() {
        let histogram = histogram(&[110_000, 3_000_000]);
        let edges = |most| LatencyBands::covering(&histogram, most).edges_us();
        assert_eq!(edges(2), [99_328 + 1_024, 999_424, 9_961_472], "by powers of ten");
        assert_eq!(edges(3).len(), 4, "100 and 300 ms, 1 and 3 s");
        assert_eq!(edges(5).len(), 6, "100 and 200 and 500 ms, 1 and 2 and 5 s");
        assert_eq!(edges(9).len(), 10, "with 150, 300 and 700 ms, 1.5 and 3 s");
        assert_eq!(edges(0), [0_u64; 0]);
    }

    #[test]
    fn without_a_task_there_is_no_band() {
        let none = WorkLatencyHistogram::default();
        let bands = LatencyBands::covering(&none, 8);
        assert_eq!((bands.edges_us(), bands.counts(&none)), (vec![], vec![]));
    }
}
