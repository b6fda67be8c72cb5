//! Days on which clocks are set.

use super::*;

#[test]
fn a_time_that_comes_twice_has_both_candidates() {
    let table = [
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("Europe/Berlin", "2026-10-25 02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-11-01 01:59:59", "2026-11-01T05:59:59Z", "2026-11-01T06:59:59Z"),
        ("Australia/Lord_Howe", "2026-04-05 01:30", "2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z"),
    ];
    for (zone, text, earlier, later) in table {
        let context = live(zone, NOW);
        let Err(TimeError::Ambiguous { earlier: first, later: second }) =
            parse_time(text, &context)
        else {
            panic!("{text} is read in {zone}");
        };
        assert_eq!((first.at_ms(), second.at_ms()), (ms(earlier), ms(later)), "{text} in {zone}");
        for moment in [first, second] {
            let at = ResolvedTime::At(moment.at_ms());
            assert_eq!(parse_time(&moment.to_string(), &context), Ok(at), "as {moment}");
        }
    }
    let error = resolved("2026-10-25 02:30", &live("Europe/Berlin", NOW));
    let expected = "that time came twice: Sun 2026-10-25 02:30:00+02:00 and \
                    Sun 2026-10-25 02:30:00+01:00; write it with one of these offsets";
    assert_eq!(error, expected);
}

#[test]
fn a_time_that_is_skipped_has_both_neighbours() {
    let table = [
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"),
        (
            "Europe/Berlin",
            "2026-03-29 02:59:59.999",
            "2026-03-29T00:59:59Z",
            "2026-03-29T01:00:00Z",
        ),
        ("America/New_York", "2026-03-08 02:15", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"),
        ("Australia/Lord_Howe", "2025-10-05 02:10", "2025-10-04T15:29:59Z", "2025-10-04T15:30:00Z"),
        ("over a day", "2026-10-04", "2026-10-04T11:59:59Z", "2026-10-04T12:00:00Z"),
    ];
    for (zone, text, last_before, first_after) in table {
        let Err(TimeError::Skipped { before, after }) = parse_time(text, &live(zone, NOW)) else {
            panic!("{text} is read in {zone}");
        };
        let neighbours = (ms(last_before), ms(first_after));
        assert_eq!((before.at_ms(), after.at_ms()), neighbours, "{text} in {zone}");
    }
    let error = resolved("2026-03-29 02:30", &live("Europe/Berlin", NOW));
    let expected = "that time did not exist: clocks went from Sun 2026-03-29 01:59:59+01:00 to \
                    Sun 2026-03-29 03:00:00+02:00; write one of these";
    assert_eq!(error, expected);
}

#[test]
fn around_a_change_of_clocks_times_are_those_of_the_zone() {
    let table = [
        ("2026-03-29 01:59:59", "2026-03-29T00:59:59.000Z"),
        ("2026-03-29 03:00", "2026-03-29T01:00:00.000Z"),
        ("2026-10-25 01:59:59", "2026-10-24T23:59:59.000Z"),
        ("2026-10-25 03:00", "2026-10-25T02:00:00.000Z"),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30:00.000Z"),
        ("2026-10-25T02:30:00Z", "2026-10-25T02:30:00.000Z"),
    ];
    assert_resolved(&live("Europe/Berlin", NOW), &table);
    let table = [
        ("2025-10-05 01:59:59", "2025-10-04T15:29:59.000Z"),
        ("2025-10-05 02:30", "2025-10-04T15:30:00.000Z"),
        ("2026-04-05 01:29:59", "2026-04-04T14:29:59.000Z"),
        ("2026-04-05 02:00", "2026-04-04T15:30:00.000Z"),
    ];
    assert_resolved(&live("Australia/Lord_Howe", NOW), &table);
}

#[test]
fn of_a_time_that_comes_twice_only_what_is_in_range_counts() {
    // Before the first 02:30 of the day, between both, after both.
    let table = [
        ("2026-10-25T00:10:00Z", "2026-10-24T00:30:00.000Z"),
        ("2026-10-25T00:40:00Z", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25T01:40:00Z", "that time came twice"),
    ];
    for (now, expected) in table {
        let context = live("Europe/Berlin", now);
        let found = resolved("02:30", &context);
        assert!(found.starts_with(expected), "at {now}: {found}");
    }
    let first_record_ms = Some(ms("2026-10-25T01:00:00Z"));
    let context = TimeContext { first_record_ms, ..live("Europe/Berlin", NOW) };
    assert_resolved(&context, &[("2026-10-25 02:30", "2026-10-25T01:30:00.000Z")]);
}

#[test]
fn a_skipped_time_of_today_is_yesterdays_until_clocks_are_set() {
    let before = live("Europe/Berlin", "2026-03-29T00:30:00Z");
    assert_resolved(&before, &[("02:30", "2026-03-28T01:30:00.000Z")]);
    let after = live("Europe/Berlin", "2026-03-29T01:30:00Z");
    assert!(resolved("02:30", &after).starts_with("that time did not exist"));
}

#[test]
fn days_start_with_their_first_instant_and_distances_ignore_clocks() {
    let table =
        [("2026-10-18", "2026-10-18T03:00:00.000Z"), ("2026-02-15", "2026-02-15T03:00:00.000Z")];
    assert_resolved(&live("at midnight", NOW), &table);
    let table =
        [("2026-10-25", "2026-10-24T22:00:00.000Z"), ("2026-10-26", "2026-10-25T23:00:00.000Z")];
    assert_resolved(&live("Europe/Berlin", NOW), &table);
    let context = live("Europe/Berlin", "2026-10-25T12:00:00Z");
    let table =
        [("-1d", "2026-10-24T12:00:00.000Z"), ("yesterday 13:00", "2026-10-24T11:00:00.000Z")];
    assert_resolved(&context, &table);
}
