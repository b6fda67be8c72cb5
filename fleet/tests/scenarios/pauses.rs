//! Idle agents: nothing to do for far longer than they ever paused.

use heartline_fleet::{IdleRule, Input, QualityRecord, RestoredAgent};
use heartline_vocabulary::{Action, Reason};

use crate::test_fleet::{TestFleet, restored_agent, rules};
use crate::test_message::{TestMessage, beat};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const INTERVAL: u64 = 10 * MINUTE;

/// An agent that beats every 10 minutes.
struct PausingAgent {
    fleet: TestFleet,
    /// Time since its last progress.
    age_ms: u64,
    segment: u64,
}

fn quiet(age_ms: u64) -> TestMessage {
    beat("a").interval_ms(INTERVAL as u32).busy(0, age_ms)
}

impl PausingAgent {
    fn new() -> Self {
        Self { fleet: TestFleet::with_agent(quiet(0)), age_ms: 0, segment: 0 }
    }

    /// Goes on for so long without progress.
    fn pause(&mut self, ms: u64) -> String {
        self.pass(ms, |message| message)
    }

    fn pass(&mut self, ms: u64, change: impl Fn(TestMessage) -> TestMessage) -> String {
        for _ in 0..ms / INTERVAL {
            self.fleet.advance_ms(INTERVAL);
            self.age_ms += INTERVAL;
            self.fleet.receive(change(quiet(self.age_ms)));
        }
        self.fleet.status("a")
    }

    /// Ends a task.
    fn work(&mut self) {
        self.segment += 1;
        self.age_ms = 0;
        self.fleet.receive(quiet(0).segment(self.segment, 1));
    }

    /// Works for some days, with a task every two hours and one long pause a day.
    fn work_for_days(&mut self, days: u64) {
        for _ in 0..days {
            for pause in [2, 2, 2, 2, 4, 2, 2, 2, 2, 2, 2] {
                self.pause(pause * HOUR);
                self.work();
            }
        }
    }
}

#[test]
fn an_agent_is_idle_after_three_times_its_longest_pause() {
    let mut agent = PausingAgent::new();
    agent.work_for_days(15);
    agent.fleet.discard_outputs();
    agent.fleet.reset_origin();
    assert_eq!(agent.pause(12 * HOUR), "healthy");
    assert_eq!(agent.pause(2 * HOUR), "degraded idle");
    // A pause is kept on a scale of eighths: 4 h are 4 h 16 min.
    let limit_ms = 3 * (4 * HOUR + 16 * MINUTE);
    let row = agent.fleet.transition_rows().pop().unwrap();
    assert_eq!(crate::test_fleet::ms(row.at, agent.fleet.origin()), limit_ms as i64);
    assert_eq!(
        row.cause.to_string(),
        "no task for 12h50m, and none waits; the longest pause of the last 7 days was 4h16m"
    );
    agent.work();
    assert_eq!(agent.fleet.status("a"), "healthy");
    // It has learned that it may pause for so long.
    assert_eq!(agent.pause(30 * HOUR), "healthy");
}

/// It works from 9 to 17 on weekdays. In its third week-end the agent was started on Sunday at 20:00.
#[test]
fn a_week_end_is_no_idleness_after_one_that_a_start_has_cut_short() {
    let mut agent = PausingAgent::new();
    let work_for_a_week = |agent: &mut PausingAgent| {
        for _ in 0..5 {
            for _ in 0..8 {
                agent.work();
                agent.pause(HOUR);
            }
            agent.pause(16 * HOUR);
        }
    };
    work_for_a_week(&mut agent);
    agent.pause(2 * DAY);
    work_for_a_week(&mut agent);
    agent.pause(2 * DAY);
    work_for_a_week(&mut agent);
    agent.pause(44 * HOUR - 9 * HOUR);
    agent.age_ms = 0;
    agent.segment = 0;
    agent.fleet.receive(quiet(0).session(2));
    let in_session_2 = |message: TestMessage| message.session(2);
    agent.pass(13 * HOUR, in_session_2);
    for _ in 0..5 {
        for _ in 0..8 {
            agent.segment += 1;
            agent.age_ms = 0;
            agent.fleet.receive(quiet(0).session(2).segment(agent.segment, 1));
            agent.pass(HOUR, in_session_2);
        }
        agent.pass(16 * HOUR, in_session_2);
    }
    // From Friday at 17:00 to Monday at 9:00 it is 64 hours.
    assert_eq!(agent.pass(2 * DAY, in_session_2), "healthy");
    // But not for ever.
    assert_eq!(agent.pass(4 * DAY, in_session_2), "degraded idle");
}

#[test]
fn what_is_not_judged_yet_is_said() {
    let mut agent = PausingAgent::new();
    // Fast is off by default.
    assert_eq!(agent.fleet.being_learned("a"), [Reason::Slow, Reason::Idle]);
    agent.work_for_days(4);
    assert_eq!(agent.fleet.being_learned("a"), [Reason::Slow]);
}

#[test]
fn it_takes_three_days_to_know_an_agent_and_two_weeks_to_know_it_well() {
    let mut agent = PausingAgent::new();
    agent.work_for_days(1);
    assert_eq!(agent.pause(4 * DAY), "healthy");
    let mut agent = PausingAgent::new();
    agent.work_for_days(4);
    assert_eq!(agent.pause(25 * HOUR), "healthy");
    assert_eq!(agent.pause(HOUR), "degraded idle");
}

#[test]
fn what_is_no_pause_of_its_own_does_not_count() {
    let mut agent = PausingAgent::new();
    agent.work_for_days(15);
    assert_eq!(agent.pass(2 * DAY, TestMessage::waiting), "healthy");
    assert_eq!(agent.pause(12 * HOUR), "healthy");
    agent.work();
    agent.fleet.command_durably(Action::Kill, "a");
    agent.pass(2 * DAY, |message| message.killed(1));
    agent.fleet.command_durably(Action::Resume, "a");
    agent.age_ms += INTERVAL;
    agent.fleet.advance_ms(INTERVAL);
    agent.fleet.receive(quiet(agent.age_ms).applied(2));
    assert_eq!(agent.pass(12 * HOUR, |message| message.applied(2)), "healthy");
    // It was silent for a day, and quiet meanwhile.
    agent.fleet.advance_ms(DAY);
    agent.age_ms += DAY;
    assert_eq!(agent.pause(INTERVAL), "healthy");
    // None of it was learned as a pause.
    agent.work();
    agent.fleet.discard_outputs();
    assert_eq!(agent.pause(80 * HOUR), "degraded idle");
}

#[test]
fn a_new_start_begins_its_pause_anew() {
    let mut agent = PausingAgent::new();
    agent.work_for_days(15);
    agent.pause(12 * HOUR);
    agent.fleet.receive(quiet(0).session(2));
    for hour in 1..=12 {
        agent.fleet.advance_ms(HOUR / 2);
        agent.fleet.receive(quiet(hour * HOUR / 2).session(2));
    }
    assert_eq!(agent.fleet.status("a"), "healthy");
}

#[test]
fn a_task_that_takes_long_is_no_pause_and_a_backlog_is_a_stall() {
    let mut agent = PausingAgent::new();
    agent.fleet.handle(Input::Rules(rules(|rules| {
        rules.fleet.stall_after = std::time::Duration::from_secs(7 * 86_400);
    })));
    agent.work_for_days(15);
    for _ in 0..72 {
        agent.fleet.advance_ms(INTERVAL);
        agent.age_ms += INTERVAL;
        agent.fleet.receive(quiet(agent.age_ms).busy(1, agent.age_ms));
    }
    agent.work();
    agent.fleet.handle(Input::Rules(rules(|_| {})));
    assert_eq!(agent.pause(14 * HOUR), "degraded idle", "nothing was learned of the long task");
    agent.fleet.receive(quiet(0).backlog(3, agent.age_ms));
    assert_eq!(agent.fleet.status("a"), "degraded stalled");
}

#[test]
fn pauses_survive_a_restart_of_the_collector_and_the_rule_can_be_switched_off() {
    let mut agent = PausingAgent::new();
    agent.work_for_days(15);
    let row = agent.fleet.work().pop().expect("it worked");
    let quality = QualityRecord::from_bytes(&row.quality.to_bytes());
    let restored = RestoredAgent {
        quality,
        first_seen: agent.fleet.now.minus_millis(30 * DAY),
        ..restored_agent("a")
    };
    let fleet = TestFleet::restored(vec![restored]);
    let mut agent = PausingAgent { fleet, age_ms: 0, segment: 100 };
    agent.fleet.receive(quiet(0));
    assert_eq!(agent.pause(12 * HOUR), "healthy");
    assert_eq!(agent.pause(2 * HOUR), "degraded idle");
    agent.fleet.handle(Input::Rules(rules(|rules| rules.fleet.idle = IdleRule::Off)));
    assert_eq!(agent.fleet.status("a"), "healthy");
}
