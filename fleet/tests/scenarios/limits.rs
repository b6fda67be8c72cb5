//! Everything has a limit and a counter.

use heartline_fleet::{FleetConfig, HEARTBEAT, Input};

use crate::say::beat;
use crate::world::{START, World};

#[test]
fn no_agent_gets_more_than_64_answers_in_a_second() {
    let mut world = World::with(beat("a"));
    world.pass_ms(1_000);
    for _ in 0..100 {
        world.hear(beat("a"));
    }
    assert_eq!((world.acks().len(), world.fleet.counters().answers_withheld), (64, 36));
    world.pass_ms(1_000);
    world.hear(beat("a"));
    assert_eq!(world.acks().len(), 1);
}

#[test]
fn strangers_use_up_no_more_than_half_of_them() {
    let mut world = World::with(beat("a"));
    world.pass_ms(1_000);
    for sequence in 1..=100 {
        // Nothing remembers this session, so nothing knows that it is a recording.
        world.hear(beat("a").session(99).sequence(sequence).unconfirmed());
    }
    assert_eq!(world.acks().len(), 32);
    world.hear(beat("a"));
    assert_eq!(world.acks().len(), 1);
}

#[test]
fn a_recording_that_is_sent_for_ever_keeps_no_answer_from_a_new_start() {
    let mut world = World::with(beat("a"));
    world.pass_ms(1_000);
    for _ in 0..1_000 {
        world.hear(beat("a").session(99).sequence(1).unconfirmed());
    }
    assert_eq!((world.acks().len(), world.fleet.counters().replayed), (1, 999));
    world.hear(beat("a").session(100).sequence(1).unconfirmed());
    assert_eq!(world.acks().len(), 1);
}

#[test]
fn a_full_fleet_takes_nobody_in() {
    let mut world = World::new();
    let config = FleetConfig { agents_max: 2, ..FleetConfig::default() };
    world.fleet = heartline_fleet::Fleet::new(config, START);
    for agent in ["a", "b", "c", "a"] {
        world.hear(beat(agent));
    }
    assert_eq!((world.fleet.find("c"), world.fleet.state_counts().total), (None, 2));
    assert_eq!(world.fleet.counters().over_limit, 1);
}

#[test]
fn it_never_sleeps_longer_than_a_heartbeat() {
    let mut world = World::with(beat("a"));
    for _ in 0..100 {
        assert!(world.fleet.poll_timeout() <= world.now + HEARTBEAT);
        world.pass_ms(333);
    }
}

#[test]
fn each_change_is_told_once() {
    let mut world = World::new();
    world.hear(beat("a").unconfirmed());
    world.hear(beat("a"));
    world.hear(beat("b"));
    let mut changed = Vec::new();
    world.fleet.drain_changed(&mut changed);
    assert_eq!(changed.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 1]);
    changed.clear();
    world.fleet.drain_changed(&mut changed);
    assert_eq!(changed, []);
    world.tell(Input::Tick);
    world.hear(beat("b"));
    world.fleet.drain_changed(&mut changed);
    assert_eq!(changed.len(), 1);
}
