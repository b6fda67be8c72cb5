//! Flapping: too many changes become one state.

use heartline_vocabulary::Action;

use crate::test_fleet::TestFleet;
use crate::test_message::{beat, exit_by_signal, goodbye};

/// Lets the agent `a` change between stalled and healthy, once a second.
fn flap(fleet: &mut TestFleet, seconds: u64) {
    for n in 0..seconds {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").busy(1, if n % 2 == 0 { 900_000 } else { 0 }));
    }
}

/// Lets the agent `a` be healthy.
fn be_calm(fleet: &mut TestFleet, seconds: u64) {
    for _ in 0..seconds {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").busy(1, 0));
    }
}

#[test]
fn many_changes_become_one_state_until_it_is_calm() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flap(&mut fleet, 600);
    assert_eq!(fleet.status("a"), "degraded flapping");
    let shown = fleet.transitions();
    assert_eq!(shown.len(), 13, "{shown:?}");
    assert_eq!(shown[12], "13000 healthy → degraded flapping");
    be_calm(&mut fleet, 100);
    assert_eq!(fleet.status("a"), "healthy");
    let causes = fleet.causes();
    assert_eq!(causes, ["calm for a minute, after 588 changes that are not listed"]);
}

#[test]
fn it_says_what_it_held_back_when_it_stays_degraded() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flap(&mut fleet, 99);
    fleet.discard_outputs();
    fleet.reset_origin();
    for _ in 0..90 {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").busy(1, 900_000));
    }
    assert_eq!(fleet.transitions(), ["60000 degraded flapping → degraded stalled"]);
}

#[test]
fn a_few_changes_in_an_hour_are_all_shown() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..60 {
        flap(&mut fleet, 1);
        be_calm(&mut fleet, 60);
    }
    assert_eq!(fleet.transitions().len(), 120);
}

#[test]
fn a_flapping_agent_that_dies_is_noticed_on_time() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(1_000));
    for n in 0..60 {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").interval_ms(1_000).busy(1, if n % 2 == 0 { 900_000 } else { 0 }));
    }
    fleet.discard_outputs();
    fleet.reset_origin();
    fleet.advance_ms(30_000);
    assert_eq!(fleet.transitions(), ["10000 degraded flapping → unreachable silent"]);
    // It is held again when it comes back.
    fleet.receive(beat("a").interval_ms(1_000));
    assert_eq!(fleet.status("a"), "degraded flapping");
}

#[test]
fn a_kill_a_goodbye_and_a_crash_of_a_flapping_agent_are_shown_at_once() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    flap(&mut fleet, 60);
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(fleet.status("a"), "killed operator");
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(fleet.status("a"), "healthy", "an operator's command is no flapping");
    let mut fleet = TestFleet::with_agent(beat("a"));
    flap(&mut fleet, 60);
    fleet.receive(goodbye("a"));
    assert_eq!(fleet.status("a"), "killed shutdown");
    fleet.receive(beat("a").session(2));
    assert_eq!(fleet.status("a"), "degraded flapping");
    fleet.receive(exit_by_signal("a", 9).session(2));
    assert_eq!(fleet.status("a"), "unreachable crashed");
}

#[test]
fn what_is_limited_of_one_agent_leaves_the_others_alone() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("b"));
    flap(&mut fleet, 60);
    fleet.discard_outputs();
    fleet.receive(beat("b").busy(1, 900_000));
    assert_eq!(fleet.status("b"), "degraded stalled");
}
