//! Durations as people write them.

use std::time::Duration;

/// Units with their length in microseconds.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number where one must be.
    #[error("expected a duration such as 500ms, 2s, 5m, 1h30m or 2d")]
    NotADuration,
    /// A number, but of what?
    #[error("the duration needs a unit: us, ms, s, m, h or d, as in 500ms or 5m")]
    NoUnit,
    /// More than 64 bits of microseconds.
    #[error("the duration is too long")]
    TooLong,
}

/// Reads `500ms`, `2s`, `5m`, `1h30m`, `1.5s`, `2d`: one or more numbers, each with its unit.
///
/// # Errors
/// [`DurationError`] says what is missing.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut total_us = 0_u64;
    loop {
        let (us, after) = part(rest)?;
        total_us = total_us.checked_add(us).ok_or(DurationError::TooLong)?;
        if after.is_empty() {
            return Ok(Duration::from_micros(total_us));
        }
        rest = after;
    }
}

/// The first number with its unit, in microseconds, and what follows.
fn part(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, mut rest) = digits(text);
    if whole.is_empty() {
        return Err(DurationError::NotADuration);
    }
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = digits(after);
        if fraction.is_empty() {
            return Err(DurationError::NotADuration);
        }
    }
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(letters);
    let unit = UNITS.iter().find(|(unit, _)| name.eq_ignore_ascii_case(unit));
    let (_, unit_us) = unit.ok_or(DurationError::NoUnit)?;
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let whole_us = whole.checked_mul(*unit_us).ok_or(DurationError::TooLong)?;
    let us = whole_us.checked_add(fraction_of(fraction, *unit_us)).ok_or(DurationError::TooLong)?;
    Ok((us, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `0.digits` of a unit, rounded down. Digits past the ninth change less than a microsecond per
/// second and are left out, so that nothing overflows.
fn fraction_of(digits: &str, unit_us: u64) -> u64 {
    let digits = &digits[..digits.len().min(9)];
    let value: u128 = digits.parse().unwrap_or(0);
    let scaled = value * u128::from(unit_us) / 10_u128.pow(digits.len() as u32);
    u64::try_from(scaled).expect("a fraction is less than its unit")
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
            (" 1.5s ", 1_500_000),
            ("2d", 172_800_000_000),
            ("7us", 7),
            ("0.0000000000001d", 0),
        ];
        for (text, us) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(us)), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for text in ["", "s", "-1s", "1.s", "2s x", "1 s"] {
            assert!(parse_duration(text).is_err(), "{text:?} was taken");
        }
        assert_eq!(parse_duration("90"), Err(DurationError::NoUnit));
        assert_eq!(parse_duration("5y"), Err(DurationError::NoUnit));
        assert_eq!(parse_duration("fast"), Err(DurationError::NotADuration));
        assert_eq!(parse_duration("99999999999999999999s"), Err(DurationError::TooLong));
        assert_eq!(parse_duration("213503983d"), Err(DurationError::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
