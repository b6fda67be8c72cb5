//! Agents behind a network that fails in both directions, or in one.

use heartline_tests::harness::{
    NetworkConditions, TestEnvironment, TestOperator, UdpProxy, rollup_totals, task_count,
    wait_until,
};
use heartline_vocabulary::{Reason, State};

const AGENT: &str = "distant";

fn wait_until_it_is(operator: &TestOperator, state: State, reason: Option<Reason>) {
    wait_until(&format!("it is {state:?}, {reason:?}"), || {
        operator
            .agent(AGENT)
            .is_some_and(|it| (it.vitals.state, it.vitals.reason) == (state, reason))
    });
}

#[test]
fn a_disconnected_agent_is_silent_and_its_work_counts_when_it_returns() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), 1);
    let mut worker = env.start_worker(AGENT, proxy.address(), 1);
    let operator = env.operator();
    wait_until_it_is(&operator, State::Healthy, None);

    proxy.set_conditions(NetworkConditions::DISCONNECTED);
    wait_until_it_is(&operator, State::Unreachable, Some(Reason::Silent));
    let done = worker.finish();
    proxy.set_conditions(NetworkConditions::RELIABLE);
    wait_until_it_is(&operator, State::Healthy, None);
    let total = || operator.agent(AGENT).unwrap().vitals.total;
    wait_until("all of it is counted", || task_count(&total()) >= task_count(&done));
    assert_eq!(total(), done);
    assert_eq!(operator.agent(AGENT).unwrap().vitals.starts, 1, "it is the same session");
}

#[test]
fn an_agent_that_receives_no_acks_is_one_way() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), 2);
    let _worker = env.start_worker(AGENT, proxy.address(), 2);
    let operator = env.operator();
    wait_until("it works, and that is stored", || {
        task_count(&rollup_totals(&env.data_dir(), AGENT)) > 0
    });
    proxy.set_conditions(NetworkConditions::ONE_WAY);
    // The next start has other challenges, which no ack brings to the agent.
    collector.kill_9();
    let collector = env.start_collector();
    proxy.set_collector(collector.address());
    wait_until_it_is(&operator, State::Unreachable, Some(Reason::OneWay));
    assert!(operator.collector().datagrams.unconfirmed > 5);
    proxy.set_conditions(NetworkConditions::RELIABLE);
    wait_until_it_is(&operator, State::Healthy, None);
}
