//! Stalls: workers without progress in processes that beat.

use std::time::Duration;

use heartline_fleet::{AgentHealthRule, Input};
use heartline_vocabulary::Action;

use crate::test_fleet::{TestFleet, rules};
use crate::test_message::beat;

#[test]
fn a_stall_is_detected_by_a_beat_at_the_time_its_limit_passed() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(1, 295_000));
    fleet.advance_ms(25_000);
    assert_eq!(fleet.status("a"), "healthy");
    fleet.receive(beat("a").busy(1, 320_000));
    // The limit passed between the two beats.
    assert_eq!(fleet.transitions(), ["5000 healthy → degraded stalled"]);
    fleet.advance_ms(10_000);
    fleet.receive(beat("a").busy(1, 100));
    assert_eq!(fleet.transitions(), ["35000 degraded stalled → healthy"]);
}

#[test]
fn the_cause_of_a_stall_names_the_time_without_progress() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").busy(1, 303_000));
    assert_eq!(fleet.causes(), ["beats arrive, no progress for 5m03s"]);
}

#[test]
fn a_task_that_hangs_beside_others_that_end_is_a_stall() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(3, 100).oldest_task(290_000));
    fleet.advance_ms(20_000);
    fleet.receive(beat("a").busy(3, 100).oldest_task(310_000));
    assert_eq!(fleet.causes(), ["one task has made no progress for 5m10s, of 3 in flight"]);
    fleet.advance_ms(20_000);
    fleet.receive(beat("a").busy(2, 100).oldest_task(4_000));
    assert_eq!(fleet.transitions(), ["40000 degraded stalled → healthy"]);
    // It reports the task of before, which has ended.
    fleet.receive(beat("a").busy(0, 100).oldest_task(900_000));
    fleet.receive(beat("a").busy(1, 100).oldest_task(900_000).waiting());
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_backlog_without_progress_is_a_stall() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").backlog(3, 400_000));
    assert_eq!(fleet.status("a"), "degraded stalled");
    fleet.receive(beat("a").backlog(0, 400_000));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_waiting_or_idle_agent_is_not_stalled() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").busy(1, 900_000).waiting());
    assert_eq!(fleet.status("a"), "healthy");
    fleet.receive(beat("a").busy(0, 900_000));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn late_overrides_stalled() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(1, 301_000));
    assert_eq!(fleet.status("a"), "degraded stalled");
    fleet.advance_ms(91_000);
    fleet.receive(beat("a").busy(1, 392_000));
    let expected =
        ["90000 degraded stalled → degraded late", "91000 degraded late → degraded stalled"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_resumed_agent_has_its_whole_limit_again() {
    let mut fleet = TestFleet::with_agent(beat("a").backlog(3, 0));
    fleet.command_durably(Action::Kill, "a");
    for _ in 0..20 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").backlog(3, 600_000).killed(1));
    }
    fleet.command_durably(Action::Resume, "a");
    fleet.discard_outputs();
    assert_eq!(fleet.status("a"), "healthy");
    fleet.reset_origin();
    for _ in 0..11 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").backlog(3, 990_000).applied(2));
    }
    assert_eq!(fleet.transitions(), ["300000 healthy → degraded stalled"]);
}

#[test]
fn an_agent_may_declare_after_what_time_it_counts_as_stalled() {
    let mut fleet = TestFleet::with_agent(beat("a").stall_after(60_000).busy(1, 50_000));
    fleet.advance_ms(20_000);
    fleet.receive(beat("a").stall_after(60_000).busy(1, 70_000));
    assert_eq!(fleet.transitions(), ["10000 healthy → degraded stalled"]);
    // It is as long as the newest beat says.
    fleet.receive(beat("a").stall_after(3_600_000).busy(1, 400_000));
    assert_eq!(fleet.status("a"), "healthy");
    fleet.receive(beat("a").busy(1, 400_000));
    assert_eq!(fleet.status("a"), "degraded stalled");
}

#[test]
fn a_rule_for_an_agent_wins_over_what_it_declares_and_the_setting_of_the_fleet_does_not() {
    let stalled = |setting: fn(&mut heartline_fleet::HealthRules)| {
        let mut fleet = TestFleet::new();
        fleet.handle(Input::Rules(rules(setting)));
        fleet.receive(beat("a").stall_after(60_000).busy(1, 90_000));
        fleet.status("a") == "degraded stalled"
    };
    fn rule(pattern: &str, stall_after: Option<u64>) -> AgentHealthRule {
        let pattern = pattern.to_owned();
        let stall_after = stall_after.map(Duration::from_secs);
        AgentHealthRule { pattern, stall_after, late_factor: Some(3.0), ..Default::default() }
    }
    assert!(stalled(|rules| rules.fleet.stall_after = Duration::from_secs(120)));
    assert!(!stalled(|rules| rules.agents.push(rule("a*", Some(120)))));
    assert!(stalled(|rules| rules.agents.push(rule("b", Some(120)))));
    assert!(stalled(|rules| rules.agents.push(rule("a*", None))), "it sets another threshold");
    // The same time, once of the fleet and once of a rule.
    assert!(!stalled(|rules| {
        rules.fleet.stall_after = Duration::from_secs(120);
        rules.agents.extend([rule("b", None), rule("a", Some(120))]);
    }));
}
