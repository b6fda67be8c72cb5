//! A dead agent becomes late and unreachable, at the times at which its deadlines passed.

use heartline_operator::message::{Event, EventKind};

use heartline_tests::harness::{TestEnvironment, wait_for, wait_until};
use heartline_vocabulary::{Reason, State};

const INTERVAL_MS: u32 = 200;
/// Largest difference between timestamps of one moment.
const ROUNDING_MS: i64 = 3;
/// Shortest time without running for which the collector postpones every deadline.
const GAP_MIN_MS: i64 = 250;
/// Attempts on a machine that is too busy for exact timestamps.
const ATTEMPTS: u32 = 8;

#[test]
fn a_killed_process_is_late_after_3_intervals_and_silent_after_10() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let is = |name: &str, state| operator.agent(name).is_some_and(|it| it.vitals.state == state);
    for attempt in 0..ATTEMPTS {
        let name = format!("mortal-{attempt}");
        let mut agent = env.start_agent(&name, collector.address(), INTERVAL_MS);
        wait_until("it is healthy", || is(&name, State::Healthy));
        agent.kill_9();
        wait_until("it is unreachable", || is(&name, State::Unreachable));

        let events = wait_for("it is stored that it is unreachable", || {
            let events = operator.events_of(&name);
            events.iter().any(|it| is_transition_to(it, State::Unreachable)).then_some(events)
        });
        let last_beat_ms = operator.agent(&name).unwrap().vitals.last_beat_ms.unwrap();
        let late =
            transition_ms(&events, State::Healthy, State::Degraded, Reason::Late) - last_beat_ms;
        let silent = transition_ms(&events, State::Degraded, State::Unreachable, Reason::Silent)
            - last_beat_ms;
        if is_exact(late, 3) && is_exact(silent, 10) {
            return;
        }
    }
    panic!("in {ATTEMPTS} attempts this machine never let the collector run for two seconds");
}

fn is_transition_to(event: &Event, state: State) -> bool {
    matches!(event.kind, EventKind::Transition { to, .. } if to == state)
}

/// Returns the time of a transition, which must have happened exactly once.
fn transition_ms(events: &[Event], expected: State, to: State, because: Reason) -> i64 {
    let found: Vec<&Event> = events.iter().filter(|it| is_transition_to(it, to)).collect();
    let [event] = found[..] else { panic!("not one transition to {to:?}: {events:#?}") };
    let EventKind::Transition { from, reason, .. } = event.kind else {
        unreachable!("it is a transition")
    };
    assert_eq!((from, reason), (expected, Some(because)));
    event.at_ms
}

/// Returns whether so many intervals passed, or panics unless a gap of the collector explains the
/// difference.
fn is_exact(after_ms: i64, intervals: i64) -> bool {
    let over_ms = after_ms - intervals * i64::from(INTERVAL_MS);
    let is_exact = over_ms.abs() <= ROUNDING_MS;
    assert!(is_exact || over_ms >= GAP_MIN_MS, "{intervals} intervals and {over_ms} ms");
    is_exact
}
