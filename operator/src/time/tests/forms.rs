//! Each form of a time, and what it means.

use super::*;

#[test]
fn a_time_of_day_is_the_latest_past_one() {
    assert_resolved(
        &live("UTC", NOW),
        &[
            ("12:34", "2026-11-26T12:34:00.000Z"),
            ("12:35", "2026-11-25T12:35:00.000Z"),
            ("12:34:56", "2026-11-26T12:34:56.000Z"),
            ("12:34:57", "2026-11-25T12:34:57.000Z"),
            ("12:34:56.789", "2026-11-26T12:34:56.789Z"),
            ("12:34:56.7899", "2026-11-26T12:34:56.789Z"),
            ("12:34:56.79", "2026-11-25T12:34:56.790Z"),
            ("9:05", "2026-11-26T09:05:00.000Z"),
            ("00:00", "2026-11-26T00:00:00.000Z"),
            ("23:59:59", "2026-11-25T23:59:59.000Z"),
            (" 14:05 ", "2026-11-25T14:05:00.000Z"),
        ],
    );
    let table = [("23:30", "2026-12-31T23:30:00.000Z"), ("00:02", "2027-01-01T00:02:00.000Z")];
    assert_resolved(&live("UTC", "2027-01-01T00:05:00Z"), &table);
}

#[test]
fn in_history_a_time_of_day_is_on_the_day_in_view() {
    let table = [
        ("14:05", "2026-11-20T14:05:00.000Z"),
        ("23:59:59", "2026-11-20T23:59:59.000Z"),
        ("00:00", "2026-11-20T00:00:00.000Z"),
        ("14:05+02:00", "2026-11-20T12:05:00.000Z"),
    ];
    assert_resolved(&in_view("2026-11-20T08:00:00Z"), &table);
    let context = TimeContext { zone: zone("Europe/Berlin"), ..in_view("2026-11-20T23:30:00Z") };
    assert_resolved(&context, &[("14:05", "2026-11-21T13:05:00.000Z")]);
}

#[test]
fn distances_are_from_now_or_from_the_instant_in_view() {
    let table = [
        ("-2h", "2026-11-26T10:34:56.789Z"),
        ("2h ago", "2026-11-26T10:34:56.789Z"),
        ("2 hours ago", "2026-11-26T10:34:56.789Z"),
        ("-1d12h", "2026-11-25T00:34:56.789Z"),
        ("-1D 12H", "2026-11-25T00:34:56.789Z"),
        ("1d12h30m ago", "2026-11-25T00:04:56.789Z"),
        ("-90m", "2026-11-26T11:04:56.789Z"),
        ("-90M", "2026-11-26T11:04:56.789Z"),
        ("-1.5h", "2026-11-26T11:04:56.789Z"),
        ("-0.5s", "2026-11-26T12:34:56.289Z"),
        ("-789ms", "2026-11-26T12:34:56.000Z"),
        ("-2w", "2026-11-12T12:34:56.789Z"),
        ("-0s", "2026-11-26T12:34:56.789Z"),
    ];
    assert_resolved(&live("UTC", NOW), &table);
    let table = [
        ("-2h", "2026-11-20T06:00:00.000Z"),
        ("2h ago", "2026-11-20T06:00:00.000Z"),
        ("+10m", "2026-11-20T08:10:00.000Z"),
        ("+ 1w", "2026-11-27T08:00:00.000Z"),
    ];
    let context =
        TimeContext { now_ms: ms("2026-11-30T00:00:00Z"), ..in_view("2026-11-20T08:00:00Z") };
    assert_resolved(&context, &table);
}

#[test]
fn days_have_names() {
    let table = [
        ("today", "2026-11-26T00:00:00.000Z"),
        ("Yesterday", "2026-11-25T00:00:00.000Z"),
        ("today 09:00", "2026-11-26T09:00:00.000Z"),
        ("yesterday 14:05", "2026-11-25T14:05:00.000Z"),
        ("yesterday  14:05:30", "2026-11-25T14:05:30.000Z"),
        ("mon 09:00", "2026-11-23T09:00:00.000Z"),
        ("MONDAY", "2026-11-23T00:00:00.000Z"),
        ("tues", "2026-11-24T00:00:00.000Z"),
        ("thu", "2026-11-26T00:00:00.000Z"),
        ("thu 12:34", "2026-11-26T12:34:00.000Z"),
        ("thu 12:35", "2026-11-19T12:35:00.000Z"),
        ("fri", "2026-11-20T00:00:00.000Z"),
    ];
    assert_resolved(&live("UTC", NOW), &table);
    // Days with a name are those before now, whatever is in view.
    assert_resolved(&in_view("2026-03-04T00:00:00Z"), &table);
    let table = [
        ("today", "2026-12-31T23:00:00.000Z"),
        ("yesterday 14:05", "2026-12-31T13:05:00.000Z"),
        ("yesterday 14:05Z", "2026-12-30T14:05:00.000Z"),
    ];
    assert_resolved(&live("Europe/Berlin", "2026-12-31T23:30:00Z"), &table);
}

#[test]
fn dates_start_in_the_zone_and_without_a_year_are_the_latest_past_ones() {
    let table = [
        ("2026-11-20", "2026-11-20T00:00:00.000Z"),
        ("2026-11-20 14:05", "2026-11-20T14:05:00.000Z"),
        ("11-20 14:05", "2026-11-20T14:05:00.000Z"),
        ("11-26 12:34", "2026-11-26T12:34:00.000Z"),
        ("11-26 12:35", "2025-11-26T12:35:00.000Z"),
        ("11-27", "2025-11-27T00:00:00.000Z"),
        ("12-31 23:59:59", "2025-12-31T23:59:59.000Z"),
        ("02-29 10:00", "2024-02-29T10:00:00.000Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z"),
        ("fri 2026-11-20 14:05", "2026-11-20T14:05:00.000Z"),
        ("Friday 2026-11-20", "2026-11-20T00:00:00.000Z"),
    ];
    assert_resolved(&live("UTC", NOW), &table);
    assert_resolved(&live("Europe/Berlin", NOW), &[("2026-11-20", "2026-11-19T23:00:00.000Z")]);
    // 1900 had no leap day.
    let context = live("UTC", "1903-06-01T00:00:00Z");
    assert_resolved(&context, &[("02-29", "1896-02-29T00:00:00.000Z")]);
}

#[test]
fn an_offset_beats_the_zone() {
    let table = [
        ("2026-11-20T14:05:00Z", "2026-11-20T14:05:00.000Z"),
        ("2026-11-20t14:05:00.120z", "2026-11-20T14:05:00.120Z"),
        ("2026-11-20T14:05:00-05:00", "2026-11-20T19:05:00.000Z"),
        ("2026-11-20T14:05:00+0530", "2026-11-20T08:35:00.000Z"),
        ("2026-11-20 14:05+02", "2026-11-20T12:05:00.000Z"),
        ("2026-11-20 14:05 UTC", "2026-11-20T14:05:00.000Z"),
        ("2026-11-20 14:05 +02:00", "2026-11-20T12:05:00.000Z"),
        ("2026-11-20T14:05", "2026-11-20T13:05:00.000Z"),
        ("14:05Z", "2026-11-25T14:05:00.000Z"),
        ("12:30Z", "2026-11-26T12:30:00.000Z"),
        ("14:05+09:00", "2026-11-26T05:05:00.000Z"),
        ("mon 09:00-08:00", "2026-11-23T17:00:00.000Z"),
    ];
    assert_resolved(&live("Europe/Berlin", NOW), &table);
}

#[test]
fn unix_seconds_words_and_outages_are_read() {
    let table = [
        ("@1761955200", "2025-11-01T00:00:00.000Z"),
        ("@1761955200.5", "2025-11-01T00:00:00.500Z"),
        ("@1761955200.1239999", "2025-11-01T00:00:00.123Z"),
        ("@0", "1970-01-01T00:00:00.000Z"),
        ("now", "Now"),
        ("NOW", "Now"),
        ("first", "First"),
        ("#7", "Outage(7)"),
        ("#18446744073709551615", "Outage(18446744073709551615)"),
    ];
    assert_resolved(&live("UTC", NOW), &table);
}

#[test]
fn only_where_the_past_is_meant_a_duration_needs_no_sign() {
    let past = |text| match TimeExpression::parse_past(text)?.resolve(&live("UTC", NOW))? {
        ResolvedTime::At(at_ms) => Ok(crate::text::timestamp(at_ms)),
        other => panic!("{other:?}"),
    };
    for text in ["2h", "-2h", "2h ago", "120m", "1h60m"] {
        assert_eq!(past(text), Ok("2026-11-26T10:34:56.789Z".to_owned()), "{text}");
        let signed = parse_time(text, &live("UTC", NOW));
        assert_eq!(signed.is_ok(), text.contains(['-', 'o']), "{text}");
    }
    assert_eq!(past("7d"), Ok("2026-11-19T12:34:56.789Z".to_owned()));
    assert_eq!(past("14:05"), Ok("2026-11-25T14:05:00.000Z".to_owned()));
    assert_eq!(past("5y"), Err(TimeError::CalendarUnit("5y".to_owned())));
    assert_eq!(past("90"), Err(TimeError::Unknown("90".to_owned())));
}
