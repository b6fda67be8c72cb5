//! Late, unreachable, one-way: what silence means, and from when.

use heartline_fleet::Input;

use crate::say::{Say, beat};
use crate::world::{World, known, rules};

#[test]
fn a_first_live_beat_makes_healthy() {
    let mut world = World::new();
    world.hear(beat("a").unconfirmed());
    assert_eq!(world.status("a"), "unknown");
    world.pass_ms(20);
    world.hear(beat("a"));
    assert_eq!(world.transitions(), ["20 unknown → healthy"]);
}

#[test]
fn late_after_three_intervals_and_unreachable_after_ten() {
    let mut world = World::with(beat("a"));
    world.until_ms(89_900);
    assert_eq!(world.status("a"), "healthy");
    world.until_ms(400_000);
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable silent"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn silence_has_a_reason_in_words() {
    let mut world = World::with(beat("a"));
    world.until_ms(400_000);
    let expected = ["3 beats missed (interval 30s)", "10 beats missed (interval 30s)"];
    assert_eq!(world.causes(), expected);
}

#[test]
fn a_transition_is_stamped_with_its_deadline_however_late_the_look() {
    let mut world = World::with(beat("a").interval_ms(100));
    world.until_ms(250);
    // A tick that is late, but not so late that nobody was there.
    world.freeze_ms(290);
    world.tell(Input::Tick);
    assert_eq!(world.transitions(), ["300 healthy → degraded late"]);
    world.freeze_ms(200);
    world.tell(Input::Tick);
    world.freeze_ms(290);
    world.tell(Input::Tick);
    assert_eq!(world.transitions(), ["1000 degraded late → unreachable silent"]);
}

#[test]
fn a_look_that_comes_for_both_makes_both() {
    let mut world = World::with(beat("a").interval_ms(100));
    let close = rules(|rules| {
        rules.fleet.late_factor = 3.0;
        rules.fleet.unreachable_factor = 3.5;
    });
    world.tell(Input::Rules(close));
    world.until_ms(250);
    world.freeze_ms(200);
    world.tell(Input::Tick);
    let expected = ["300 healthy → degraded late", "350 degraded late → unreachable silent"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn a_beat_ends_it() {
    let mut world = World::with(beat("a"));
    world.until_ms(100_000);
    world.hear(beat("a"));
    let expected = ["90000 healthy → degraded late", "100000 degraded late → healthy"];
    assert_eq!(world.transitions(), expected);
    world.until_ms(189_000);
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn the_interval_is_the_agent_s_own() {
    let mut world = World::with(beat("a").interval_ms(1_000));
    world.until_ms(2_500);
    world.hear(beat("a").interval_ms(60_000));
    world.until_ms(182_000);
    assert_eq!(world.transitions(), [""; 0]);
    world.until_ms(183_000);
    assert_eq!(world.transitions(), ["182500 healthy → degraded late"]);
}

#[test]
fn unproven_beats_make_one_way_and_their_end_makes_silent() {
    let mut world = World::with(beat("a"));
    for _ in 0..12 {
        world.pass_ms(30_000);
        world.hear(beat("a").unconfirmed());
    }
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable one-way"];
    assert_eq!(world.transitions(), expected);
    world.pass_ms(400_000);
    assert_eq!(world.transitions(), ["660000 unreachable one-way → unreachable silent"]);
}

#[test]
fn what_nobody_answers_is_one_way_from_the_start() {
    let mut world = World::new();
    for _ in 0..12 {
        world.hear(beat("a").unconfirmed());
        world.pass_ms(30_000);
    }
    assert_eq!(world.transitions(), ["300000 unknown → unreachable one-way"]);
}

#[test]
fn a_beat_that_was_overtaken_keeps_alive_and_says_nothing() {
    let mut world = World::with(beat("a").port(1));
    world.hear(beat("a").sequence(3).busy(1, 0).port(3));
    world.pass_ms(50_000);
    world.hear(beat("a").sequence(2).busy(7, 0).port(2));
    let view = world.view("a");
    assert_eq!((view.in_flight(), view.address().map(|it| it.port())), (1, Some(3)));
    world.until_ms(139_000);
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn new_rules_judge_anew() {
    let mut world = World::with(beat("a"));
    world.until_ms(40_000);
    world.tell(Input::Rules(rules(|rules| rules.fleet.late_factor = 1.0)));
    assert_eq!(world.transitions(), ["40000 healthy → degraded late"]);
}

#[test]
fn a_repeated_beat_is_nothing() {
    let mut world = World::with(beat("a"));
    let again = |world: &mut World, say: Say| world.hear(say.sequence(1).port(66));
    for _ in 0..20 {
        world.pass_ms(20_000);
        again(&mut world, beat("a"));
        again(&mut world, beat("a").unconfirmed());
    }
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable silent"];
    assert_eq!(world.transitions(), expected);
    assert_eq!(world.fleet.counters().replayed, 40);
    assert_eq!(world.view("a").address().map(|it| it.port()), Some(1));
}

#[test]
fn a_recording_that_is_played_once_is_not_one_way() {
    let mut world = World::restored(vec![known("a")]);
    world.pass_ms(1_000);
    for sequence in 1..=20 {
        world.hear(beat("a").sequence(sequence).unconfirmed());
    }
    world.until_ms(900_000);
    assert_eq!(world.transitions(), ["300000 unknown → unreachable silent"]);
}
