//! Ids that come, and agents that are gone.

use heartline_fleet::{ControlDbRow, FleetConfig, Output, RegistrationLimits};
use heartline_vocabulary::Action;

use crate::test_fleet::TestFleet;
use crate::test_message::{beat, goodbye};

const HOUR_MS: u64 = 3_600_000;

fn limited(new_agents_per_minute: u32) -> TestFleet {
    let limits = RegistrationLimits { new_agents_per_minute, ..RegistrationLimits::default() };
    TestFleet::with_config(FleetConfig { limits, ..FleetConfig::default() })
}

/// Takes the rows that outlive a restart.
fn rows(fleet: &mut TestFleet) -> usize {
    let is_row = |output: &Output| {
        matches!(output, Output::WriteControl(_) | Output::WriteHistory(_) | Output::Transition(_))
    };
    fleet.outputs().iter().filter(|output| is_row(output)).count()
}

#[test]
fn an_id_that_was_never_live_writes_nothing_and_is_removed_after_a_while() {
    let mut fleet = TestFleet::new();
    for _ in 0..40 {
        fleet.receive(beat("a").unconfirmed());
        fleet.advance_ms(30_000);
    }
    assert_eq!(fleet.status("a"), "unreachable one-way", "it is shown while it is heard");
    fleet.advance_ms(HOUR_MS);
    assert_eq!(fleet.core.find("a"), None);
    assert_eq!(fleet.core.state_counts().total, 0);
    assert_eq!(rows(&mut fleet), 0);
}

#[test]
fn an_id_is_stored_with_its_first_live_beat_and_the_state_that_it_was_in() {
    let mut fleet = TestFleet::new();
    for _ in 0..20 {
        fleet.receive(beat("a").unconfirmed());
        fleet.advance_ms(30_000);
    }
    fleet.receive(beat("a"));
    let outputs = fleet.outputs_so_far();
    let registered =
        |it: &&Output| matches!(it, Output::WriteControl(ControlDbRow::Registered { .. }));
    assert_eq!(outputs.iter().filter(registered).count(), 1);
    let causes = fleet.causes();
    assert_eq!(causes.len(), 2, "unknown to one-way, one-way to healthy: {causes:?}");
    fleet.advance_ms(HOUR_MS);
    assert_eq!(fleet.status("a"), "unreachable silent", "it was live, and stays");
}

#[test]
fn a_command_to_an_id_that_was_never_live_stores_it() {
    let mut fleet = TestFleet::new();
    fleet.receive(beat("a").unconfirmed());
    fleet.command_durably(Action::Kill, "a");
    fleet.advance_ms(HOUR_MS);
    assert_eq!(fleet.status("a"), "killed operator");
}

#[test]
fn new_agents_of_a_scope_are_limited_and_the_scope_is_named() {
    let mut fleet = limited(2);
    for (agent, scope) in [("m.1", "m."), ("m.2", "m."), ("m.3", "m."), ("x", "")] {
        fleet.receive(crate::test_message::TestMessage { scope, ..beat(agent) });
    }
    assert_eq!(fleet.core.state_counts().total, 3, "the other scope has its own limit");
    assert_eq!(fleet.core.counters().over_limit, 1);
    let refused: Vec<_> = fleet.core.refused_registrations(fleet.now).collect();
    assert_eq!(refused, [("m.", 1)]);
    fleet.advance_ms(60_000);
    assert_eq!(fleet.core.refused_registrations(fleet.now).count(), 0);
    fleet.receive(crate::test_message::TestMessage { scope: "m.", ..beat("m.3") });
    assert!(fleet.core.find("m.3").is_some(), "it was only late");
}

#[test]
fn agents_that_are_gone_are_forgotten_after_their_retention() {
    let mut fleet = TestFleet::new();
    for agent in ["stopped", "silent", "killed", "well"] {
        fleet.receive(beat(agent));
    }
    fleet.receive(goodbye("stopped"));
    fleet.command_durably(Action::Kill, "killed");
    for _ in 0..91 * 24 {
        fleet.receive(beat("well").interval_ms(3_600_000));
        fleet.advance_ms(HOUR_MS);
        fleet.discard_outputs();
    }
    let known = ["stopped", "silent", "killed", "well"].map(|it| fleet.core.find(it).is_some());
    assert_eq!(known, [false, false, true, true], "a kill is never forgotten");
}
