//! Limits, and the counters of what exceeds them.

use heartline_fleet::{FleetConfig, Input, TICK_INTERVAL_MAX};

use crate::test_fleet::{START, TestFleet};
use crate::test_message::beat;

#[test]
fn an_agent_gets_at_most_64_acks_in_any_second() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    let mut answered = Vec::new();
    for ms in 0..10_000 {
        // Two seconds of silence, then 300 messages a second.
        if ms % 5_000 > 2_000 && ms % 10 < 3 {
            fleet.receive(beat("a").interval_ms(100));
            answered.extend(fleet.acks().iter().map(|_| ms));
        }
        fleet.advance_ms(1);
    }
    let in_second =
        |from: i32| answered.iter().filter(|&&ms| (from..from + 1_000).contains(&ms)).count();
    let most = answered.iter().map(|&from| in_second(from)).max();
    assert!(most.is_some_and(|most| (50..=64).contains(&most)), "{most:?}");
    assert!(fleet.core.counters().answers_withheld > 0);
}

#[test]
fn a_full_fleet_rejects_new_agents() {
    let mut fleet = TestFleet::new();
    let config = FleetConfig { agents_max: 2, ..FleetConfig::default() };
    fleet.core = heartline_fleet::Fleet::new(config, START);
    for agent in ["a", "b", "c", "a"] {
        fleet.receive(beat(agent));
    }
    assert_eq!((fleet.core.find("c"), fleet.core.state_counts().total), (None, 2));
    assert_eq!(fleet.core.counters().over_limit, 1);
}

#[test]
fn the_timeout_is_never_later_than_a_heartbeat() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..100 {
        assert!(fleet.core.poll_timeout() <= fleet.now + TICK_INTERVAL_MAX);
        fleet.advance_ms(333);
    }
}

#[test]
fn each_changed_agent_is_drained_once() {
    let mut fleet = TestFleet::new();
    fleet.receive(beat("a").unconfirmed());
    fleet.receive(beat("a"));
    fleet.receive(beat("b"));
    let mut changed = Vec::new();
    fleet.core.drain_changed(&mut changed);
    assert_eq!(changed.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 1]);
    changed.clear();
    fleet.core.drain_changed(&mut changed);
    assert_eq!(changed, []);
    fleet.handle(Input::Tick);
    fleet.receive(beat("b"));
    fleet.core.drain_changed(&mut changed);
    assert_eq!(changed.len(), 1);
}
