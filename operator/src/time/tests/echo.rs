//! What is shown of a time while it is typed.

use proptest::prelude::*;

use super::*;

#[test]
fn an_instant_is_shown_with_its_zone_and_distance() {
    let now = "2026-11-25T22:05:00Z";
    let table = [
        ("UTC", "2026-11-20T14:05:00Z", "Fri 2026-11-20 14:05:00Z, 5 d 8 h ago"),
        ("Europe/Berlin", "2026-11-20T14:05:00Z", "Fri 2026-11-20 15:05:00+01:00, 5 d 8 h ago"),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:00:00Z",
            "Sun 2026-04-05 01:30:00+10:30, 235 d 7 h ago",
        ),
        ("UTC", "2026-11-25T22:04:59.500Z", "Wed 2026-11-25 22:04:59Z, now"),
        ("UTC", "2026-11-25T22:04:48Z", "Wed 2026-11-25 22:04:48Z, 12 s ago"),
        ("UTC", "2026-11-25T22:00:55Z", "Wed 2026-11-25 22:00:55Z, 4 m 5 s ago"),
        ("UTC", "2026-11-25T20:05:00Z", "Wed 2026-11-25 20:05:00Z, 2 h ago"),
        ("UTC", "2026-11-25T22:15:00Z", "Wed 2026-11-25 22:15:00Z, in 10 m"),
        ("UTC", "1969-12-31T23:59:59.900Z", "Wed 1969-12-31 23:59:59Z, 20782 d 22 h ago"),
    ];
    for (zone, at, expected) in table {
        assert_eq!(describe(ms(at), &live(zone, now)), expected);
    }
}

#[test]
fn any_instant_can_be_shown() {
    let context = live("America/New_York", NOW);
    for at_ms in [i64::MIN, i64::MAX] {
        let [near, far] = [context.now_ms, -1]
            .map(|now_ms| describe(at_ms, &TimeContext { now_ms, ..context.clone() }));
        assert!(near.contains(" d ") && far.contains(" d "), "{near} {far}");
    }
}

proptest! {
    /// From the year 0 to the end of the year 9998.
    #[test]
    fn what_is_shown_is_read_as_the_same_second(
        at_ms in -62_167_132_800_000_i64..253_370_678_400_000,
        name in prop::sample::select(
            vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "over a day"]
        ),
    ) {
        let context = TimeContext { zone: zone(name), ..TimeContext::utc(i64::MAX) };
        let shown = describe(at_ms, &context);
        let (moment, _distance) = shown.split_once(", ").unwrap();
        let second = at_ms.div_euclid(1_000) * 1_000;
        prop_assert_eq!(parse_time(moment, &context), Ok(ResolvedTime::At(second)), "{}", shown);
    }
}
