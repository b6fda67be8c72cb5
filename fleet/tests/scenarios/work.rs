//! Work, counted exactly once.

use heartline_fleet::{Input, WriteTicket};

use crate::say::{Say, beat, goodbye};
use crate::world::World;

/// The last segment that each answer since the last look confirms.
fn confirmed(world: &mut World) -> Vec<u64> {
    world.acks().iter().map(|answer| answer.ack.durable_segment).collect()
}

#[test]
fn an_answer_to_new_work_waits_for_the_disk() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    assert_eq!(confirmed(&mut world), [0; 0]);
    world.pass_ms(100);
    world.store(1);
    assert_eq!(confirmed(&mut world), [1]);
    assert_eq!(world.view("a").totals().ok, 10);
}

#[test]
fn a_segment_that_comes_again_is_not_counted_again() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    world.hear(beat("a").segment(1, 10));
    assert_eq!(world.work().len(), 1);
    world.store(1);
    assert_eq!(confirmed(&mut world), [1]);
    world.hear(beat("a").segment(1, 10));
    assert_eq!(confirmed(&mut world), [1], "and what is on disk is confirmed at once");
    assert_eq!(world.view("a").totals().ok, 10);
}

#[test]
fn work_that_is_not_proven_fresh_does_not_count() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10).unconfirmed());
    assert_eq!((world.work().len(), world.view("a").totals().ok), (0, 0));
}

#[test]
fn each_of_two_processes_is_counted_for_itself() {
    let mut world = World::with(beat("a"));
    for say in [beat("a").session(2), beat("a").session(1), goodbye("a").session(1)] {
        world.hear(say.segment(world.view("a").starts().into(), 10));
    }
    let counted = world.work().iter().map(|row| (row.session, row.segment)).collect::<Vec<_>>();
    assert_eq!(counted, [(2, 1), (1, 2)]);
    assert_eq!(world.view("a").totals().ok, 20);
}

#[test]
fn an_answer_does_not_wait_for_ever() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    world.pass_ms(399);
    assert_eq!(confirmed(&mut world), [0; 0]);
    world.pass_ms(1);
    assert_eq!(confirmed(&mut world), [0], "it goes without the confirmation");
    world.store(1);
    assert_eq!(confirmed(&mut world), [0; 0], "and only once");
}

#[test]
fn who_beats_faster_than_the_disk_writes_is_answered_all_the_same() {
    let mut world = World::with(beat("a"));
    for _ in 0..20 {
        world.hear(beat("a").segment(1, 10));
        world.pass_ms(100);
    }
    assert_eq!(confirmed(&mut world), [0; 19]);
}

#[test]
fn what_the_disk_had_from_before_is_taken_back() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    world.hear(beat("a").segment(2, 5));
    world.tell(Input::Stored { ticket: WriteTicket(2), known: vec![WriteTicket(1)] });
    assert_eq!(world.view("a").totals().ok, 5);
}

#[test]
fn a_store_that_lags_sheds_and_loses_nothing() {
    let mut world = World::with(beat("a"));
    for number in 1..=65_536 {
        world.hear(beat("a").segment(number, 1));
    }
    world.forget_outputs();
    let more: fn() -> Say = || beat("a").segment(65_537, 1);
    world.hear(more());
    assert_eq!(world.fleet.work_shed(), 1);
    assert_eq!((world.work().len(), world.view("a").totals().ok), (0, 65_536));
    world.store(65_536);
    world.hear(more());
    assert_eq!((world.work().len(), world.view("a").totals().ok), (1, 65_537));
}

#[test]
fn a_row_says_how_many_beats_came_and_how_many_did_not() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a"));
    world.hear(beat("a").sequence(5));
    world.hear(beat("a").sequence(7).segment(1, 1));
    world.hear(beat("a").sequence(6));
    world.hear(beat("a").sequence(9).segment(2, 1));
    let rows = world.work();
    let told = rows.iter().map(|row| (row.beats, row.lost)).collect::<Vec<_>>();
    assert_eq!(told, [(3, 3), (2, 0)], "one that had been counted as lost stands for the next");
}
