//! Replayed datagrams change nothing.

use heartline_vocabulary::{DATAGRAM_COUNTERS, DatagramCounters, State, WorkTotals};

use heartline_tests::harness::{RawUdpClient, TestEnvironment, TestOperator, UdpProxy, wait_until};

const AGENT: &str = "recorded";

#[test]
fn replayed_beats_never_make_a_dead_agent_healthy() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), 1);
    let mut agent = env.start_agent(AGENT, proxy.address(), 150);
    let operator = env.operator();
    wait_until("some work is counted", || {
        operator.agent(AGENT).is_some_and(|entry| entry.vitals.total.ok > 5)
    });
    agent.kill_9();
    wait_until("it is unreachable", || is_in_state(&operator, State::Unreachable));
    let recorded = proxy.recorded();
    let total = operator.agent(AGENT).unwrap().vitals.total;

    // The same start of the collector has received these sequences.
    let before = operator.collector().datagrams;
    let after = replay(&recorded, &RawUdpClient::new(collector.address()), &operator, total);
    assert_eq!(after.live, before.live);
    assert!(after.replayed >= before.replayed + recorded.len() as u64 - 3, "{before:?} {after:?}");

    // The next start has other challenges, before and after its first judgement.
    let address = collector.address();
    collector.kill_9();
    let collector = env.start_collector_at(address);
    let client = RawUdpClient::new(collector.address());
    assert!(
        is_in_state(&operator, State::Unknown),
        "no agent is judged before its limit has passed"
    );
    let after = replay(&recorded, &client, &operator, total);
    assert_eq!((after.live, after.unconfirmed), (0, recorded.len() as u64), "{after:?}");
    wait_until("it is found dead", || is_in_state(&operator, State::Unreachable));
    let after = replay(&recorded, &client, &operator, total);
    assert_eq!(after.live, 0, "{after:?}");
    assert!(is_in_state(&operator, State::Unreachable));
}

/// Sends the recording and returns the counters once all of it was handled; checks that nothing
/// changed.
fn replay(
    recorded: &[Vec<u8>],
    client: &RawUdpClient,
    operator: &TestOperator,
    total: WorkTotals,
) -> DatagramCounters {
    let is_alive =
        || is_in_state(operator, State::Healthy) || is_in_state(operator, State::Degraded);
    let before = total_of(operator.collector().datagrams);
    for datagram in recorded {
        client.send(datagram);
    }
    wait_until("all of it was handled", || {
        assert!(!is_alive(), "a replay made it healthy");
        total_of(operator.collector().datagrams) >= before + recorded.len() as u64
    });
    let entry = operator.agent(AGENT).unwrap();
    assert!(!is_alive(), "a replay made it healthy: {entry:?}");
    assert_eq!(entry.vitals.total, total, "work was counted twice");
    assert_eq!(entry.vitals.starts, 1);
    operator.collector().datagrams
}

fn is_in_state(operator: &TestOperator, state: State) -> bool {
    operator.agent(AGENT).is_some_and(|entry| entry.vitals.state == state)
}

/// Returns the number of datagrams received or dropped.
fn total_of(counters: DatagramCounters) -> u64 {
    let all: u64 = DATAGRAM_COUNTERS.iter().map(|counter| counter.read(&counters)).sum();
    all - counters.answers_withheld
}
