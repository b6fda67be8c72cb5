//! Stalls of agents that beat, and waits that are none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use heartline_tests::harness::{TestEnvironment, wait_until};
use heartline_vocabulary::{Phase, Reason, State};

#[test]
fn a_task_without_progress_is_a_stall_and_waiting_for_a_person_is_none() {
    let env = TestEnvironment::new();
    env.configure(
        "[health]\nstall_after = \"2s\"\n[[agent]]\nmatch = \"patient\"\nstall_after = \"1h\"\n",
    );
    let collector = env.start_collector();
    let start = |name: &str| env.emitter(name, collector.address(), 100).start();
    let (stuck, patient, waiting) = (start("stuck"), start("patient"), start("waiting"));
    let task = stuck.task();
    let _patient_task = patient.task();
    let _waits = (waiting.task(), waiting.waiting("approval"));
    let operator = env.operator();
    let vitals = |name: &str| operator.agent(name).unwrap().vitals;
    wait_until("all are healthy", || operator.collector().summary.healthy == 3);
    wait_until("the stuck one is stalled", || vitals("stuck").reason == Some(Reason::Stalled));
    let stalled = vitals("stuck");
    assert_eq!((stalled.state, stalled.in_flight), (State::Degraded, 1));
    let beat_ms = stalled.last_beat_ms.unwrap();
    wait_until("it beats all the same", || vitals("stuck").last_beat_ms.unwrap() > beat_ms);
    assert_eq!(vitals("patient").state, State::Healthy, "its own limit is longer");
    assert_eq!(
        (vitals("waiting").state, vitals("waiting").phase.unwrap()),
        (State::Healthy, Phase::Waiting)
    );
    assert_eq!(vitals("waiting").step.as_deref(), Some("approval"));

    drop(task);
    wait_until("it goes on", || vitals("stuck").state == State::Healthy);
}

#[test]
fn an_agent_that_declares_its_own_limit_is_judged_by_that() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let agent = env.emitter("impatient", collector.address(), 100);
    let agent = agent.stall_after(Duration::from_millis(1_200)).start();
    let task = agent.task();
    let operator = env.operator();
    let vitals = || operator.agent("impatient").map(|agent| agent.vitals);
    wait_until("it is stalled", || {
        vitals().is_some_and(|vitals| vitals.reason == Some(Reason::Stalled))
    });
    drop(task);
    wait_until("it goes on", || vitals().unwrap().state == State::Healthy);
}

#[test]
fn a_goodbye_is_no_outage_and_the_next_start_clears_it() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let start = || env.emitter("shift", collector.address(), 100).start();
    let vitals = || operator.agent("shift").unwrap().vitals;
    for shift in 1..=3 {
        let agent = start();
        wait_until("it is healthy", || {
            operator.agent("shift").is_some_and(|it| it.vitals.state == State::Healthy)
        });
        assert_eq!(vitals().starts, shift);
        agent.report(heartline::Report::ok());
        agent.stop();
        wait_until("it has stopped", || vitals().reason == Some(Reason::Shutdown));
        assert_eq!(operator.agent("shift").unwrap().vitals.total.ok, u64::from(shift));
    }
}

#[test]
fn a_task_that_hangs_beside_others_that_end_is_a_stall() {
    let env = TestEnvironment::new();
    env.configure("[health]\nstall_after = \"2s\"\n");
    let collector = env.start_collector();
    let agent = env.emitter("pool", collector.address(), 100).start();
    let operator = env.operator();
    let vitals = || operator.agent("pool").unwrap().vitals;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let _task = agent.task();
                thread::sleep(Duration::from_millis(5));
            }
        });
        let hung = agent.task();
        wait_until("one task is stuck", || vitals().reason == Some(Reason::Stalled));
        let done = vitals().total.ok;
        wait_until("others go on", || vitals().total.ok > done);
        hung.step("retry");
        wait_until("a step of it is progress", || vitals().state == State::Healthy);
        drop(hung);
        ended.store(true, Ordering::Relaxed);
    });
}
