//! Agents that an operator removes.

use heartline_fleet::{Input, Output};

use heartline_vocabulary::Action;

use crate::say::{beat, goodbye};
use crate::world::World;

fn forget(world: &mut World, agent: &str) {
    let index = world.fleet.find(agent).expect("known");
    world.tell(Input::Forget { agents: vec![index], by: "root@desk".into() });
}

#[test]
fn who_is_forgotten_is_gone() {
    let mut world = World::with(beat("a"));
    forget(&mut world, "a");
    assert_eq!((world.fleet.find("a"), world.fleet.summary().total), (None, 0));
    world.pass_ms(900_000);
    assert_eq!(world.transitions(), [""; 0]);
}

#[test]
fn who_still_lives_comes_back_by_its_next_beat() {
    let mut world = World::with(beat("a").segment(1, 10));
    world.store(1);
    let before = world.view("a").id();
    forget(&mut world, "a");
    world.hear(beat("a"));
    let view = world.view("a");
    assert_eq!((world.standing("a").as_str(), view.session(), view.starts()), ("healthy", 1, 1));
    assert!(view.id() > before);
    assert_eq!(view.totals().ok, 0, "its work of before stays with what was forgotten");
}

#[test]
fn a_recording_brings_nobody_back() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a"));
    forget(&mut world, "a");
    for sequence in [1, 2] {
        world.hear(beat("a").sequence(sequence));
    }
    assert_eq!((world.fleet.find("a"), world.fleet.counters().replayed), (None, 2));
    world.hear(beat("a").session(2));
    world.hear(beat("a").sequence(2));
    assert_eq!(world.view("a").session(), 2);
    assert_eq!(world.standing("a"), "healthy");
}

#[test]
fn work_on_its_way_to_the_disk_is_confirmed_to_who_comes_back() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    forget(&mut world, "a");
    world.store(1);
    world.forget_outputs();
    world.hear(beat("a").segment(1, 10));
    assert_eq!(world.answers()[0].ack.durable_segment, 1);
    assert_eq!(world.view("a").totals().ok, 0);
}

#[test]
fn a_place_that_is_used_again_gets_nothing_that_was_meant_for_another() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    world.command(Action::Kill, "a");
    forget(&mut world, "a");
    world.hear(beat("b"));
    assert_eq!(world.fleet.view(heartline_fleet::AgentIndex(0)).map(|it| it.name()), Some("b"));
    world.hear(beat("b").segment(1, 7));
    world.persist();
    world.store(1);
    world.forget_outputs();
    assert_eq!((world.standing("b").as_str(), world.view("b").segments()), ("healthy", (1, 0)));
    assert_eq!(world.view("b").totals().ok, 7);
    world.pass_ms(3_000);
    let outputs = world.outputs();
    assert!(!outputs.iter().any(|output| matches!(output, Output::Push(_))));
}

#[test]
fn pushes_of_the_forgotten_are_not_those_of_who_comes_after() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    forget(&mut world, "a");
    world.hear(beat("b"));
    world.pass_ms(50);
    world.order(Action::Kill, "b");
    world.forget_outputs();
    world.pass_ms(99);
    assert_eq!(world.pushes(), []);
    world.pass_ms(3_000);
    assert_eq!(world.pushes().len(), 4);
}

#[test]
fn a_generation_does_not_fall_by_forgetting() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.order(Action::Resume, "a");
    forget(&mut world, "a");
    world.hear(beat("a").applied(2).unconfirmed());
    world.order(Action::Kill, "a");
    assert_eq!(world.view("a").desired().map(|desired| desired.generation), Some(3));
}

#[test]
fn a_goodbye_of_the_forgotten_says_that_it_has_stopped() {
    let mut world = World::with(beat("a"));
    forget(&mut world, "a");
    world.hear(goodbye("a"));
    assert_eq!(world.standing("a"), "killed shutdown");
}
