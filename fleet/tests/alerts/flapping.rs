//! What comes and goes is told once, and what holds in the end always.

use crate::world::{TestAgent, World};

/// Lets an agent that beats every second fail every so many seconds, for 30 s.
fn flap(world: &mut World, times: u32, every_s: u64) {
    for _ in 0..times {
        world.lose(&["a"]);
        world.run_s(30);
        world.heal(&["a"]);
        world.run_s(every_s - 30);
    }
}

#[test]
fn outages_every_five_minutes_are_told_three_times_and_then_at_rest() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(1));
    flap(&mut world, 12, 300);
    let kinds: Vec<String> =
        world.notices().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(kinds, ["opened", "resolved", "opened", "resolved", "flapping"]);
    world.run_s(90 * 60);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("resolved agent a"), "{notices:?}");
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn what_settles_in_trouble_is_told_and_goes_on_as_any_incident() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(1));
    flap(&mut world, 6, 300);
    world.notices();
    world.lose(&["a"]);
    world.run_s(3 * 3_600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("settled agent a: unreachable silent, 1 of 1"), "{notices:?}");
    world.heal(&["a"]);
    world.run_s(100);
    assert!(world.notices()[0].contains("resolved"));
}

#[test]
fn rare_outages_are_each_told() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(1));
    flap(&mut world, 8, 1_800);
    assert_eq!(world.notices().len(), 16);
}

#[test]
fn restarts_that_were_planned_do_not_flap() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(1));
    for session in 2..30 {
        world.stop("a");
        world.run_s(60);
        world.start("a", session);
        world.run_s(60);
    }
    assert!(world.notices().is_empty());
}

#[test]
fn several_outages_within_one_incident_make_it_flap() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(1));
    // Too short to be a recovery.
    flap(&mut world, 5, 60);
    let kinds: Vec<String> =
        world.notices().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(kinds, ["opened", "flapping"]);
}
