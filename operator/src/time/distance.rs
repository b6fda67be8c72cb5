//! Distances in time: `2h`, `1d12h`, `1.5 hours`.

use super::error::{TimeError, quotable};

/// The names of each unit, and its milliseconds.
const UNITS: [(&[&str], i64); 6] = [
    (&["ms", "millis", "millisecond", "milliseconds"], 1),
    (&["s", "sec", "secs", "second", "seconds"], 1_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
    (&["w", "wk", "wks", "week", "weeks"], 604_800_000),
];
const CALENDAR_UNITS: &[&str] =
    &["mo", "mos", "mth", "month", "months", "y", "yr", "yrs", "year", "years"];

/// Digits behind the point that count.
const FRACTION_DIGITS: usize = 9;

/// Parses one or more numbers, each with its unit. Returns milliseconds, which are not negative.
///
/// # Errors
/// [`TimeError::Distance`], [`TimeError::CalendarUnit`], or [`TimeError::OutOfYears`] for more than
/// can be counted.
pub(super) fn parse_distance(text: &str) -> Result<i64, TimeError> {
    let malformed = || TimeError::Distance(quotable(text.trim()));
    let mut rest = text.trim();
    let mut total_ms = None;
    while !rest.is_empty() {
        let (number, behind) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, behind) = split_where(behind.trim_start(), |c| !c.is_alphabetic());
        if CALENDAR_UNITS.contains(&unit) {
            return Err(TimeError::CalendarUnit(quotable(text.trim())));
        }
        let found = UNITS.iter().find(|(names, _)| names.contains(&unit));
        let (_, unit_ms) = found.ok_or_else(malformed)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return Err(malformed());
        }
        let sum =
            || total_ms.unwrap_or(0_i64).checked_add(milliseconds(whole, fraction, *unit_ms)?);
        total_ms = Some(sum().ok_or(TimeError::OutOfYears)?);
        rest = behind.trim_start();
    }
    total_ms.ok_or_else(malformed)
}

/// Returns a decimal number of units in milliseconds, rounded down; `None` for more than can be counted.
fn milliseconds(whole: &str, fraction: &str, unit_ms: i64) -> Option<i64> {
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let scale = 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    let part = i128::from(unit_ms) * fraction.parse::<i128>().ok()? / i128::from(scale);
    whole.parse::<i64>().ok()?.checked_mul(unit_ms)?.checked_add(i64::try_from(part).ok()?)
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}
