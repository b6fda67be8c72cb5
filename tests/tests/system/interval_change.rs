//! An agent that declares another interval within its session.

use heartline_protocol::Beat;
use heartline_tests::harness::{ScriptedAgent, TestEnvironment, wait_for};

#[test]
fn a_beat_with_another_interval_is_live_as_soon_as_it_echoes_the_challenge_for_that() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let mut agent = ScriptedAgent::new(collector.address(), env.token(), "changing", 1);
    let operator = env.operator();
    let every = |interval_ms| Beat { interval_ms, ..ScriptedAgent::minimal_beat() };
    agent.beat_until_live(&every(60_000));
    for (unconfirmed, shown_ms) in [(true, 60_000), (false, 120_000)] {
        agent.beat(&every(120_000));
        let ack = wait_for("an ack", || agent.receive());
        assert_eq!(ack.unconfirmed, unconfirmed);
        assert_eq!(operator.agent("changing").unwrap().vitals.interval_ms, shown_ms);
    }
}
