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
