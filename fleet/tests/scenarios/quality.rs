//! The quality of work: tasks that fail, or take too long.

use std::time::Duration;

use heartline_fleet::{
    AgentHealthRule, FleetConfig, HealthRules, Input, LatencyLimit, LatencyLimits, QualityRecord,
    RestoredAgent,
};
use heartline_vocabulary::{Action, AgentStatus, Reason};

use crate::test_fleet::{TestFleet, restored_agent, rules};
use crate::test_message::{beat, goodbye};

/// A fleet with an agent that works: one segment a beat, every 30 s.
struct WorkingAgent {
    fleet: TestFleet,
    segment: u64,
}

impl WorkingAgent {
    fn new() -> Self {
        Self { fleet: TestFleet::with_agent(beat("a")), segment: 0 }
    }

    /// Lets 30 s pass, and the agent report so many tasks.
    fn work(&mut self, ok: u64, failed: u64) -> String {
        self.fleet.advance_ms(30_000);
        self.segment += 1;
        self.fleet.receive(beat("a").tasks(self.segment, ok, failed));
        self.fleet.status("a")
    }

    /// Lets 30 s pass, and the agent report tasks that took so many milliseconds each.
    fn take_ms(&mut self, tasks_ms: &[u64]) -> String {
        self.fleet.advance_ms(30_000);
        self.segment += 1;
        self.fleet.receive(beat("a").latencies(self.segment, tasks_ms));
        self.fleet.status("a")
    }
}

#[test]
fn an_agent_that_fails_nearly_everything_is_failing_in_the_second_beat() {
    let mut agent = WorkingAgent::new();
    assert_eq!(agent.work(100, 3), "healthy");
    agent.fleet.discard_outputs();
    agent.fleet.reset_origin();
    assert_eq!(agent.work(10, 90), "healthy");
    assert_eq!(agent.work(10, 80), "degraded failing");
    let rows = agent.fleet.transition_rows();
    assert_eq!(rows[0].cause.to_string(), "170 of 190 tasks failed within 30s");
    // From 8 it takes 11 tasks in good order.
    assert_eq!(agent.work(10, 0), "degraded failing");
    assert_eq!(agent.work(1, 0), "healthy");
    assert_eq!(agent.fleet.transitions(), ["120000 degraded failing → healthy"]);
}

#[test]
fn of_few_tasks_a_beat_the_third_beat_is_certain() {
    let mut agent = WorkingAgent::new();
    assert_eq!(agent.work(1, 9), "healthy");
    assert_eq!(agent.work(1, 9), "healthy");
    assert_eq!(agent.work(1, 9), "degraded failing");
}

#[test]
fn one_task_a_beat_must_fail_eight_times_in_a_row() {
    let mut agent = WorkingAgent::new();
    for _ in 0..7 {
        assert_eq!(agent.work(0, 1), "healthy");
    }
    assert_eq!(agent.work(0, 1), "degraded failing");
}

#[test]
fn five_failures_in_a_row_suffice_however_rare_they_are() {
    let mut agent = WorkingAgent::new();
    for _ in 0..5 {
        for _ in 0..120 {
            agent.fleet.advance_ms(30_000);
            agent.fleet.receive(beat("a"));
        }
        assert_eq!(agent.work(0, 1), "healthy");
    }
    // Beats without any task confirm it, slowly.
    for quiet in 1..=10 {
        assert_eq!(agent.fleet.status("a"), "healthy", "{quiet}");
        agent.fleet.advance_ms(30_000);
        agent.fleet.receive(beat("a"));
    }
    assert_eq!(agent.fleet.status("a"), "degraded failing");
    assert_eq!(agent.fleet.causes(), ["5 of 5 tasks failed within 4h07m"]);
}

#[test]
fn what_failed_before_work_paused_is_no_alarm() {
    let mut agent = WorkingAgent::new();
    agent.work(9, 1);
    // Half a minute without what its tasks need, in two beats, and then nothing to do.
    agent.work(3, 5);
    agent.work(0, 9);
    for _ in 0..240 {
        agent.fleet.advance_ms(30_000);
        agent.fleet.receive(beat("a"));
        assert_eq!(agent.fleet.status("a"), "healthy");
    }
    // When it goes on, it is known soon.
    assert_eq!(agent.work(0, 2), "healthy");
    assert_eq!(agent.work(0, 2), "degraded failing");
}

#[test]
fn what_fails_as_often_as_is_tolerated_is_well_at_any_volume() {
    for (ok, failed, status) in
        [(80, 20, "healthy"), (74_000, 26_000, "healthy"), (70_000, 30_000, "degraded failing")]
    {
        let mut agent = WorkingAgent::new();
        for _ in 0..100 {
            agent.work(ok, failed);
        }
        assert_eq!(agent.fleet.status("a"), status, "{failed} of {}", ok + failed);
    }
}

#[test]
fn a_short_outage_of_what_an_agent_depends_on_is_no_alarm() {
    let mut agent = WorkingAgent::new();
    for first in (0..=1_500).step_by(100) {
        // Two beats have parts of it.
        assert_eq!(agent.work(1_500 - first, first), "healthy");
        assert_eq!(agent.work(first, 1_500 - first), "healthy");
        assert_eq!(agent.work(1_500, 0), "healthy");
    }
    assert_eq!(agent.fleet.transitions(), [""; 0]);
    agent.work(750, 750);
    assert_eq!(agent.work(750, 750), "healthy", "it may have been such an outage");
    assert_eq!(agent.work(750, 750), "degraded failing");
}

#[test]
fn an_agent_that_beats_every_second_must_fail_for_half_a_minute() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(1_000));
    fleet.reset_origin();
    for segment in 1..=40 {
        fleet.advance_ms(1_000);
        fleet.receive(beat("a").interval_ms(1_000).tasks(segment, 0, 8));
    }
    assert_eq!(fleet.transitions(), ["31000 healthy → degraded failing"]);
}

#[test]
fn a_segment_counts_once_whatever_carries_it() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..10 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").tasks(1, 0, 4));
    }
    assert_eq!(fleet.status("a"), "healthy", "4 failures are not enough");
    fleet.receive(goodbye("a").segment(2, 0));
    for segment in 1..=2 {
        fleet.receive(beat("a").session(2).tasks(segment, 0, 4));
        assert_eq!(fleet.status("a"), "healthy");
        fleet.advance_ms(30_000);
    }
    fleet.receive(beat("a").session(2).tasks(3, 0, 4));
    assert_eq!(fleet.status("a"), "degraded failing", "a new start goes on where it was");
}

#[test]
fn a_kill_makes_everything_new() {
    let mut agent = WorkingAgent::new();
    agent.work(0, 90);
    assert_eq!(agent.work(0, 90), "degraded failing");
    agent.fleet.command_durably(Action::Kill, "a");
    assert_eq!(agent.fleet.status("a"), "killed operator");
    agent.fleet.command_durably(Action::Resume, "a");
    assert_eq!(agent.fleet.status("a"), "healthy");
    agent.work(0, 90);
    assert_eq!(agent.work(0, 90), "degraded failing");
}

#[test]
fn what_is_worse_shows_and_the_rest_remains() {
    let mut agent = WorkingAgent::new();
    agent.work(0, 90);
    agent.work(0, 90);
    agent.fleet.receive(beat("a").busy(1, 400_000));
    assert_eq!(agent.fleet.status("a"), "degraded stalled");
    agent.fleet.receive(beat("a"));
    assert_eq!(agent.fleet.status("a"), "degraded failing");
    agent.fleet.advance_ms(91_000);
    assert_eq!(agent.fleet.status("a"), "degraded late");
    assert_eq!(agent.work(0, 1), "degraded failing");
}

#[test]
fn a_failing_agent_is_failing_after_a_restart_of_the_collector() {
    let mut agent = WorkingAgent::new();
    agent.work(0, 90);
    let mut row = agent.fleet.work().pop().expect("it worked");
    assert_eq!(agent.work(0, 90), "degraded failing");
    let status = AgentStatus::degraded(Reason::Failing);
    row.quality = QualityRecord::from_bytes(&row.quality.to_bytes());
    let restored = RestoredAgent { quality: row.quality, status, ..restored_agent("a") };
    let mut fleet = TestFleet::restored(vec![restored.clone()]);
    fleet.receive(beat("a"));
    assert_eq!(fleet.status("a"), "degraded failing");
    assert_eq!(fleet.transitions(), [""; 0], "nothing has happened to it");
    fleet.receive(beat("a").segment(6, 20));
    assert_eq!(fleet.status("a"), "healthy");
    // What another state hid, or was not concluded yet, goes on from its sum.
    let late = AgentStatus::degraded(Reason::Late);
    let mut fleet = TestFleet::restored(vec![RestoredAgent { status: late, ..restored }]);
    fleet.receive(beat("a"));
    for _ in 0..10 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a"));
    }
    assert_eq!(fleet.causes().last().unwrap(), "90 of 90 tasks failed within 6m00s");
}

#[test]
fn rules_follow_the_pattern_and_a_reload() {
    let rule =
        |pattern: &str| AgentHealthRule { pattern: pattern.into(), ..AgentHealthRule::default() };
    let agents = vec![
        AgentHealthRule { failing_rate: Some(0.6), ..rule("noisy") },
        AgentHealthRule { failing_rate: Some(0.0), ..rule("never") },
        AgentHealthRule { failing_in_a_row: Some(3), ..rule("rare") },
    ];
    let config = FleetConfig {
        rules: HealthRules { agents, ..HealthRules::default() },
        ..FleetConfig::default()
    };
    let mut fleet = TestFleet::with_config(config);
    let names = ["noisy", "never", "rare", "other"];
    for segment in 1..=6 {
        for name in names {
            let (ok, failed) = if name == "rare" { (0, 1) } else { (5, 5) };
            fleet.receive(beat(name).tasks(segment, ok, failed));
        }
        fleet.advance_ms(30_000);
    }
    names.iter().for_each(|name| fleet.receive(beat(name)));
    let status = |fleet: &TestFleet| names.map(|name| fleet.status(name));
    let failing = "degraded failing";
    assert_eq!(status(&fleet), ["healthy", "healthy", failing, failing]);
    fleet.handle(Input::Rules(rules(|rules| rules.fleet.failing_rate = 0.0)));
    assert_eq!(status(&fleet), ["healthy"; 4]);
    assert_eq!(fleet.causes().last().unwrap(), "the health rules were changed");
}

#[test]
fn a_success_breaks_the_row() {
    let mut fleet = TestFleet::new();
    fleet.handle(Input::Rules(rules(|rules| rules.fleet.failing_in_a_row = 3)));
    let mut agent = WorkingAgent { fleet, segment: 0 };
    for _ in 0..5 {
        assert_eq!(agent.work(0, 1), "healthy");
        assert_eq!(agent.work(0, 1), "healthy");
        assert_eq!(agent.work(8, 0), "healthy");
    }
    agent.work(3, 1);
    agent.work(0, 2);
    assert_eq!(agent.work(0, 0), "healthy", "the order within the first beat is unknown");
    agent.work(0, 1);
    assert_eq!(agent.work(0, 1), "degraded failing");
}

#[test]
fn an_agent_that_is_slower_than_it_ever_was_is_slow() {
    let mut agent = WorkingAgent::new();
    let own = |agent: &mut WorkingAgent, slow_above| {
        let limits = LatencyLimits { slow_above, fast_below: None };
        agent.fleet.handle(Input::Baseline { agent: "a", limits });
    };
    let slow = [9_000; 100];
    agent.take_ms(&slow);
    assert_eq!(agent.take_ms(&slow), "healthy", "its past is not known yet");
    own(&mut agent, std::num::NonZero::new(heartline_protocol::bucket::index(2_000_000)));
    assert_eq!(agent.take_ms(&[1_500, 2_500]), "healthy");
    assert_eq!(agent.take_ms(&slow), "healthy");
    assert_eq!(agent.take_ms(&slow), "degraded slow");
    assert_eq!(agent.fleet.causes(), ["201 of 202 tasks took more than 2s within 1m00s"]);
    // What is failing as well is called so.
    agent.work(0, 90);
    assert_eq!(agent.work(0, 90), "degraded failing");
    assert_eq!(agent.work(99, 0), "degraded slow");
    assert_eq!(agent.take_ms(&[10; 20]), "healthy");
}

#[test]
fn a_fixed_limit_needs_no_past() {
    let mut agent = WorkingAgent::new();
    agent.fleet.handle(Input::Rules(rules(|rules| {
        rules.fleet.slow = LatencyLimit::Fixed(Duration::from_secs(20));
        rules.fleet.fast = LatencyLimit::Fixed(Duration::from_millis(500));
    })));
    agent.take_ms(&[21_000; 90]);
    assert_eq!(agent.take_ms(&[21_000; 90]), "degraded slow");
    agent.take_ms(&[100; 90]);
    assert_eq!(agent.take_ms(&[100; 90]), "degraded fast");
    assert_eq!(
        agent.fleet.causes().last().unwrap(),
        "180 of 180 tasks took less than 500ms within 30s"
    );
    assert_eq!(agent.take_ms(&[600; 90]), "healthy");
    agent.take_ms(&[21_000; 90]);
    agent.take_ms(&[21_000; 90]);
    agent.fleet.handle(Input::Rules(rules(|rules| rules.fleet.slow = LatencyLimit::Off)));
    assert_eq!(agent.fleet.status("a"), "healthy");
}
