//! What is no time, and the words that say so.

use proptest::prelude::*;

use super::*;
use heartline_vocabulary::text::is_hostile;

fn assert_refused(context: &TimeContext, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = parse_time(text, context).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
        let is_one_line = !error.contains(is_hostile);
        assert!(is_one_line, "{text:?}: {error:?}");
    }
}

#[test]
fn what_is_no_time_is_told_with_what_to_write() {
    let table = [
        ("", "expected a time, such as 14:05"),
        (" \t ", "expected a time, such as 14:05"),
        ("soon", "\"soon\" is no time: write it as 14:05, -2h"),
        ("tomorrow", "is no time"),
        ("25:99", "\"25:99\" is no time of day: hours go from 00 to 23, as in 14:05"),
        ("24:00", "the end of a day is 00:00 of the day after it"),
        ("2026-11-20T24:00:00Z", "the end of a day is 00:00 of the day after it"),
        ("24:01", "hours go from 00 to 23"),
        ("14:60", "minutes go from 00 to 59"),
        ("23:59:60", "seconds go from 00 to 59"),
        ("2026-06-30T23:59:60Z", "seconds go from 00 to 59"),
        ("14:5", "\"14:5\" is no time of day: write it as 14:05 or 14:05:30"),
        ("114:05", "write it as 14:05"),
        ("14:05:", "write it as 14:05"),
        ("14:05:30.", "write it as 14:05"),
        ("14:+5", "write it as 14:05"),
        ("1:+5 Z", "write it as 14:05"),
        (":", "write it as 14:05"),
        ("14:05:30:00", "write it as 14:05"),
        ("2:05pm", "\"pm\" is no offset: write the time of day as 14:05, 14:05Z or 14:05+02:00"),
        ("14:05 CEST", "\"cest\" is no offset"),
        ("14:05+24:00", "no offset"),
        ("14:05+2", "no offset"),
        ("14:05+02:00:00:00", "no offset"),
        ("14:05 Z Z", "is no time"),
        ("14:05 yesterday", "\"yesterday\" is no offset"),
        ("2026-13-01", "\"2026-13-01\" is no date: months go from 01 to 12, as in 2026-11-20"),
        ("20-11 14:05", "months go from 01 to 12"),
        ("2026-02-29", "the days of that month go from 01 to 28"),
        ("2026-11-31", "the days of that month go from 01 to 30"),
        ("02-30", "the days of that month go from 01 to 29"),
        ("2026-11-00", "the days of that month go from 01 to 30"),
        ("2026-1-5", "write it as 2026-11-20 or 11-20"),
        ("26-11-20", "write it as 2026-11-20 or 11-20"),
        ("2026-11-20-5", "write it as 2026-11-20 or 11-20"),
        ("2026-11-20Z", "write it as 2026-11-20 or 11-20"),
        ("thu 2026-11-20", "\"thursday 2026-11-20\" is no date: it is a friday"),
        ("fri 11-20", "write its year, or no weekday"),
        ("20.11.2026", "\"20.11.2026\" is no time"),
        ("-", "is no distance: write numbers with ms, s, m, h, d or w, as in 2h or 1d12h"),
        ("ago", "is no distance"),
        ("-90", "\"90\" is no distance"),
        ("--2h", "is no time: write it as"),
        ("--follow", "\"--follow\" is no time: write it as"),
        ("-2h ago", "is no distance"),
        ("-.h", "is no distance"),
        ("-1.h", "is no distance"),
        ("-1.5.5h", "is no distance"),
        ("-2x", "is no distance"),
        ("-h", "is no distance"),
        ("1405", "\"1405\" is no time"),
        ("x:05", "\"x:05\" is no time of day: write it as 14:05"),
        ("2h", "\"2h\" has no sign: write -2h for the time before, or +2h for the time after"),
        (
            "-1month",
            "\"1month\" has no fixed length: write days or weeks, as in 30d or 4w, or a date",
        ),
        ("-1mo", "has no fixed length"),
        ("5 years ago", "\"5 years\" has no fixed length"),
        ("-1d5y", "has no fixed length"),
        ("#", "\"#\" is no outage: write its number, as in #7"),
        ("#x", "is no outage"),
        ("#-1", "is no outage"),
        ("#+1", "is no outage"),
        ("#18446744073709551616", "is no outage"),
        ("@", "\"@\" is no time in seconds since 1970: write it as in @1761955200"),
        ("@-5", "is no time in seconds"),
        ("@1.", "is no time in seconds"),
        ("@1e9", "is no time in seconds"),
        ("now now", "is no time"),
        ("now-2h", "is no time"),
    ];
    assert_refused(&live("UTC", NOW), &table);
}

#[test]
fn numbers_of_any_size_are_refused_or_right() {
    let table = [
        ("@1761955200000", "no time in seconds since 1970: write it as in @1761955200"),
        ("@9223372036854775807", "no time in seconds"),
        ("@99999999999999999999999", "no time in seconds"),
        ("-99999999999999999999s", "outside of the years"),
        ("-9223372036854775807ms", "outside of the years"),
        ("-9223372036854775w9223372036854775w", "outside of the years"),
        ("+99999999999w", "outside of the years"),
        ("-20000000d", "outside of the years"),
        ("99999-11-20", "write it as 2026-11-20"),
        ("99999999999999999999:00", "write it as 14:05"),
        ("9999-12-31 23:59:59-23:00", "outside of the years"),
    ];
    assert_refused(&live("UTC", NOW), &table);
    assert_refused(&live("UTC", NOW), &[(&"9".repeat(200), "at most 100 bytes")]);
}

#[test]
fn other_digits_and_control_characters_are_refused_and_scrubbed() {
    let table = [
        ("１４:０５", "\"１４:０５\" has digits that are not 0 to 9: write it as in 14:05"),
        ("-٢h", "digits that are not 0 to 9"),
        ("2026-11-2०", "digits that are not 0 to 9"),
        ("-½h", "digits that are not 0 to 9"),
        ("\u{1b}[2J14:05", "\"\u{fffd}[2j14:05\" is no time of day"),
        ("14:05\u{202e}", "\"\u{fffd}\" is no offset"),
        ("-\u{7}", "is no distance"),
        ("2026-11-20\u{1b}", "is no date"),
        ("#\u{0}", "is no outage"),
        ("é", "\"é\" is no time"),
        ("\u{2212}2h", "is no time"),
    ];
    assert_refused(&live("UTC", NOW), &table);
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    let future = "is in the future: now it is Thu 2026-11-26 12:34:56Z";
    let table = [
        ("+10m", "Thu 2026-11-26 12:44:56Z is in the future: now it is Thu 2026-11-26 12:34:56Z"),
        ("today 14:05", future),
        ("2026-11-27", future),
        ("2026-11-26T12:34:56.790Z", future),
        ("@1999999999", future),
        ("9999-01-01", future),
    ];
    assert_refused(&live("UTC", NOW), &table);
    let table = [("+1w", future), ("14:05Z", future)];
    assert_refused(&in_view("2026-11-26T08:00:00Z"), &table);

    let first = "is before the first record, which is of Sun 2026-02-01 01:00:00+01:00";
    let context = TimeContext {
        first_record_ms: Some(ms("2026-02-01T00:00:00Z")),
        ..live("Europe/Berlin", NOW)
    };
    let table = [
        ("2026-01-31", "Sat 2026-01-31 00:00:00+01:00 is before the first record"),
        ("2026-02-01 00:59:59", first),
        ("-52w", first),
        ("@0", first),
        ("0000-01-01", first),
    ];
    assert_refused(&context, &table);
    assert_resolved(&context, &[("2026-02-01 01:00", "2026-02-01T00:00:00.000Z")]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_safe_line(
        text in ".{0,60}",
        now_ms: i64,
        viewed_ms: Option<i64>,
        first_record_ms: Option<i64>,
    ) {
        let context = TimeContext { viewed_ms, first_record_ms, ..live("Europe/Berlin", NOW) };
        for context in [TimeContext { now_ms, ..context.clone() }, context] {
            for error in [parse_time(&text, &context).err(), parse_span(&text, &context).err()] {
                let message = error.map(|error| error.to_string()).unwrap_or_default();
                prop_assert!(!message.contains(is_hostile), "{message:?}");
            }
            let _ = describe(now_ms, &context);
        }
    }

    #[test]
    fn texts_that_are_nearly_times_are_read_or_refused(
        text in "(#|@|\\+|-)?([0-9]{1,4}|mon|today|now|first|\\.\\.|[-:./ TZ+]|ago|h|ms|y|w){1,9}",
        now_ms: i64,
        viewed_ms: Option<i64>,
    ) {
        for zone in ["UTC", "America/New_York", "Australia/Lord_Howe", "over a day"] {
            let context = TimeContext { now_ms, viewed_ms, ..live(zone, NOW) };
            if let Ok(ResolvedTime::At(at_ms)) = parse_time(&text, &context) {
                prop_assert!(at_ms <= now_ms);
            }
            if let Ok(span) = parse_span(&text, &context) {
                prop_assert!(span.from_ms < span.to_ms && span.to_ms <= now_ms);
            }
        }
    }
}
