//! Crash loops: agents that are started again and again.

use std::time::Duration;

use heartline_fleet::{AgentHealthRule, FleetConfig, HealthRules};
use heartline_vocabulary::Action;

use crate::test_fleet::TestFleet;
use crate::test_message::{beat, exit_by_signal, goodbye};

#[test]
fn an_agent_that_is_restarted_five_times_in_ten_minutes_is_crash_looping() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=5 {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").session(session));
        assert_eq!(fleet.status("a"), "healthy");
    }
    fleet.advance_ms(1_000);
    fleet.receive(beat("a").session(6));
    assert_eq!(fleet.causes(), ["5 restarts without a goodbye within 10m00s"]);
    for _ in 0..30 {
        fleet.advance_ms(20_000);
        fleet.receive(beat("a").session(6));
    }
    // A window after the last restart.
    assert_eq!(fleet.transitions(), ["605000 degraded crash-looping → healthy"]);
}

#[test]
fn it_lasts_while_restarts_go_on() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=6 {
        fleet.receive(beat("a").session(session));
    }
    // Rarer than it takes to begin, and it is not over before a window without any.
    for session in 7..=10 {
        fleet.advance_ms(500_000);
        fleet.receive(beat("a").session(session));
        assert_eq!(fleet.status("a"), "degraded crash-looping");
    }
}

#[test]
fn restarts_far_apart_are_none() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=20 {
        fleet.advance_ms(150_001);
        fleet.receive(beat("a").session(session));
        assert_eq!(fleet.status("a"), "healthy");
    }
}

#[test]
fn a_start_after_a_goodbye_or_under_a_kill_does_not_count() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=20 {
        fleet.receive(goodbye("a").session(session - 1));
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").session(session));
        assert_eq!(fleet.status("a"), "healthy");
    }
    fleet.command_durably(Action::Kill, "a");
    for session in 21..=40 {
        fleet.receive(beat("a").session(session));
    }
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_reported_crash_counts() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=6 {
        fleet.receive(exit_by_signal("a", 9).session(session - 1));
        fleet.receive(beat("a").session(session));
    }
    assert_eq!(fleet.status("a"), "degraded crash-looping");
    fleet.receive(exit_by_signal("a", 9).session(6));
    assert_eq!(fleet.status("a"), "unreachable crashed", "what is worse shows");
    fleet.receive(beat("a").session(7));
    assert_eq!(fleet.status("a"), "degraded crash-looping");
}

#[test]
fn limits_follow_the_pattern() {
    let rule = |pattern: &str, restarts| AgentHealthRule {
        pattern: pattern.into(),
        crash_loop_restarts: Some(restarts),
        crash_loop_within: Some(Duration::from_secs(60)),
        ..AgentHealthRule::default()
    };
    let rules =
        HealthRules { agents: vec![rule("batch*", 0), rule("a*", 2)], ..HealthRules::default() };
    let mut fleet = TestFleet::with_config(FleetConfig { rules, ..FleetConfig::default() });
    for agent in ["batch", "a", "other"] {
        for session in 1..=4 {
            fleet.receive(beat(agent).session(session));
        }
    }
    for session in 5..=40 {
        fleet.receive(beat("batch").session(session));
    }
    let status = |agent| fleet.status(agent);
    assert_eq!(
        ["batch", "a", "other"].map(status),
        ["healthy", "degraded crash-looping", "healthy"]
    );
}

#[test]
fn two_processes_that_replace_each_other_are_a_conflict_and_no_crash_loop() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    for _ in 0..50 {
        fleet.advance_ms(10_000);
        fleet.receive(beat("a").session(1));
        fleet.receive(beat("a").session(2));
    }
    assert_eq!(fleet.status("a"), "degraded conflict");
}
