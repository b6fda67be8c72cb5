//! Recorded traffic proves nothing.

use heartline_vocabulary::DatagramCounters;

use heartline_tests::world::{Operator, Proxy, Stranger, World, wait_until};
use heartline_vocabulary::{State, WorkTotals};

const AGENT: &str = "recorded";

#[test]
fn recorded_beats_never_make_a_dead_agent_look_alive() {
    let world = World::new();
    let mut collector = world.start_collector();
    let proxy = Proxy::start(collector.address(), 1);
    let mut agent = world.start_agent(AGENT, proxy.address(), 150);
    let operator = world.operator();
    wait_until("some work is counted", || {
        operator.agent(AGENT).is_some_and(|entry| entry.total.ok > 5)
    });
    agent.kill_9();
    wait_until("it is unreachable", || is(&operator, State::Unreachable));
    let recorded = proxy.recorded();
    let total = operator.agent(AGENT).unwrap().total;

    // To the same collector: it has seen the numbers.
    let before = operator.collector().datagrams;
    let after = replay(&recorded, &Stranger::new(collector.address()), &operator, total);
    assert_eq!(after.live, before.live);
    assert!(after.replayed >= before.replayed + recorded.len() as u64 - 3, "{before:?} {after:?}");

    // To its successor, before it knows who is alive, and after: it has other challenges.
    let address = collector.address();
    collector.kill_9();
    let collector = world.start_collector_at(address);
    let stranger = Stranger::new(collector.address());
    assert!(is(&operator, State::Unknown), "nobody is judged before they could be heard");
    let after = replay(&recorded, &stranger, &operator, total);
    assert_eq!((after.live, after.unconfirmed), (0, recorded.len() as u64), "{after:?}");
    wait_until("it is found dead", || is(&operator, State::Unreachable));
    let after = replay(&recorded, &stranger, &operator, total);
    assert_eq!(after.live, 0, "{after:?}");
    assert!(is(&operator, State::Unreachable));
}

/// Sends it all, and gives the counts once all of it was looked at. Nothing may have changed.
fn replay(
    recorded: &[Vec<u8>],
    stranger: &Stranger,
    operator: &Operator,
    total: WorkTotals,
) -> DatagramCounters {
    let is_alive = || is(operator, State::Healthy) || is(operator, State::Degraded);
    let before = sum(operator.collector().datagrams);
    for datagram in recorded {
        stranger.send(datagram);
    }
    wait_until("all of it was looked at", || {
        assert!(!is_alive(), "a replay brought it to life");
        sum(operator.collector().datagrams) >= before + recorded.len() as u64
    });
    let entry = operator.agent(AGENT).unwrap();
    assert!(!is_alive(), "a replay brought it to life: {entry:?}");
    assert_eq!(entry.total, total, "work was counted twice");
    assert_eq!(entry.vitals.starts, 1);
    operator.collector().datagrams
}

fn is(operator: &Operator, state: State) -> bool {
    operator.agent(AGENT).is_some_and(|entry| entry.vitals.state == state)
}

/// All that arrived, and that the kernel did not let arrive.
fn sum(it: DatagramCounters) -> u64 {
    it.live + it.unconfirmed + it.replayed + it.bad_tag + it.malformed + it.kernel_dropped
}
