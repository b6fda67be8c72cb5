//! Limits, and the counters of what exceeds them.

use heartline_fleet::{FleetConfig, Input, TICK_INTERVAL_MAX};

use crate::test_fleet::{START, TestFleet};
use crate::test_message::beat;

#[test]
fn an_agent_gets_at_most_64_acks_a_second() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(1_000);
    for _ in 0..100 {
        fleet.receive(beat("a"));
    }
    assert_eq!((fleet.acks().len(), fleet.core.counters().answers_withheld), (64, 36));
    fleet.advance_ms(1_000);
    fleet.receive(beat("a"));
    assert_eq!(fleet.acks().len(), 1);
}

#[test]
fn unverified_sessions_use_at_most_half_of_the_acks() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(1_000);
    for sequence in 1..=100 {
        // The session is unknown, so its messages are not known to be replays.
        fleet.receive(beat("a").session(99).sequence(sequence).unconfirmed());
    }
    assert_eq!(fleet.acks().len(), 32);
    fleet.receive(beat("a"));
    assert_eq!(fleet.acks().len(), 1);
}

#[test]
fn an_endless_replay_keeps_no_ack_from_a_new_session() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(1_000);
    for _ in 0..1_000 {
        fleet.receive(beat("a").session(99).sequence(1).unconfirmed());
    }
    assert_eq!((fleet.acks().len(), fleet.core.counters().replayed), (1, 999));
    fleet.receive(beat("a").session(100).sequence(1).unconfirmed());
    assert_eq!(fleet.acks().len(), 1);
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
