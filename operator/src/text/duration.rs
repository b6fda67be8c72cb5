//! Durations as people write them, in the config file, in filters and in flags.

use std::time::Duration;

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};
use jiff::{SignedDuration, SpanRelativeTo};

const PRINTER: SpanPrinter =
    SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::None);

const DAY_S: u64 = 86_400;

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is no number with a unit, is negative, or is longer than 20,000 years.
    #[error("expected a duration such as 500ms, 2s, 5m, 1h30m or 2d")]
    Malformed,
    /// It is a bare number.
    #[error("the duration needs a unit: us, ms, s, m, h or d, as in 500ms or 5m")]
    NoUnit,
}

/// Parses `500ms`, `2s`, `5m`, `1h30m`, `1.5s`, `2d`: one or more numbers, each with its unit. A day
/// has 24 hours.
///
/// # Errors
/// [`DurationError`] says what is missing.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim().to_ascii_lowercase();
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(DurationError::NoUnit);
    }
    let span = SpanParser::new().parse_span(&text).map_err(|_| DurationError::Malformed)?;
    let duration: SignedDuration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| DurationError::Malformed)?;
    duration.try_into().map_err(|_| DurationError::Malformed)
}

/// Prints a duration exactly, as [`parse_duration`] reads it: `2d`, `1h30m`, `1s500ms`.
pub fn format_duration(duration: Duration) -> String {
    let days = duration.as_secs() / DAY_S;
    let rest = duration - Duration::from_secs(days * DAY_S);
    let text = |rest| PRINTER.unsigned_duration_to_string(&rest);
    match days {
        0 => text(rest),
        _ if rest.is_zero() => format!("{days}d"),
        _ => format!("{days}d{}", text(rest)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        let table = [
            ("500ms", 500_000),
            ("2s", 2_000_000),
            ("5M", 300_000_000),
            ("1h30m", 5_400_000_000),
            ("1.5h", 5_400_000_000),
            (" 1.5s ", 1_500_000),
            ("2d", 172_800_000_000),
            ("7us", 7),
            ("0s", 0),
        ];
        for (text, us) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(us)), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for text in ["", "s", "-1s", "1s ago", "2s x", "fast", "5y", "9999999d"] {
            assert_eq!(parse_duration(text), Err(DurationError::Malformed), "{text:?}");
        }
        assert_eq!(parse_duration("99999999999999999999s"), Err(DurationError::Malformed));
        for text in ["90", "1.5", "-5", "0"] {
            assert_eq!(parse_duration(text), Err(DurationError::NoUnit), "{text:?}");
        }
    }

    #[test]
    fn durations_are_printed_in_their_largest_units() {
        let table = [
            (0, "0s"),
            (1_500, "1s500ms"),
            (300_000, "5m"),
            (5_400_000, "1h30m"),
            (172_800_000, "2d"),
            (176_400_000, "2d1h"),
        ];
        for (ms, text) in table {
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn what_is_printed_is_read_as_the_same(ns in 0..u64::MAX) {
            let duration = Duration::from_nanos(ns);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
