//! Numbers in words of a fixed, small width, and times of day in a zone.

use heartline_operator::text::{self, age, count};
use jiff::{Timestamp, tz::TimeZone};

/// How long ago `then_ms` was, or `-` when there is no such moment.
pub(crate) fn age_since(then_ms: Option<i64>, now_ms: i64) -> String {
    then_ms.map_or_else(
        || "-".to_owned(),
        |then| age(u64::try_from(now_ms.saturating_sub(then)).unwrap_or(0)),
    )
}

/// Nano-dollars as dollars and cents: `3.75`, `1204`.
pub(crate) fn cost(nano_usd: u64) -> String {
    let cents = nano_usd / 10_000_000;
    if cents < 100_000 { format!("{}.{:02}", cents / 100, cents % 100) } else { count(cents / 100) }
}

/// A share in percent, or `-` of nothing.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), text::percent)
}

/// Tasks a minute: `41.0`, `1200`, `12.3k`.
pub(crate) fn rate(per_minute: f64) -> String {
    if per_minute < 1_000.0 { format!("{per_minute:.1}") } else { count(per_minute as u64) }
}

/// The same, or `-` while it can't be known.
pub(crate) fn rate_if_known(per_minute: Option<f64>) -> String {
    per_minute.map_or_else(|| "-".to_owned(), rate)
}

/// The time of day, `12:04:31`, in the zone; with a `Z` in UTC.
pub(crate) fn clock(ms: i64, zone: &TimeZone) -> String {
    stamp(ms, zone, "%H:%M:%S")
}

/// The time of day with milliseconds; with the date in front when `today_ms` is another day.
pub(crate) fn day_clock(ms: i64, today_ms: i64, zone: &TimeZone) -> String {
    let same_day = stamp(ms, zone, "%F") == stamp(today_ms, zone, "%F");
    if same_day {
        let millis = ms.rem_euclid(1_000);
        format!("{}.{millis:03}", stamp(ms, zone, "%H:%M:%S"))
    } else {
        stamp(ms, zone, "%m-%d %H:%M")
    }
}

fn stamp(ms: i64, zone: &TimeZone, pattern: &str) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| "-".to_owned(),
        |at| at.to_zoned(zone.clone()).strftime(pattern).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_fit_their_columns() {
        assert_eq!(cost(3_750_000_000), "3.75");
        assert_eq!(cost(1_204_990_000_000), "1204");
        assert_eq!(rate(41.0), "41.0");
        assert_eq!(rate(12_300.0), "12.3k");
        assert_eq!(percent(None), "-");
        assert_eq!(percent(Some(0.999_999)), "99.9");
    }

    #[test]
    fn another_day_shows_its_date() {
        let zone = TimeZone::UTC;
        assert_eq!(day_clock(1_775_000_000_204, 1_775_000_000_000, &zone), "23:33:20.204");
        assert_eq!(day_clock(1_775_000_000_204, 1_775_090_000_000, &zone), "03-31 23:33");
    }
}
