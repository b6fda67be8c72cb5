//! Spans.

use super::*;

fn span(text: &str, context: &TimeContext) -> String {
    match parse_span(text, context) {
        Ok(span) => format!(
            "{} {}",
            crate::text::timestamp(span.from_ms),
            crate::text::timestamp(span.to_ms)
        ),
        Err(error) => error.to_string(),
    }
}

#[test]
fn spans_have_two_ends_or_a_start_and_a_length() {
    let table = [
        ("11:00..12:30", "2026-11-26T11:00:00.000Z 2026-11-26T12:30:00.000Z"),
        ("23:50 .. 00:10", "2026-11-25T23:50:00.000Z 2026-11-26T00:10:00.000Z"),
        ("-2h..-1h", "2026-11-26T10:34:56.789Z 2026-11-26T11:34:56.789Z"),
        ("-2h..now", "2026-11-26T10:34:56.789Z 2026-11-26T12:34:56.789Z"),
        ("first..@1761955200.5", "2025-01-01T00:00:00.000Z 2025-11-01T00:00:00.500Z"),
        ("yesterday..today", "2026-11-25T00:00:00.000Z 2026-11-26T00:00:00.000Z"),
        ("14:05/2h", "2026-11-25T14:05:00.000Z 2026-11-25T16:05:00.000Z"),
        ("2026-11-20T14:05:00Z/1h30m", "2026-11-20T14:05:00.000Z 2026-11-20T15:35:00.000Z"),
        ("-2h / 2 Hours", "2026-11-26T10:34:56.789Z 2026-11-26T12:34:56.789Z"),
    ];
    let first_record_ms = Some(ms("2025-01-01T00:00:00Z"));
    let context = TimeContext { first_record_ms, ..live("UTC", NOW) };
    for (text, expected) in table {
        assert_eq!(span(text, &context), expected, "{text}");
    }
    let context = in_view("2026-11-20T08:00:00Z");
    let expected = "2026-11-20T14:05:00.000Z 2026-11-20T14:20:00.000Z";
    assert_eq!(span("14:05..14:20", &context), expected);
}

#[test]
fn what_is_no_span_is_refused_and_never_turned_round() {
    let table = [
        ("", "expected a time"),
        (
            "14:05",
            "\"14:05\" is no span: write its start and its end or length, as in 14:05..14:20",
        ),
        ("..", "the span has no start"),
        ("..14:05", "the span has no start: write one before the .., or first.."),
        ("/2h", "the span has no start"),
        ("14:05..", "the span has no end: write one behind the .., or ..now"),
        ("14:05...14:20", "\".14:20\" is no time"),
        ("11:00..11:10..11:20", "\"11:10..11:20\" is no time of day"),
        (
            "11:20..11:00",
            "the span ends before it starts: from Thu 2026-11-26 11:20:00Z to Thu 2026-11-26 11:00:00Z",
        ),
        ("12:00..14:00", "from Thu 2026-11-26 12:00:00Z to Wed 2026-11-25 14:00:00Z"),
        ("11:00..11:00", "the span is empty: it starts and ends at Thu 2026-11-26 11:00:00Z"),
        ("now..now", "the span is empty"),
        ("11:00/0s", "the span is empty"),
        (
            "11:00/-2h",
            "the length of a span is a duration without a sign, as in 14:05/2h, not \"-2h\"",
        ),
        ("11:00/", "without a sign"),
        ("11:00/14:05", "without a sign"),
        ("-1h/2h", "Thu 2026-11-26 13:34:56Z is in the future"),
        ("11:00/99999999999999w", "outside of the years"),
        ("-1h/1month", "no fixed length"),
        ("first..now", "the first record is not known here: write a time instead of first"),
        ("#7..now", "an outage is no end of a span: write its time instead of #7"),
        ("25:00..now", "hours go from 00 to 23"),
        ("11:00..today 14:00", "is in the future"),
    ];
    for (text, expected) in table {
        let found = span(text, &live("UTC", NOW));
        assert!(found.contains(expected), "{text:?}: {found}");
    }
}
