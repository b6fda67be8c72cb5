//! Two processes under one agent name.

use heartline_tests::harness::{TestEnvironment, wait_until};
use heartline_vocabulary::{Reason, State};

#[test]
fn two_processes_under_one_name_are_a_conflict_and_the_work_of_both_counts() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut first = env.start_worker("twin", collector.address(), 1);
    wait_until("the first is healthy", || {
        operator.agent("twin").is_some_and(|it| it.vitals.state == State::Healthy)
    });
    let mut second = env.start_worker("twin", collector.address(), 2);
    wait_until("the conflict is shown", || {
        operator.agent("twin").is_some_and(|it| it.vitals.reason == Some(Reason::Conflict))
    });
    assert_eq!(operator.agent("twin").unwrap().vitals.state, State::Degraded);
    let counted = || operator.agent("twin").unwrap().vitals.total;
    let together = counted();
    wait_until("both go on", || counted().ok > together.ok + 200);

    let mut done = first.finish();
    done = done.saturating_add(&second.finish());
    // The last beats of the two end at different times, and a failure may be the last task of one.
    wait_until("the work of both is stored", || counted() == done);
    second.emitter().stop();
    wait_until("the conflict is over", || {
        operator.agent("twin").is_some_and(|it| it.vitals.reason != Some(Reason::Conflict))
    });
}
