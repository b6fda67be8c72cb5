//! Two processes that speak as one agent.

use heartline_tests::world::{Deeds, World, wait_until};
use heartline_vocabulary::{Reason, State};

#[test]
fn two_processes_as_one_agent_are_shown_and_both_are_counted() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let mut first = world.start_worker("twin", collector.address(), 1);
    wait_until("the first is healthy", || {
        operator.agent("twin").is_some_and(|it| it.vitals.state == State::Healthy)
    });
    let mut second = world.start_worker("twin", collector.address(), 2);
    wait_until("the conflict is shown", || {
        operator.agent("twin").is_some_and(|it| it.vitals.reason == Some(Reason::Conflict))
    });
    assert_eq!(operator.agent("twin").unwrap().vitals.state, State::Degraded);
    let counted = || Deeds(operator.agent("twin").unwrap().total);
    let together = counted();
    wait_until("both go on", || counted().0.ok > together.0.ok + 200);

    let mut deeds = first.finish();
    deeds += second.finish();
    wait_until("the work of both is stored", || counted().0.ok >= deeds.0.ok);
    assert_eq!(counted(), deeds);
    second.emitter().stop();
    wait_until("the one that is left speaks alone, or says goodbye", || {
        operator.agent("twin").is_some_and(|it| it.vitals.reason != Some(Reason::Conflict))
    });
}
