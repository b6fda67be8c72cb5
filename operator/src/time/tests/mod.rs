mod daylight_saving;
mod echo;
mod forms;
mod refusals;
mod spans;

use jiff::tz::TimeZone;

use super::*;

/// Thu 2026-11-26 12:34:56.789Z, the time of all tests that need no other.
const NOW: &str = "2026-11-26T12:34:56.789Z";

fn ms(rfc3339: &str) -> i64 {
    rfc3339.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The rules of zones as they are now, so that the tests need no database of zones.
fn zone(name: &str) -> TimeZone {
    let rules = match name {
        "UTC" => return TimeZone::UTC,
        "Europe/Berlin" => "CET-1CEST,M3.5.0,M10.5.0/3",
        "America/New_York" => "EST5EDT,M3.2.0,M11.1.0",
        "Australia/Lord_Howe" => "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        // Clocks are set by a whole day: 2026-10-04 is not there.
        "over a day" => "<-12>12<+12>-12,M10.1.0/0,M4.1.0/0",
        "at midnight" => "<-03>3<-02>,M10.3.0/0,M2.3.0/0",
        _ => panic!("no rules of {name}"),
    };
    TimeZone::posix(rules).unwrap()
}

fn live(zone_name: &str, now: &str) -> TimeContext {
    TimeContext { zone: zone(zone_name), ..TimeContext::utc(ms(now)) }
}

fn in_view(viewed: &str) -> TimeContext {
    TimeContext { viewed_ms: Some(ms(viewed)), ..TimeContext::utc(ms(NOW)) }
}

/// Returns the instant of a text, or why there is none.
fn resolved(text: &str, context: &TimeContext) -> String {
    match parse_time(text, context) {
        Ok(ResolvedTime::At(at_ms)) => crate::text::timestamp(at_ms),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_resolved(context: &TimeContext, table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(resolved(text, context), *expected, "{text:?}");
    }
}
