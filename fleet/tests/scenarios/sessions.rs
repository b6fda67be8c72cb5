//! Starts, ends, and two processes under one id.

use heartline_fleet::HistoryDbRow;

use heartline_vocabulary::SessionEnd;

use crate::say::{beat, ended_by_signal, goodbye};
use crate::world::World;

#[test]
fn a_goodbye_stops_and_the_next_start_clears_it() {
    let mut world = World::with(beat("a"));
    world.pass_ms(1_000);
    world.hear(goodbye("a"));
    world.pass_ms(900_000);
    world.hear(beat("a").session(2));
    let expected = ["1000 healthy → killed shutdown", "901000 killed shutdown → healthy"];
    assert_eq!(world.transitions(), expected);
    assert_eq!((world.view("a").starts(), world.view("a").session()), (2, 2));
}

#[test]
fn a_beat_behind_its_own_goodbye_changes_nothing() {
    let mut world = World::with(beat("a"));
    world.hear(goodbye("a").sequence(3));
    world.hear(beat("a").sequence(2));
    world.hear(beat("a").sequence(4));
    assert_eq!(world.status("a"), "killed shutdown");
}

#[test]
fn an_exit_that_was_reported_is_a_crash() {
    let mut world = World::with(beat("a").busy(2, 0));
    world.hear(ended_by_signal("a", 9));
    assert_eq!(world.status("a"), "unreachable crashed");
    assert_eq!(world.causes(), ["terminated by signal 9"]);
    assert_eq!(world.view("a").in_flight(), 0);
    world.pass_ms(900_000);
    world.hear(beat("a").session(2));
    assert_eq!(world.transitions(), ["900000 unreachable crashed → healthy"]);
}

#[test]
fn a_new_start_supersedes() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").session(2).unconfirmed());
    assert_eq!(world.view("a").session(), 1, "what is not proven changes nothing");
    world.hear(beat("a").session(2));
    let rows = world.history();
    assert!(matches!(
        rows[..],
        [
            HistoryDbRow::SessionEnded { session: 1, end: SessionEnd::Superseded, .. },
            HistoryDbRow::Session { session: 2, starts: 2, .. },
        ]
    ));
}

#[test]
fn two_processes_are_a_conflict_until_one_of_them_has_gone() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").session(2));
    for _ in 0..5 {
        world.pass_ms(10_000);
        world.hear(beat("a").session(1));
        world.hear(beat("a").session(2));
    }
    assert_eq!(world.status("a"), "degraded conflict");
    assert_eq!(world.view("a").session(), 2, "it never switches back while both live");
    for _ in 0..10 {
        world.pass_ms(10_000);
        world.hear(beat("a").session(2));
    }
    let expected = ["10000 healthy → degraded conflict", "140000 degraded conflict → healthy"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn a_replacement_that_says_goodbye_is_no_conflict() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").session(2));
    world.hear(goodbye("a").session(1));
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn the_first_process_takes_over_again_when_the_second_was_a_mistake() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").session(2));
    world.pass_ms(10_000);
    world.hear(goodbye("a").session(2));
    for _ in 0..4 {
        assert_eq!(world.status("a"), "killed shutdown");
        world.pass_ms(25_000);
        world.hear(beat("a").session(1));
    }
    assert_eq!((world.view("a").session(), world.view("a").starts()), (1, 3));
    world.pass_ms(80_000);
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn a_recording_never_takes_over() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").sequence(9));
    world.hear(beat("a").session(2));
    world.hear(beat("a").session(1).sequence(10));
    world.pass_ms(400_000);
    for sequence in [1, 9, 10] {
        world.hear(beat("a").session(1).sequence(sequence));
    }
    // Held up for minutes, and overtaken: it does not say that its process still runs.
    world.hear(beat("a").session(1).sequence(5));
    assert_eq!((world.view("a").session(), world.status("a").as_str()), (2, "unreachable silent"));
}

#[test]
fn many_starts_leave_no_recording_worth_anything() {
    let mut world = World::with(beat("a"));
    for session in 2..40 {
        world.pass_ms(500);
        world.hear(beat("a").session(session));
    }
    world.hear(beat("a").session(1).sequence(1));
    assert_eq!(world.view("a").session(), 39);
    assert_eq!(world.fleet.counters().replayed, 1);
}

#[test]
fn more_starts_than_can_be_told_apart_wait() {
    let mut world = World::with(beat("a"));
    for session in 2..=70 {
        world.hear(beat("a").session(session));
    }
    assert_eq!((world.view("a").session(), world.fleet.counters().over_limit), (65, 5));
    world.pass_ms(200_000);
    world.hear(beat("a").session(71));
    assert_eq!(world.view("a").session(), 71);
}

#[test]
fn a_start_with_another_interval_is_challenged_by_its_own() {
    let mut world = World::with(beat("a").interval_ms(30_000));
    world.hear(beat("a").session(2).interval_ms(1_000).unconfirmed());
    let asked = world.acks().pop().expect("whoever proves nothing is challenged");
    assert_eq!((asked.session, asked.interval_ms), (2, 1_000));
    assert_eq!(world.view("a").interval_ms(), 30_000, "what is not proven changes nothing");
}
