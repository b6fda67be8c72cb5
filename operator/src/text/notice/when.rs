//! Times and durations in messages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The times of one message: they have a zone, and a date where it is not today's.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    pub now_ms: i64,
    pub zone: &'a TimeZone,
}

static UTC: TimeZone = TimeZone::UTC;

impl Times<'_> {
    /// Returns times in UTC.
    pub fn utc(now_ms: i64) -> Self {
        Self { now_ms, zone: &UTC }
    }

    /// Returns the time: `14:02:31 UTC`, or `2026-11-26 14:02:31 UTC` on another day.
    pub fn at(&self, ms: i64) -> String {
        self.format(ms, "%T %Z", "%F %T %Z")
    }

    /// Returns both ends: `14:02:31–14:06:31 UTC`.
    pub fn span(&self, from_ms: i64, to_ms: i64) -> String {
        let from = self.format(from_ms, "%T", "%F %T");
        format!("{from}–{}", self.at(to_ms))
    }

    /// Returns how long ago it was.
    pub fn ago(&self, ms: i64) -> String {
        duration(self.now_ms.saturating_sub(ms))
    }

    fn format(&self, ms: i64, today: &str, other_day: &str) -> String {
        let zoned = |ms| instant(ms).to_zoned(self.zone.clone());
        let at = zoned(ms);
        let is_today = at.date() == zoned(self.now_ms).date();
        at.strftime(if is_today { today } else { other_day }).to_string()
    }
}

/// Formats a duration in its two largest units: `45 s`, `4 min`, `5 min 40 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, below: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {below}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// Formats a time as RFC 3339 in UTC, to the second.
pub fn rfc3339(ms: i64) -> String {
    format!("{:.0}", instant(ms))
}

fn instant(ms: i64) -> Timestamp {
    let bound = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_zone_and_another_day_its_date() {
        let berlin = jiff::tz::Offset::constant(1).to_time_zone();
        let times = Times { now_ms: 1_795_788_000_000, zone: &TimeZone::UTC };
        assert_eq!(times.at(1_795_788_000_000), "14:00:00 UTC");
        assert_eq!(times.at(1_795_701_600_000), "2026-11-26 14:00:00 UTC");
        assert_eq!(times.span(1_795_787_940_000, 1_795_788_000_000), "13:59:00–14:00:00 UTC");
        let times = Times { zone: &berlin, ..times };
        assert_eq!(times.at(1_795_788_000_000), "15:00:00 +01");
        assert!(times.at(i64::MAX).starts_with("9999-12"));
        assert_eq!(rfc3339(1_795_788_000_000), "2026-11-27T14:00:00Z");
    }

    #[test]
    fn durations_have_two_units() {
        let table = [
            (-5, "0 s"),
            (45_999, "45 s"),
            (240_000, "4 min"),
            (340_000, "5 min 40 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, text) in table {
            assert_eq!(duration(ms), text);
        }
    }
}
