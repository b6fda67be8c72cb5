//! Silence: late, unreachable, one-way.

use heartline_fleet::Input;

use crate::test_fleet::{TestFleet, restored_agent, rules};
use crate::test_message::{TestMessage, beat};

#[test]
fn a_first_live_beat_makes_healthy() {
    let mut fleet = TestFleet::new();
    fleet.receive(beat("a").unconfirmed());
    assert_eq!(fleet.status("a"), "unknown");
    fleet.advance_ms(20);
    fleet.receive(beat("a"));
    assert_eq!(fleet.transitions(), ["20 unknown → healthy"]);
}

#[test]
fn late_after_three_intervals_and_unreachable_after_ten() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(89_900);
    assert_eq!(fleet.status("a"), "healthy");
    fleet.advance_to_ms(400_000);
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable silent"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn the_cause_of_silence_names_missed_beats_and_interval() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(400_000);
    let expected = ["3 beats missed (interval 30s)", "10 beats missed (interval 30s)"];
    assert_eq!(fleet.causes(), expected);
}

#[test]
fn a_transition_has_the_time_of_its_deadline_however_late_the_tick() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    fleet.advance_to_ms(250);
    // A tick that is late, but not so late that it is a gap.
    fleet.skip_ms(290);
    fleet.handle(Input::Tick);
    assert_eq!(fleet.transitions(), ["300 healthy → degraded late"]);
    fleet.skip_ms(200);
    fleet.handle(Input::Tick);
    fleet.skip_ms(290);
    fleet.handle(Input::Tick);
    assert_eq!(fleet.transitions(), ["1000 degraded late → unreachable silent"]);
}

#[test]
fn a_tick_after_two_deadlines_makes_two_transitions() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    let close = rules(|rules| {
        rules.fleet.late_factor = 3.0;
        rules.fleet.unreachable_factor = 3.5;
    });
    fleet.handle(Input::Rules(close));
    fleet.advance_to_ms(250);
    fleet.skip_ms(200);
    fleet.handle(Input::Tick);
    let expected = ["300 healthy → degraded late", "350 degraded late → unreachable silent"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_beat_ends_late() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(100_000);
    fleet.receive(beat("a"));
    let expected = ["90000 healthy → degraded late", "100000 degraded late → healthy"];
    assert_eq!(fleet.transitions(), expected);
    fleet.advance_to_ms(189_000);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn deadlines_follow_the_agents_own_interval() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(1_000));
    fleet.advance_to_ms(2_500);
    fleet.receive(beat("a").interval_ms(60_000));
    fleet.advance_to_ms(182_000);
    assert_eq!(fleet.transitions(), [""; 0]);
    fleet.advance_to_ms(183_000);
    assert_eq!(fleet.transitions(), ["182500 healthy → degraded late"]);
}

#[test]
fn unconfirmed_beats_make_one_way_and_their_end_makes_silent() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..12 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").unconfirmed());
    }
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable one-way"];
    assert_eq!(fleet.transitions(), expected);
    fleet.advance_ms(400_000);
    assert_eq!(fleet.transitions(), ["660000 unreachable one-way → unreachable silent"]);
}

#[test]
fn an_agent_that_was_never_live_becomes_one_way() {
    let mut fleet = TestFleet::new();
    for _ in 0..12 {
        fleet.receive(beat("a").unconfirmed());
        fleet.advance_ms(30_000);
    }
    assert_eq!(fleet.status("a"), "unreachable one-way");
}

#[test]
fn an_overtaken_beat_postpones_deadlines_and_changes_no_values() {
    let mut fleet = TestFleet::with_agent(beat("a").port(1));
    fleet.receive(beat("a").sequence(3).busy(1, 0).port(3));
    fleet.advance_ms(50_000);
    fleet.receive(beat("a").sequence(2).busy(7, 0).port(2).segment(1, 4));
    let view = fleet.agent("a");
    assert_eq!((view.in_flight(), view.address().map(|it| it.port())), (1, Some(3)));
    assert_eq!(view.totals().ok, 4, "its work counts");
    fleet.advance_to_ms(139_000);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn new_rules_apply_at_once() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_to_ms(40_000);
    fleet.handle(Input::Rules(rules(|rules| rules.fleet.late_factor = 1.0)));
    assert_eq!(fleet.transitions(), ["40000 healthy → degraded late"]);
}

#[test]
fn a_repeated_beat_changes_nothing() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    let again =
        |fleet: &mut TestFleet, message: TestMessage| fleet.receive(message.sequence(1).port(66));
    for _ in 0..20 {
        fleet.advance_ms(20_000);
        again(&mut fleet, beat("a"));
        again(&mut fleet, beat("a").unconfirmed());
    }
    let expected = ["90000 healthy → degraded late", "300000 degraded late → unreachable silent"];
    assert_eq!(fleet.transitions(), expected);
    assert_eq!(fleet.core.counters().replayed, 40);
    assert_eq!(fleet.agent("a").address().map(|it| it.port()), Some(1));
}

#[test]
fn a_single_replay_does_not_make_one_way() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.advance_ms(1_000);
    for sequence in 1..=20 {
        fleet.receive(beat("a").sequence(sequence).unconfirmed());
    }
    fleet.advance_to_ms(900_000);
    assert_eq!(fleet.transitions(), ["300000 unknown → unreachable silent"]);
}
