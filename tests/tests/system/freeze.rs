//! A collector that was away blames itself.

use std::thread::sleep;
use std::time::Duration;

use heartline::Heartline;
use heartline_operator::message::{Event, EventKind};
use heartline_tests::world::{Operator, World, rolled_up, wait_for, wait_until};
use heartline_vocabulary::{GapCause, Reason, State};

/// Late after 0.9 s, unreachable after 3 s.
const INTERVAL_MS: u64 = 300;
const AGENTS: u32 = 5;

fn start_agents(world: &World, collector: std::net::SocketAddr) -> Vec<Heartline> {
    let start = |n| world.emitter(&format!("living-{n}"), collector, INTERVAL_MS).start();
    (0..AGENTS).map(start).collect()
}

fn gap(operator: &Operator, expected: GapCause) -> (i64, i64) {
    wait_for("time that was not observed is a gap", || {
        operator.events().iter().find_map(|event| match event.kind {
            EventKind::Gap { from_ms, to_ms, cause } if cause == expected => Some((from_ms, to_ms)),
            _ => None,
        })
    })
}

fn accusations(events: &[Event]) -> Vec<&Event> {
    let is_bad = |event: &&Event| {
        matches!(event.kind, EventKind::Transition { to: State::Degraded | State::Unreachable, .. })
    };
    events.iter().filter(is_bad).collect()
}

fn wait_until_heard_after(operator: &Operator, at_ms: i64) {
    wait_until("everybody living is heard again", || {
        let living = |name: &str| name.starts_with("living");
        operator.fleet().iter().filter(|it| living(&it.agent)).all(|it| {
            it.vitals.state == State::Healthy && it.vitals.last_beat_ms.is_some_and(|at| at > at_ms)
        })
    });
}

#[test]
fn after_a_freeze_nobody_is_accused_and_the_gap_is_shown() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let _agents = start_agents(&world, collector.address());
    wait_until("all are healthy", || operator.collector().summary.healthy == AGENTS);

    collector.freeze();
    // The freeze itself: longer than the agents' limit of 3 s.
    sleep(Duration::from_millis(4_000));
    collector.thaw();

    let (from_ms, to_ms) = gap(&operator, GapCause::Frozen);
    assert!((3_700..30_000).contains(&(to_ms - from_ms)), "{from_ms} to {to_ms}");
    wait_until_heard_after(&operator, to_ms);
    let events = operator.events_up_to_a_kill_of("living-0", 1);
    assert!(accusations(&events).is_empty(), "{:#?}", accusations(&events));
    assert!(operator.collector().gaps >= 1);
}

#[test]
fn after_a_crash_the_living_are_healthy_and_the_dead_are_found_once() {
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let _agents = start_agents(&world, collector.address());
    let mut dead = world.start_agent("dead", collector.address(), 300);
    wait_until("all are healthy", || operator.collector().summary.healthy == AGENTS + 1);
    wait_until("all are stored", || rolled_up(&world.data_dir(), "dead").tasks() > 3);

    let address = collector.address();
    collector.kill_9();
    dead.kill_9();
    sleep(Duration::from_millis(2_000));
    let mut collector = world.start_collector_at(address);
    let began_ms = operator.collector().started_ms;
    wait_until("the dead one is found", || operator.collector().summary.unreachable == 1);
    wait_until_heard_after(&operator, began_ms);
    wait_until("its death is stored", || !accusations(&operator.events()).is_empty());

    let (from_ms, to_ms) = gap(&operator, GapCause::Down);
    assert!((1_900..30_000).contains(&(to_ms - from_ms)), "{from_ms} to {to_ms}");
    let events = operator.events_up_to_a_kill_of("living-0", 1);
    let accused = accusations(&events);
    assert_eq!(accused.len(), 1, "{accused:#?}");
    assert_eq!(accused[0].agent.as_deref(), Some("dead"));
    let EventKind::Transition { to, reason, .. } = accused[0].kind else { unreachable!() };
    assert_eq!((to, reason), (State::Unreachable, Some(Reason::Silent)));
    assert!(accused[0].at_ms >= began_ms + 3_000 - 5, "it had its whole limit to be heard");

    // Once: the next collector knows already.
    collector.kill_9();
    let _collector = world.start_collector_at(address);
    let summary = || operator.collector().summary;
    wait_until("it is found again", || summary().unreachable == 1 && summary().unknown == 0);
    let events = operator.events_up_to_a_kill_of("living-1", 2);
    assert_eq!(accusations(&events).len(), 1, "{events:#?}");
}
