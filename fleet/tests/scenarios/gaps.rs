//! Time in which the collector observed nothing.

use heartline_fleet::{HistoryDbRow, Input};

use heartline_vocabulary::GapCause;

use crate::say::beat;
use crate::world::{START, World, ms};

fn gaps(world: &mut World) -> Vec<(i64, i64, GapCause)> {
    let gap = |row| match row {
        HistoryDbRow::Gap { from, to, cause } => Some((ms(from, START), ms(to, START), cause)),
        _ => None,
    };
    world.history().into_iter().filter_map(gap).collect()
}

#[test]
fn a_freeze_puts_every_deadline_off() {
    let mut world = World::with(beat("a"));
    world.until_ms(80_000);
    world.freeze_ms(60_000);
    world.tell(Input::Tick);
    world.until_ms(400_000);
    let expected = ["150000 healthy → degraded late", "360000 degraded late → unreachable silent"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn a_freeze_is_history_when_it_is_long() {
    let mut world = World::with(beat("a"));
    world.until_ms(10_000);
    world.freeze_ms(900);
    world.tell(Input::Tick);
    assert_eq!(gaps(&mut world), []);
    world.freeze_ms(5_000);
    world.tell(Input::Tick);
    assert_eq!(gaps(&mut world), [(10_900, 15_900, GapCause::Frozen)]);
}

#[test]
fn what_was_due_before_the_freeze_is_not_excused() {
    let mut world = World::with(beat("a").interval_ms(100));
    world.until_ms(250);
    world.freeze_ms(55);
    // Something looked, but it was no tick.
    world.tell(Input::KernelDrops { count: 0 });
    world.freeze_ms(10_000);
    world.tell(Input::Tick);
    assert_eq!(world.transitions(), ["300 healthy → degraded late"]);
    world.pass_ms(2_000);
    assert_eq!(world.transitions(), ["11000 degraded late → unreachable silent"]);
}

#[test]
fn what_the_kernel_dropped_puts_deadlines_off_once() {
    let mut world = World::with(beat("a"));
    world.until_ms(1_000);
    world.freeze_ms(200);
    world.tell(Input::KernelDrops { count: 3 });
    world.tell(Input::KernelDrops { count: 4 });
    world.tell(Input::Tick);
    world.until_ms(100_000);
    assert_eq!(world.transitions(), ["90200 healthy → degraded late"]);
}

#[test]
fn drops_that_follow_each_other_are_one_gap() {
    let mut world = World::with(beat("a"));
    world.until_ms(1_000);
    for _ in 0..8 {
        world.freeze_ms(200);
        world.tell(Input::KernelDrops { count: 3 });
        world.tell(Input::Tick);
    }
    assert_eq!(gaps(&mut world), []);
    world.pass_ms(3_000);
    assert_eq!(gaps(&mut world), [(1_000, 2_600, GapCause::KernelDrops)]);
}

#[test]
fn an_absence_makes_nobody_one_way() {
    let mut world = World::with(beat("a"));
    world.freeze_ms(20_000);
    world.tell(Input::Tick);
    world.until_ms(400_000);
    assert_eq!(world.status("a"), "unreachable silent");
}

#[test]
fn a_restart_says_since_when_nobody_looked() {
    let mut world = World::new();
    world.tell(Input::Begin {
        last_alive: Some(START.minus_millis(7_000)),
        next_id: heartline_vocabulary::AgentRowId(1),
    });
    assert_eq!(gaps(&mut world), [(-7_000, 0, GapCause::Down)]);
}
