//! Durations for columns and for sentences.

/// Formats a duration for a column, in its two largest units: `4s`, `6m12s`, `3h10m`, `2d01h`,
/// `412d`. At most six columns below 10,000 days; the second unit keeps two digits, so that
/// right-aligned ages stand still.
pub fn age(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        (1..=99, _, _) => format!("{days}d{:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}

/// Formats a duration for a sentence, with fractions of a second up to a minute: `8ms`, `1.2s`,
/// `30s`, `6m12s`.
pub fn span(ms: u64) -> String {
    match (ms, ms / 100 % 10) {
        (0..1_000, _) => format!("{ms}ms"),
        (1_000..60_000, tenths @ 1..) => format!("{}.{tenths}s", ms / 1_000),
        _ => age(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_keep_their_width() {
        let seconds = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (372, "6m12s"),
            (3_599, "59m59s"),
            (3_600, "1h00m"),
            (86_399, "23h59m"),
            (176_400, "2d01h"),
            (8_639_999, "99d23h"),
            (8_640_000, "100d"),
        ];
        for (seconds, text) in seconds {
            assert_eq!(age(seconds * 1_000 + 999), text);
            assert!(text.len() <= 6);
        }
        assert_eq!(age(u64::MAX), "213503982334d");
    }

    #[test]
    fn spans_have_fractions_up_to_a_minute() {
        let table = [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_099, "1s"),
            (1_299, "1.2s"),
            (30_000, "30s"),
            (59_999, "59.9s"),
            (60_000, "1m00s"),
            (372_900, "6m12s"),
            (176_400_000, "2d01h"),
        ];
        for (ms, text) in table {
            assert_eq!(span(ms), text);
        }
    }
}
