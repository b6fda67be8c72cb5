//! A worker that is stuck although its process beats.

use heartline_vocabulary::Action;

use crate::say::beat;
use crate::world::World;

#[test]
fn only_a_beat_can_say_that_work_is_stuck() {
    let mut world = World::with(beat("a").busy(1, 295_000));
    world.pass_ms(25_000);
    assert_eq!(world.status("a"), "healthy");
    world.hear(beat("a").busy(1, 320_000));
    // Since the moment at which the limit passed, between the two beats.
    assert_eq!(world.transitions(), ["5000 healthy → degraded stalled"]);
    world.pass_ms(10_000);
    world.hear(beat("a").busy(1, 100));
    assert_eq!(world.transitions(), ["35000 degraded stalled → healthy"]);
}

#[test]
fn a_stall_is_told_with_its_age() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").busy(1, 303_000));
    assert_eq!(world.causes(), ["beats arrive, no progress for 5m03s"]);
}

#[test]
fn a_backlog_is_work_too() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").backlog(3, 400_000));
    assert_eq!(world.status("a"), "degraded stalled");
    world.hear(beat("a").backlog(0, 400_000));
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn who_waits_or_has_nothing_to_do_is_not_stuck() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").busy(1, 900_000).waiting());
    assert_eq!(world.status("a"), "healthy");
    world.hear(beat("a").busy(0, 900_000));
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn lateness_goes_before_a_stall() {
    let mut world = World::with(beat("a").busy(1, 301_000));
    assert_eq!(world.status("a"), "degraded stalled");
    world.pass_ms(91_000);
    world.hear(beat("a").busy(1, 392_000));
    let expected =
        ["90000 degraded stalled → degraded late", "91000 degraded late → degraded stalled"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn who_was_killed_has_its_whole_limit_again_after_the_resume() {
    let mut world = World::with(beat("a").backlog(3, 0));
    world.order(Action::Kill, "a");
    for _ in 0..20 {
        world.pass_ms(30_000);
        world.hear(beat("a").backlog(3, 600_000).applied(1));
    }
    world.order(Action::Resume, "a");
    world.forget_outputs();
    assert_eq!(world.status("a"), "healthy");
    world.mark();
    for _ in 0..11 {
        world.pass_ms(30_000);
        world.hear(beat("a").backlog(3, 990_000).applied(2));
    }
    assert_eq!(world.transitions(), ["300000 healthy → degraded stalled"]);
}
