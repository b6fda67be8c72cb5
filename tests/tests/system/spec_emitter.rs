//! An emitter in another language, written from the specification alone.

use heartline_tests::harness::{TestEnvironment, wait_until};
use heartline_vocabulary::{Action, Reason, State, WorkTotals};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn work_and_goodbye_of_the_spec_emitter_are_understood() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let mut agent = env.start_spec_emitter(
        "pythonic",
        collector.address(),
        &[
            "--interval-ms=150",
            "--beats=12",
            "--ok=3",
            "--failed=1",
            "--latency-us=1500",
            "--cost-nano=7",
            "--goodbye",
        ],
    );
    let operator = env.operator();
    let agent_is = |state| operator.agent("pythonic").is_some_and(|it| it.vitals.state == state);
    wait_until("it is live", || agent_is(State::Healthy));
    let status = agent.wait();
    let end = agent.wait_for_line("it prints its totals", |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["event"] == "end").then_some(event)
    });
    assert!(status.success(), "{end}");
    wait_until("its goodbye was received", || agent_is(State::Killed));
    let entry = operator.agent("pythonic").unwrap();
    assert_eq!(entry.vitals.reason, Some(Reason::Shutdown));
    let total = WorkTotals { ok: 36, failed: 12, cost_nano_usd: 84, ..WorkTotals::default() };
    assert_eq!(entry.vitals.total, total, "12 beats, each with 3 and 1");
    let latency = operator.detail("pythonic").entry.work.latency.unwrap();
    assert!(latency.p50.abs_diff(1_500) <= 24, "within 1.6 %: {latency:?}");
}

#[test]
fn the_spec_emitter_repeats_what_is_lost_long_before_its_next_beat() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    // The first beat, the one that would be live, the report of the kill, and the first goodbye.
    let options = ["--interval-ms=3600000", "--ok=1", "--lose=1,3,5,7", "--goodbye"];
    let mut agent = env.start_spec_emitter("pythonic", collector.address(), &options);
    let operator = env.operator();
    let vitals = || operator.agent("pythonic").map(|it| it.vitals);
    wait_until("it is live", || vitals().is_some_and(|it| it.state == State::Healthy));
    operator.command(Action::Kill, &["pythonic"], 1);
    wait_until("it reports that it obeys", || {
        vitals().unwrap().command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    agent.signal(Signal::TERM);
    assert!(agent.wait().success(), "its work is stored, and its goodbye acknowledged");
}

#[test]
fn the_spec_emitter_obeys_kill_and_resume() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let options = ["--interval-ms=200", "--ok=1"];
    let mut agent = env.start_spec_emitter("pythonic", collector.address(), &options);
    let operator = env.operator();
    wait_until("it works", || operator.agent("pythonic").is_some_and(|it| it.vitals.total.ok > 0));
    let generation_of = |event: &'static str| {
        move |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["event"] == event).then(|| line["generation"].clone())
        }
    };
    for (id, action, event) in [(1, Action::Kill, "killed"), (2, Action::Resume, "resumed")] {
        let outcome = operator.command(action, &["pythonic"], id);
        let generation = agent.wait_for_line(event, generation_of(event));
        assert_eq!(generation, outcome.targets[0].generation);
        let expected = if action == Action::Kill { State::Killed } else { State::Healthy };
        wait_until("it reports that it obeys", || {
            let vitals = operator.agent("pythonic").unwrap().vitals;
            let is_obeyed = vitals.command.is_none_or(|it| it.obeyed_ms.is_some());
            vitals.state == expected && is_obeyed
        });
    }
}

#[test]
fn a_copy_of_a_process_is_live_in_a_session_of_its_own() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    // One goes on in step with the original, the other with sequences that were used long ago.
    let copies = [("in-step", "--copy-delay-ms=0", 1), ("behind", "--copy-delay-ms=2000", 2)];
    for (name, delay, request_id) in copies {
        let options = ["--interval-ms=150", "--beats=40", "--ok=1", "--copy-after=5", delay];
        let mut original = env.start_spec_emitter(name, collector.address(), &options);
        let vitals = || operator.agent(name).map(|it| it.vitals);
        wait_until("both speak", || vitals().is_some_and(|it| it.reason == Some(Reason::Conflict)));
        assert_eq!(vitals().unwrap().starts, 2);
        original.wait();
        wait_until("the copy is live", || vitals().unwrap().state == State::Healthy);
        operator.command(Action::Kill, &[name], request_id);
        wait_until("a kill reaches it", || {
            vitals().unwrap().command.is_some_and(|it| it.obeyed_ms.is_some())
        });
    }
}
