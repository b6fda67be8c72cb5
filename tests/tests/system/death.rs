//! A dead agent is noticed, and its states are stamped with the moments their deadlines passed.

use heartline_operator::message::{Event, EventKind};

use heartline_tests::world::{World, wait_for, wait_until};
use heartline_vocabulary::{Reason, State};

const INTERVAL_MS: u32 = 200;
/// How far labels of the same moment may be apart.
const ROUNDING_MS: i64 = 3;
/// A collector that was kept from running for longer than this puts every deadline off.
const AWAY_MS: i64 = 250;
/// How often a machine may be too busy for an exact stamp.
const ROUNDS: u32 = 8;

#[test]
fn a_killed_process_is_late_after_3_intervals_and_silent_after_10() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let is = |name: &str, state| operator.agent(name).is_some_and(|it| it.vitals.state == state);
    for round in 0..ROUNDS {
        let name = format!("mortal-{round}");
        let mut agent = world.start_agent(&name, collector.address(), INTERVAL_MS);
        wait_until("it is healthy", || is(&name, State::Healthy));
        agent.kill_9();
        wait_until("it is unreachable", || is(&name, State::Unreachable));

        let events = wait_for("it is stored that it is unreachable", || {
            let events = operator.events_of(&name);
            events.iter().any(|it| leads_to(it, State::Unreachable)).then_some(events)
        });
        let last_beat_ms = operator.agent(&name).unwrap().vitals.last_beat_ms.unwrap();
        let late = stamp(&events, State::Healthy, State::Degraded, Reason::Late) - last_beat_ms;
        let silent =
            stamp(&events, State::Degraded, State::Unreachable, Reason::Silent) - last_beat_ms;
        if is_exact(late, 3) && is_exact(silent, 10) {
            return;
        }
    }
    panic!("in {ROUNDS} rounds this machine never let the collector run for two seconds");
}

fn leads_to(event: &Event, state: State) -> bool {
    matches!(event.kind, EventKind::Transition { to, .. } if to == state)
}

/// When this transition, which must be there exactly once, became true.
fn stamp(events: &[Event], expected: State, to: State, because: Reason) -> i64 {
    let found: Vec<&Event> = events.iter().filter(|it| leads_to(it, to)).collect();
    let [event] = found[..] else { panic!("not one transition to {to:?}: {events:#?}") };
    let EventKind::Transition { from, reason, .. } = event.kind else { unreachable!("it leads") };
    assert_eq!((from, reason), (expected, Some(because)));
    event.at_ms
}

/// Whether so many intervals passed. Later by as long as only an absence of the collector explains
/// is no fault of the stamp; anything else is.
fn is_exact(after_ms: i64, intervals: i64) -> bool {
    let over_ms = after_ms - intervals * i64::from(INTERVAL_MS);
    let is_exact = over_ms.abs() <= ROUNDING_MS;
    assert!(is_exact || over_ms >= AWAY_MS, "{intervals} intervals and {over_ms} ms");
    is_exact
}
