//! Where labels stand on a line of time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// The times from one label to the next that are chosen from.
const TICKS_MS: [i64; 20] = [
    5 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    56 * DAY_MS,
    364 * DAY_MS,
];

/// Returns the shortest time between labels that fits; the longest where none does.
pub(super) fn tick_ms(fits: impl Fn(i64) -> bool) -> i64 {
    TICKS_MS.into_iter().find(|tick_ms| fits(*tick_ms)).unwrap_or(TICKS_MS[TICKS_MS.len() - 1])
}

/// Returns a moment as if the local time were that of UTC: labels stand at round local times.
pub(super) fn local_ms(at_ms: i64, zone: &TimeZone) -> i64 {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at_ms.saturating_add(i64::from(zone.to_offset(at).seconds()) * SECOND_MS)
}

/// Formats a time that [`local_ms`] has returned.
pub(super) fn civil(local_ms: i64, pattern: &str) -> String {
    Timestamp::from_millisecond(local_ms).unwrap_or_default().strftime(pattern).to_string()
}
