//! Gaps: time that the collector did not observe.

use heartline_fleet::{HistoryDbRow, Input, TICK_INTERVAL_MAX};

use heartline_vocabulary::GapCause;

use crate::test_fleet::{START, TestFleet, ms};
use crate::test_message::beat;

fn gaps(fleet: &mut TestFleet) -> Vec<(i64, i64, GapCause)> {
    let gap = |row| match row {
        HistoryDbRow::Gap { from, to, cause } => Some((ms(from, START), ms(to, START), cause)),
        _ => None,
    };
    fleet.history().into_iter().filter_map(gap).collect()
}

#[test]
fn a_freeze_postpones_every_deadline() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(80_000);
    fleet.skip_ms(60_000);
    fleet.handle(Input::Tick);
    fleet.advance_to_ms(400_000);
    let expected = ["150000 healthy → degraded late", "360000 degraded late → unreachable silent"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_long_freeze_is_recorded_as_a_gap() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(10_000);
    fleet.skip_ms(900);
    fleet.handle(Input::Tick);
    assert_eq!(gaps(&mut fleet), []);
    fleet.skip_ms(5_000);
    fleet.handle(Input::Tick);
    assert_eq!(gaps(&mut fleet), [(10_900, 15_900, GapCause::Frozen)]);
}

#[test]
fn a_deadline_before_the_freeze_is_not_postponed() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    fleet.advance_to_ms(250);
    fleet.skip_ms(55);
    // An input that is no tick.
    fleet.handle(Input::KernelDrops { count: 0 });
    fleet.skip_ms(10_000);
    fleet.handle(Input::Tick);
    assert_eq!(fleet.transitions(), ["300 healthy → degraded late"]);
    fleet.advance_ms(2_000);
    assert_eq!(fleet.transitions(), ["11000 degraded late → unreachable silent"]);
}

#[test]
fn drops_by_the_kernel_postpone_deadlines_once() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(1_000);
    fleet.skip_ms(200);
    fleet.handle(Input::KernelDrops { count: 3 });
    fleet.handle(Input::KernelDrops { count: 4 });
    fleet.handle(Input::Tick);
    fleet.advance_to_ms(100_000);
    assert_eq!(fleet.transitions(), ["90200 healthy → degraded late"]);
}

#[test]
fn consecutive_drops_are_one_gap() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(1_000);
    for _ in 0..8 {
        fleet.skip_ms(200);
        fleet.handle(Input::KernelDrops { count: 3 });
        fleet.handle(Input::Tick);
    }
    assert_eq!(gaps(&mut fleet), []);
    fleet.advance_ms(3_000);
    assert_eq!(gaps(&mut fleet), [(1_000, 2_600, GapCause::KernelDrops)]);
}

#[test]
fn a_gap_does_not_make_an_agent_one_way() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.skip_ms(20_000);
    fleet.handle(Input::Tick);
    fleet.advance_to_ms(400_000);
    assert_eq!(fleet.status("a"), "unreachable silent");
}

#[test]
fn a_restart_records_the_time_since_the_last_commit_as_a_gap() {
    let mut fleet = TestFleet::new();
    fleet.handle(Input::Begin {
        last_alive: Some(START.minus_millis(7_000)),
        next_id: heartline_vocabulary::AgentRowId(1),
    });
    assert_eq!(gaps(&mut fleet), [(-7_000, 0, GapCause::Down)]);
}

#[test]
fn messages_that_never_cease_do_not_put_off_the_tick() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(1_000);
    let ticked_at = fleet.now;
    for _ in 0..20 {
        fleet.skip_ms(10);
        fleet.receive(beat("a"));
        assert!(fleet.core.poll_timeout() <= ticked_at + TICK_INTERVAL_MAX);
    }
}
