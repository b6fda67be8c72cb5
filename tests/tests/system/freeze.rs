//! Time in which the collector did not run is a gap, and no fault of the agents.

use std::thread::sleep;
use std::time::Duration;

use heartline::Heartline;
use heartline_operator::message::{Event, EventKind};
use heartline_tests::harness::{
    TestEnvironment, TestOperator, rollup_totals, task_count, wait_for, wait_until,
};
use heartline_vocabulary::{GapCause, Reason, State};

/// Late after 0.9 s, unreachable after 3 s.
const INTERVAL_MS: u64 = 300;
const AGENTS: u32 = 5;

fn start_agents(env: &TestEnvironment, collector: std::net::SocketAddr) -> Vec<Heartline> {
    let start = |n| env.emitter(&format!("living-{n}"), collector, INTERVAL_MS).start();
    (0..AGENTS).map(start).collect()
}

fn wait_for_gap(operator: &TestOperator, expected: GapCause) -> (i64, i64) {
    wait_for("the gap is stored", || {
        operator.events().iter().find_map(|event| match event.kind {
            EventKind::Gap { from_ms, to_ms, cause } if cause == expected => Some((from_ms, to_ms)),
            _ => None,
        })
    })
}

fn bad_transitions(events: &[Event]) -> Vec<&Event> {
    let is_bad = |event: &&Event| {
        matches!(event.kind, EventKind::Transition { to: State::Degraded | State::Unreachable, .. })
    };
    events.iter().filter(is_bad).collect()
}

fn wait_until_received_after(operator: &TestOperator, at_ms: i64) {
    wait_until("all live agents are received again", || {
        let living = |name: &str| name.starts_with("living");
        operator.fleet().iter().filter(|it| living(&it.agent)).all(|it| {
            it.vitals.state == State::Healthy && it.vitals.last_beat_ms.is_some_and(|at| at > at_ms)
        })
    });
}

#[test]
fn a_freeze_is_a_gap_and_makes_no_agent_late() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let _agents = start_agents(&env, collector.address());
    wait_until("all are healthy", || operator.collector().summary.healthy == AGENTS);

    collector.freeze();
    // The freeze itself: longer than the agents' limit of 3 s.
    sleep(Duration::from_millis(4_000));
    collector.unfreeze();

    let (from_ms, to_ms) = wait_for_gap(&operator, GapCause::Frozen);
    assert!((3_700..30_000).contains(&(to_ms - from_ms)), "{from_ms} to {to_ms}");
    wait_until_received_after(&operator, to_ms);
    let events = operator.events_until_kill_of("living-0", 1);
    assert!(bad_transitions(&events).is_empty(), "{:#?}", bad_transitions(&events));
    assert!(operator.collector().gaps >= 1);
}

#[test]
fn after_a_crash_live_agents_are_healthy_and_a_dead_one_is_unreachable_once() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let _agents = start_agents(&env, collector.address());
    let mut dead = env.start_agent("dead", collector.address(), 300);
    wait_until("all are healthy", || operator.collector().summary.healthy == AGENTS + 1);
    wait_until("all are stored", || task_count(&rollup_totals(&env.data_dir(), "dead")) > 3);

    let address = collector.address();
    collector.kill_9();
    dead.kill_9();
    sleep(Duration::from_millis(2_000));
    let mut collector = env.start_collector_at(address);
    let began_ms = operator.collector().started_ms;
    wait_until("the dead one is found", || operator.collector().summary.unreachable == 1);
    wait_until_received_after(&operator, began_ms);
    wait_until("its death is stored", || !bad_transitions(&operator.events()).is_empty());

    let (from_ms, to_ms) = wait_for_gap(&operator, GapCause::Down);
    assert!((1_900..30_000).contains(&(to_ms - from_ms)), "{from_ms} to {to_ms}");
    let events = operator.events_until_kill_of("living-0", 1);
    let bad = bad_transitions(&events);
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert_eq!(bad[0].agent.as_deref(), Some("dead"));
    let EventKind::Transition { to, reason, .. } = bad[0].kind else { unreachable!() };
    assert_eq!((to, reason), (State::Unreachable, Some(Reason::Silent)));
    assert!(bad[0].at_ms >= began_ms + 3_000 - 5, "it had its whole limit after the start");

    // Once: the next collector restores it as unreachable.
    collector.kill_9();
    let _collector = env.start_collector_at(address);
    let summary = || operator.collector().summary;
    wait_until("it is found again", || summary().unreachable == 1 && summary().unknown == 0);
    let events = operator.events_until_kill_of("living-1", 2);
    assert_eq!(bad_transitions(&events).len(), 1, "{events:#?}");
}
