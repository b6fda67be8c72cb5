//! Silences: nothing is told, and nothing is lost.

use crate::world::{TestAgent, World};

#[test]
fn what_is_silenced_is_told_when_the_silence_ends_and_it_is_still_down() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10));
    world.silence("a", 3_600);
    world.lose(&["a"]);
    world.run_s(3_500);
    assert!(world.notices().is_empty());
    assert_eq!(world.fleet.incidents().count(), 1, "it is known all the same");
    assert!(world.fleet.incidents().all(|it| it.is_silenced));
    world.run_s(200);
    assert_eq!(world.notices(), ["3611 opened agent a: unreachable silent, 1 of 1 → chat"]);
}

#[test]
fn what_is_over_before_the_silence_ends_is_never_told() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(10));
    world.silence("a", 3_600);
    world.lose(&["a"]);
    world.run_s(1_000);
    world.heal(&["a"]);
    world.run_s(7_200);
    assert!(world.notices().is_empty());
}

#[test]
fn others_are_told_as_ever() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10));
    world.silence("a", 3_600);
    world.lose(&["b"]);
    world.run_s(200);
    assert_eq!(world.notices().len(), 1);
}

#[test]
fn who_was_told_before_the_silence_is_told_the_end() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    world.silence("*", 36_000);
    world.run_s(600);
    world.heal(&["a"]);
    world.run_s(100);
    let kinds: Vec<String> =
        world.notices().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(kinds, ["opened", "resolved"]);
}

#[test]
fn what_waits_for_its_delivery_is_held_back_while_all_in_trouble_are_silenced() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10).host("m1"));
    world.lose(&["a", "b"]);
    world.run_s(200);
    let is_silenced = |world: &World| world.fleet.incidents().next().map(|it| it.is_silenced);
    assert_eq!(is_silenced(&world), Some(false));
    world.silence("a", 3_600);
    world.run_s(1);
    assert_eq!(is_silenced(&world), Some(false), "the other one is not");
    world.silence("*", 600);
    world.run_s(1);
    assert_eq!(is_silenced(&world), Some(true));
    world.run_s(600);
    assert_eq!(is_silenced(&world), Some(false));
}
