//! On one machine nothing has to be set.

use std::net::UdpSocket;

use heartline_tests::world::{Collector, Process, Program, World, wait_until};
use heartline_vocabulary::State;
use serde_json::Value;

/// The one port that programs find by themselves: of all tests, this one alone uses it.
const DEFAULT_PORT: &str = "127.0.0.1:4327";

#[test]
fn collector_agent_and_operator_find_each_other() {
    wait_until("no other collector has the default port", || UdpSocket::bind(DEFAULT_PORT).is_ok());
    let world = World::new();
    let _collector = Collector::start(&mut world.command(Program::Heartlined.path()));
    let agent = Process::start(&mut world.command(Program::MinimalAgent.path()));

    let operator = world.operator();
    wait_until("the agent is healthy", || {
        operator.agent("minimal-agent").is_some_and(|entry| entry.vitals.state == State::Healthy)
    });
    let shown = world.heartline("status --json");
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("status --json is JSON");
    assert_eq!(shown["summary"]["total"], 1);
    let shown = &shown["agents"][0];
    assert_eq!(shown["agent"], "minimal-agent");
    assert_eq!(shown["state"], "healthy");
    assert_eq!(shown["pid"], agent.pid());
    assert_eq!((&shown["starts"], &shown["interval_ms"]), (&1.into(), &30_000.into()));
}

#[test]
fn what_the_smallest_agent_does_is_counted() {
    let world = World::new();
    let collector = world.start_collector();
    let _agent = world.start_agent("small", collector.address(), 200);
    let operator = world.operator();
    wait_until("some work is counted", || {
        operator.agent("small").is_some_and(|entry| entry.total.ok >= 3)
    });
    let entry = operator.agent("small").unwrap();
    assert_eq!(entry.total.cost_nano_usd, entry.total.ok * 200_000, "every task costs $0.0002");
    assert_eq!(entry.total.failed, 0);
    let detail = operator.detail("small");
    assert_eq!(detail.scope, "", "it found the fleet's own token");
    assert_eq!(detail.entry.vitals.state, State::Healthy);
    let latency = detail.entry.work.latency.expect("work was timed");
    assert!(latency.p50 >= 147_600, "a task takes 150 ms, and a bucket errs by 1.6 %: {latency:?}");
}
