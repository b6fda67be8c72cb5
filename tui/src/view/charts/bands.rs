//! Bands of latencies: their labels, and as many as there are rows for.

use crate::text::age;

const SECOND_US: u64 = 1_000_000;

/// Bands that follow each other, with counts in each of several lists.
pub(super) struct BandRows {
    pub labels: Vec<String>,
    /// A list of counts for each that was given; empty where that was.
    pub counts: Vec<Vec<u64>>,
}

/// Joins bands until there are at most `rows`.
pub(super) fn fit_bands<'a>(
    edges_us: &[u64],
    counts: impl IntoIterator<Item = &'a Vec<u64>>,
    rows: usize,
) -> BandRows {
    let bands = edges_us.len().saturating_sub(1);
    let joined = bands.div_ceil(rows.max(1)).max(1);
    let last = edges_us.last().copied().unwrap_or(0);
    let label = |at: usize| {
        let upper = edges_us.get((at + 1) * joined).copied().unwrap_or(last);
        band_label(edges_us[at * joined], upper)
    };
    let join = |counts: &'a Vec<u64>| counts.chunks(joined).map(|some| some.iter().sum()).collect();
    BandRows {
        labels: (0..bands.div_ceil(joined)).map(label).collect(),
        counts: counts.into_iter().map(join).collect(),
    }
}

/// Formats a band in at most nine columns: `200-500ms`, `500ms-1s`.
fn band_label(lower_us: u64, upper_us: u64) -> String {
    let ((lower, lower_unit), (upper, upper_unit)) = (rounded(lower_us), rounded(upper_us));
    let lower_unit = if lower_unit == upper_unit { "" } else { lower_unit };
    format!("{lower}{lower_unit}-{upper}{upper_unit}")
}

/// Returns a latency in two digits, and its unit: edges of bands lie next to round numbers.
fn rounded(us: u64) -> (String, &'static str) {
    let digits = us.max(1).ilog10();
    let unit = 10_u64.pow(digits.saturating_sub(1));
    let us = (us + unit / 2) / unit * unit;
    match us {
        0..1_000 => (us.to_string(), "us"),
        1_000..SECOND_US => (one_decimal(us, 1_000), "ms"),
        _ if us < 60 * SECOND_US => (one_decimal(us, SECOND_US), "s"),
        _ => (age(us / 1_000), ""),
    }
}

fn one_decimal(us: u64, unit: u64) -> String {
    match us % unit * 10 / unit {
        0 => (us / unit).to_string(),
        tenth => format!("{}.{tenth}", us / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_labelled_by_round_numbers_in_nine_columns() {
        let table = [
            ((100_352, 200_704), "100-200ms"),
            ((499_712, 999_424), "500ms-1s"),
            ((999_424, 1_998_848), "1-2s"),
            ((1_507_328, 1_998_848), "1.5-2s"),
            ((0, 1), "0-1us"),
            ((496, 1_008), "500us-1ms"),
            ((9_984, 19_968), "10-20ms"),
            ((49_283_072, 100_663_296), "49s-1m40s"),
        ];
        for ((lower, upper), expected) in table {
            assert_eq!(band_label(lower, upper), expected);
        }
    }

    #[test]
    fn bands_that_have_no_row_are_joined_and_none_is_lost() {
        let edges = [0, 10, 20, 50, 100, 200];
        let counts = [vec![1, 2, 3, 4, 5], vec![], vec![0, 0, 0, 0, 7]];
        for rows in 1..8 {
            let fitted = fit_bands(&edges, &counts, rows);
            assert!(fitted.labels.len() <= rows && !fitted.labels.is_empty());
            let sums: Vec<u64> = fitted.counts.iter().map(|counts| counts.iter().sum()).collect();
            assert_eq!(sums, [15, 0, 7]);
            assert!(fitted.counts[0].len() == fitted.labels.len() && fitted.counts[1].is_empty());
        }
        assert_eq!(fit_bands(&edges, &counts, 3).labels, ["0-20us", "20-100us", "100-200us"]);
        assert!(fit_bands(&[], &[], 3).labels.is_empty());
    }
}
