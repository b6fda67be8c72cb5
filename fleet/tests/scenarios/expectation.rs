//! Work that is expected of agents during hours of the week.

use std::time::Duration;

use heartline_fleet::{
    AgentHealthRule, Expectation, ExpectedHours, FleetConfig, HealthRules, IdleRule, Input,
    MonoTime, RestoredAgent,
};
use heartline_vocabulary::{Action, AgentStatus, Reason};

use crate::test_fleet::{START, TestFleet, restored_agent};
use crate::test_message::{TestMessage, beat};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// An agent that beats every minute, and of which tasks are expected within an hour.
struct ExpectedAgent {
    fleet: TestFleet,
    segment: u64,
}

fn quiet() -> TestMessage {
    beat("a").interval_ms(MINUTE as u32)
}

/// So many tasks an hour, during hours that are called weekdays.
fn expecting(at_least: u32) -> HealthRules {
    let rule = AgentHealthRule {
        pattern: "a*".into(),
        idle: Some(IdleRule::Expected(0)),
        ..AgentHealthRule::default()
    };
    let expectation = Expectation {
        at_least,
        within: Duration::from_secs(3_600),
        during: Some("weekdays 09:00–17:00".into()),
    };
    HealthRules { agents: vec![rule], expectations: vec![expectation], ..HealthRules::default() }
}

impl ExpectedAgent {
    /// Returns one whose hours begin in an hour and last for eight.
    fn new(at_least: u32) -> Self {
        let mut agent = Self { fleet: TestFleet::new(), segment: 0 };
        agent.fleet.handle(Input::Rules(expecting(at_least)));
        agent.set_hours(START.plus_millis(HOUR), START.plus_millis(9 * HOUR));
        agent.fleet.receive(quiet());
        agent.fleet.discard_outputs();
        agent.fleet.reset_origin();
        agent
    }

    fn set_hours(&mut self, from: MonoTime, until: MonoTime) {
        let hours = Some(ExpectedHours { from, until });
        self.fleet.handle(Input::ExpectedHours { expectation: 0, hours });
    }

    /// Lets so many minutes pass.
    fn pass(&mut self, minutes: u64) -> String {
        self.pass_with(minutes, |message| message)
    }

    fn pass_with(&mut self, minutes: u64, change: impl Fn(TestMessage) -> TestMessage) -> String {
        for _ in 0..minutes {
            self.fleet.advance_ms(MINUTE);
            self.fleet.receive(change(quiet()));
        }
        self.fleet.status("a")
    }

    fn work(&mut self, tasks: u64) -> String {
        self.segment += 1;
        self.fleet.advance_ms(MINUTE);
        self.fleet.receive(quiet().segment(self.segment, tasks));
        self.fleet.status("a")
    }
}

#[test]
fn an_agent_without_a_task_in_its_hours_is_idle_and_not_outside_them() {
    let mut agent = ExpectedAgent::new(1);
    assert_eq!(agent.pass(119), "healthy", "not a whole hour of the hours");
    assert_eq!(agent.pass(1), "degraded idle");
    assert_eq!(
        agent.fleet.causes(),
        ["0 tasks in 1h00m; at least 1 expected on weekdays 09:00–17:00"]
    );
    assert_eq!(agent.work(1), "healthy");
    assert_eq!(agent.pass(60), "healthy");
    // A task counts for up to a twelfth longer.
    assert_eq!(agent.pass(6), "degraded idle");
    assert_eq!(agent.pass(9 * 60), "healthy", "the hours are over");
    // The next day.
    let next = agent.fleet.now.plus_millis(HOUR);
    agent.set_hours(next, next.plus_millis(8 * HOUR));
    assert_eq!(agent.pass(119), "healthy");
    assert_eq!(agent.pass(2), "degraded idle");
}

#[test]
fn more_than_one_task_is_counted_in_a_time_that_slides() {
    let mut agent = ExpectedAgent::new(4);
    agent.pass(60);
    for _ in 0..6 {
        agent.work(2);
        assert_eq!(agent.pass(29), "healthy");
    }
    agent.work(1);
    assert_eq!(agent.pass(60), "degraded idle");
    assert_eq!(
        agent.fleet.causes(),
        ["3 tasks in 1h00m; at least 4 expected on weekdays 09:00–17:00"]
    );
    assert_eq!(agent.work(4), "healthy");
}

#[test]
fn what_is_not_its_to_do_is_not_expected() {
    let mut agent = ExpectedAgent::new(1);
    agent.pass(60);
    assert_eq!(agent.pass_with(120, TestMessage::waiting), "healthy");
    assert_eq!(agent.pass(59), "healthy", "anew after it waited");
    agent.fleet.command_durably(Action::Kill, "a");
    agent.pass_with(120, |message| message.killed(1));
    agent.fleet.command_durably(Action::Resume, "a");
    assert_eq!(agent.pass_with(59, |message| message.applied(2)), "healthy");
    assert_eq!(agent.pass_with(2, |message| message.applied(2)), "degraded idle");
}

#[test]
fn a_task_in_flight_counts_as_one_and_one_that_hangs_is_a_stall() {
    let long = |message: TestMessage| message.busy(1, MINUTE);
    let mut agent = ExpectedAgent::new(1);
    agent.pass(60);
    assert_eq!(agent.pass_with(3 * 60, long), "healthy");
    assert_eq!(agent.pass_with(1, |message| message.busy(1, HOUR)), "degraded stalled");
    assert_eq!(agent.pass_with(1, long), "healthy");
    assert_eq!(agent.pass(1), "degraded idle", "it was dropped");
    let mut agent = ExpectedAgent::new(4);
    agent.pass(60);
    agent.work(2);
    assert_eq!(agent.pass_with(60, long), "degraded idle", "three are not four");
}

#[test]
fn a_new_start_and_a_silence_begin_the_time_anew() {
    let mut agent = ExpectedAgent::new(1);
    agent.pass(100);
    let second = |message: TestMessage| message.session(2);
    assert_eq!(agent.pass_with(60, second), "healthy");
    assert_eq!(agent.pass_with(1, second), "degraded idle");
    // Nobody knows what it did meanwhile.
    agent.fleet.advance_ms(20 * MINUTE);
    assert_eq!(agent.pass_with(60, second), "healthy");
    assert_eq!(agent.pass_with(1, second), "degraded idle");
}

#[test]
fn time_in_which_the_collector_was_frozen_is_none() {
    let mut agent = ExpectedAgent::new(1);
    agent.pass(100);
    agent.fleet.skip_ms(40 * MINUTE);
    assert_eq!(agent.pass(19), "healthy");
    assert_eq!(agent.pass(2), "degraded idle");
}

#[test]
fn a_restart_of_the_collector_accuses_nobody_and_excuses_nobody() {
    let restart = |status| {
        let config = FleetConfig { rules: expecting(1), ..FleetConfig::default() };
        let restored = RestoredAgent { status, ..restored_agent("a") };
        let fleet = TestFleet::begun(config, vec![restored]);
        let mut agent = ExpectedAgent { fleet, segment: 100 };
        agent.set_hours(START.minus_millis(2 * HOUR), START.plus_millis(6 * HOUR));
        agent
    };
    let mut agent = restart(AgentStatus::HEALTHY);
    assert_eq!(agent.pass(60), "healthy", "nobody knows what it did before");
    assert_eq!(agent.pass(1), "degraded idle");
    let mut agent = restart(AgentStatus::degraded(Reason::Idle));
    assert_eq!(agent.pass(1), "degraded idle");
    assert_eq!(agent.fleet.transitions(), [""; 0], "nothing has happened to it");
    assert_eq!(agent.work(1), "healthy");
    assert_eq!(agent.pass(60), "healthy");
}

#[test]
fn another_rule_and_hours_that_never_come_end_it() {
    let mut agent = ExpectedAgent::new(1);
    assert_eq!(agent.pass(121), "degraded idle");
    // What was read again, and is the same, changes nothing.
    agent.fleet.handle(Input::Rules(expecting(1)));
    assert_eq!(agent.fleet.status("a"), "degraded idle");
    agent.set_hours(START.plus_millis(HOUR), START.plus_millis(9 * HOUR));
    assert_eq!(agent.pass(1), "degraded idle");
    agent.fleet.handle(Input::ExpectedHours { expectation: 0, hours: None });
    assert_eq!(agent.pass(1), "healthy");
    agent.set_hours(START.plus_millis(HOUR), START.plus_millis(9 * HOUR));
    assert_eq!(agent.pass(62), "degraded idle");
    agent.fleet.handle(Input::Rules(HealthRules::default()));
    assert_eq!(agent.fleet.status("a"), "healthy");
}
