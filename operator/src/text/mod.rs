//! Formats of states, events, times, durations, money and counts in tables and on screens.

mod alert;
mod duration;
mod event;
mod health;
mod learning;
mod natural;
pub mod notice;
mod size;
mod state;

pub use alert::{
    incident_scope, incident_trouble, incident_what, newest_deliveries, status_text, told,
};
pub use duration::{DurationError, format_duration, parse_duration};
pub use event::{EventHeadline, EventText, clock_step_text, gap_cause_text, verb};
pub use health::{HealthLine, collector_lines};
pub use heartline_vocabulary::text::{age, span};
pub use learning::learning;
pub use natural::natural_order;
pub use size::{cpu_share, parse_size, size};
pub use state::{GlyphSet, state_glyph, state_word, vitals_word};

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND_US: u64 = 1_000_000;
const CENT_NANO: u64 = 10_000_000;

/// Formats a latency in microseconds: `850us`, `310ms`, `1.9s`, `12.4s`, `2m04s`. Rounds,
/// and keeps tenths that are zero, so that quantiles line up.
pub fn latency(us: u64) -> String {
    // Each step is taken by the rounded value, so that 999.7 ms is `1.0s` and not `1000ms`.
    let rounded_ms = us.saturating_add(500) / 1_000;
    let tenths = us.saturating_add(50_000) / 100_000;
    if us < 1_000 {
        format!("{us}us")
    } else if rounded_ms < 1_000 {
        format!("{rounded_ms}ms")
    } else if tenths < 1_000 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        age(us.saturating_add(SECOND_US / 2) / 1_000)
    }
}

/// Formats nano-dollars to the cent: `$12.40`, `$0.00`, `<$0.01`, `$12.4k`, `$3.1M`.
pub fn money(nano_usd: u64) -> String {
    let cents = nano_usd.saturating_add(CENT_NANO / 2) / CENT_NANO;
    match cents {
        0 if nano_usd > 0 => "<$0.01".into(),
        0..1_000_000 => format!("${}.{:02}", cents / 100, cents % 100),
        _ => format!("${}", count(cents / 100)),
    }
}

/// Formats a count in at most six columns: `9999`, `12.3k`, `4.0M`.
pub fn count(n: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let unit = UNITS.iter().find(|(size, _)| n >= *size);
    match unit {
        Some((size, suffix)) if n >= 10_000 => {
            format!("{}.{}{suffix}", n / size, n % size * 10 / size)
        }
        _ => n.to_string(),
    }
}

/// Formats a share between 0 and 1 as percent: `91.2`, `100`. Rounded down: a single failure among a
/// million is not 100.
pub fn percent(share: f64) -> String {
    // 0.912 is 911.99… tenths in binary.
    let tenths = (share.clamp(0.0, 1.0) * 1_000.0 + 1e-9).floor();
    let tenths = tenths as u64;
    if tenths >= 1_000 { "100".into() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// Formats a time as RFC 3339 in UTC with milliseconds: `2026-04-01T14:30:02.120Z`. Times beyond the years that can
/// be written become the first or last of them.
pub fn timestamp(ms: i64) -> String {
    format!("{:.3}", instant(ms))
}

/// Formats a time to the second: `2026-04-01 14:30:02Z`.
pub fn timestamp_s(ms: i64) -> String {
    instant(ms).to_zoned(TimeZone::UTC).strftime("%F %TZ").to_string()
}

/// Formats the date in UTC: `2026-04-01`.
pub fn date(ms: i64) -> String {
    instant(ms).to_zoned(TimeZone::UTC).date().to_string()
}

/// Returns the instant, or the first or last that can be written.
pub(crate) fn instant(ms: i64) -> Timestamp {
    let bound = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_step_up_by_their_rounded_value() {
        let table = [
            (0, "0us"),
            (999, "999us"),
            (1_000, "1ms"),
            (310_400, "310ms"),
            (999_499, "999ms"),
            (999_500, "1.0s"),
            (1_940_000, "1.9s"),
            (12_400_000, "12.4s"),
            (99_949_999, "99.9s"),
            (99_950_000, "1m40s"),
            (124_000_000, "2m04s"),
        ];
        for (us, text) in table {
            assert_eq!(latency(us), text);
        }
        assert_eq!(latency(u64::MAX), "213503982d");
    }

    #[test]
    fn money_is_exact_to_the_cent() {
        let table = [
            (0, "$0.00"),
            (4_999_999, "<$0.01"),
            (5_000_000, "$0.01"),
            (12_395_000_000, "$12.40"),
            (9_999_990_000_000, "$9999.99"),
            (12_400_000_000_000, "$12.4k"),
        ];
        for (nano, text) in table {
            assert_eq!(money(nano), text);
        }
        assert_eq!(money(u64::MAX), "$18.4G");
    }

    #[test]
    fn counts_are_shortened_from_ten_thousand() {
        let table = [(0, "0"), (9_999, "9999"), (12_304, "12.3k"), (999_999, "999.9k")];
        for (n, text) in table {
            assert_eq!(count(n), text);
        }
        assert_eq!(count(4_000_000), "4.0M");
        assert_eq!(count(u64::MAX), "18446744.0T");
    }

    #[test]
    fn a_single_failure_is_not_a_hundred_percent() {
        assert_eq!(percent(1.0), "100");
        assert_eq!(percent(0.999_999), "99.9");
        assert_eq!(percent(0.912), "91.2");
        assert_eq!(percent(0.0), "0.0");
    }

    #[test]
    fn times_are_utc_and_never_panic() {
        let ms = 1_775_053_802_120;
        assert_eq!(timestamp(ms), "2026-04-01T14:30:02.120Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(ms), "2026-04-01");
        assert!(timestamp(i64::MIN).starts_with("-009999-"));
        assert!(timestamp(i64::MAX).starts_with("9999-"));
    }
}
