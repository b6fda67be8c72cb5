//! A collector on the wildcard address answers from the address that was asked.

use std::net::SocketAddr;

use heartline_tests::harness::{TestEnvironment, wait_until};
use heartline_vocabulary::Action;

/// Asserts that an agent that sends to this address is live and obeys.
#[track_caller]
fn assert_obeyed(env: &TestEnvironment, name: &str, address: SocketAddr, request_id: u64) {
    let operator = env.operator();
    let _agent = env.start_agent(name, address, 100);
    wait_until("it is healthy", || {
        operator.agent(name).is_some_and(|it| it.vitals.state.name() == "healthy")
    });
    operator.command(Action::Kill, &[name], request_id);
    wait_until("it has obeyed", || {
        let command = operator.agent(name).and_then(|it| it.vitals.command);
        command.is_some_and(|it| it.obeyed_ms.is_some())
    });
}

#[test]
fn answers_leave_by_the_address_that_was_asked() {
    let env = TestEnvironment::new();
    let collector = env.start_collector_at("0.0.0.0:0".parse().unwrap());
    let port = collector.address().port();
    // All of 127.0.0.0/8 is this machine's; by itself the kernel answers from 127.0.0.1.
    for (number, host) in (1..).zip(["127.0.0.1", "127.0.0.2", "127.77.0.100"]) {
        let address = format!("{host}:{port}").parse().unwrap();
        assert_obeyed(&env, &format!("agent-{number}"), address, number);
    }
}

#[test]
fn answers_of_a_wildcard_of_ipv6_arrive() {
    let env = TestEnvironment::new();
    let collector = env.start_collector_at("[::]:0".parse().unwrap());
    let address = format!("[::1]:{}", collector.address().port()).parse().unwrap();
    assert_obeyed(&env, "agent", address, 1);
}
