//! Collector, agent and operator on one machine without any setting.

use std::net::UdpSocket;

use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestProcess, TestedProgram, wait_until,
};
use heartline_vocabulary::State;
use serde_json::Value;

/// The default port, which no other test uses.
const DEFAULT_PORT: &str = "127.0.0.1:4327";

#[test]
fn collector_agent_and_operator_find_each_other() {
    wait_until("no other collector has the default port", || UdpSocket::bind(DEFAULT_PORT).is_ok());
    let env = TestEnvironment::new();
    let _collector = CollectorProcess::start(&mut env.command(TestedProgram::Heartlined.path()));
    let agent = TestProcess::start(&mut env.command(TestedProgram::MinimalAgent.path()));

    let operator = env.operator();
    wait_until("the agent is healthy", || {
        operator.agent("minimal-agent").is_some_and(|entry| entry.vitals.state == State::Healthy)
    });
    let shown = env.heartline("status --json");
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
fn work_of_the_minimal_agent_is_counted() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let _agent = env.start_agent("small", collector.address(), 200);
    let operator = env.operator();
    wait_until("some work is counted", || {
        operator.agent("small").is_some_and(|entry| entry.vitals.total.ok >= 3)
    });
    let entry = operator.agent("small").unwrap();
    assert_eq!(
        entry.vitals.total.cost_nano_usd,
        entry.vitals.total.ok * 200_000,
        "every task costs $0.0002"
    );
    assert_eq!(entry.vitals.total.failed, 0);
    let detail = operator.detail("small");
    assert_eq!(detail.key.unwrap().scope, "", "it found the fleet's own token");
    assert_eq!(detail.entry.vitals.state, State::Healthy);
    let latency = detail.entry.work.latency.expect("work was timed");
    assert!(latency.p50 >= 147_600, "a task takes 150 ms, and a bucket errs by 1.6 %: {latency:?}");
}
