//! Kill means killed.

use heartline_operator::client::ClientError;
use heartline_operator::message::{
    AgentCommand, AgentVitals, CommandOutcome, ErrorCode, EventKind, Reply, Request,
};
use heartline_tests::world::{Operator, World, wait_until};
use heartline_vocabulary::{Action, CommandRefusal, Reason, State};
use serde_json::Value;

const AGENT: &str = "doomed";

fn vitals(operator: &Operator) -> AgentVitals {
    operator.agent(AGENT).expect("it is known").vitals
}

fn wait_until_state(operator: &Operator, state: State) {
    wait_until(&format!("it is {state:?}"), || {
        operator.agent(AGENT).is_some_and(|it| it.vitals.state == state)
    });
}

#[test]
fn a_kill_is_durable_before_it_is_acknowledged() {
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let _agent = world.emitter(AGENT, collector.address(), 60_000).start();
    wait_until_state(&operator, State::Healthy);
    let address = collector.address();
    // Kill and resume in turn: whatever was acknowledged last must be what the next one knows.
    for generation in 1..=6 {
        let action = if generation % 2 == 1 { Action::Kill } else { Action::Resume };
        let outcome = operator.order(action, &[AGENT], generation);
        collector.kill_9();
        assert_eq!(outcome.targets[0].generation, generation);

        collector = world.start_collector_at(address);
        let is_killed = vitals(&operator).state == State::Killed;
        assert_eq!(is_killed, action == Action::Kill, "after the crash that followed {action:?}");
        // The same command again, as an operator sends it whose answer was lost.
        let again = operator.order(action, &[AGENT], generation);
        assert_eq!(again.targets, outcome.targets, "a repeated command is answered as before");
    }
}

#[test]
fn a_kill_is_obeyed_and_outlives_collector_and_agent() {
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let mut agent = world.start_agent(AGENT, collector.address(), 200);
    wait_until("it works", || operator.agent(AGENT).is_some_and(|it| it.total.ok > 2));

    operator.order(Action::Kill, &[AGENT], 1);
    agent.wait_for_line("it is told", |line| line.starts_with("killed").then_some(()));
    wait_until("it says that it obeys", || {
        vitals(&operator).command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    let command = vitals(&operator).command.unwrap();
    assert!(command.delivered_ms <= command.obeyed_ms);
    assert_eq!((command.draining, command.disobeyed), (0, false));
    assert_eq!(
        (vitals(&operator).state, vitals(&operator).reason),
        (State::Killed, Some(Reason::Operator))
    );

    // Its restart is no escape, and its silence is no outage.
    agent.kill_9();
    let last_beat_ms = vitals(&operator).last_beat_ms.unwrap();
    wait_until("it is silent for far more than 10 intervals", || {
        operator.collector().at_ms > last_beat_ms + 3_000
    });
    assert_eq!(vitals(&operator).state, State::Killed);
    let done = operator.agent(AGENT).unwrap().total;
    let mut agent = world.start_agent(AGENT, collector.address(), 200);
    agent.wait_for_line("it remembers", |line| line.starts_with("killed").then_some(()));
    wait_until("it beats again", || vitals(&operator).starts == 2);

    // Nor is the collector's.
    let address = collector.address();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = world.start_collector_at(address);
    let beats = vitals(&operator).beats;
    wait_until("it beats on", || vitals(&operator).beats > beats + 5);
    assert_eq!(vitals(&operator).state, State::Killed);
    assert_eq!(operator.agent(AGENT).unwrap().total, done, "a killed agent did something");

    operator.order(Action::Resume, &[AGENT], 2);
    agent.wait_for_line("it is told", |line| line.starts_with("resumed").then_some(()));
    wait_until_state(&operator, State::Healthy);
    wait_until("it works again", || operator.agent(AGENT).unwrap().total.ok > done.ok);
    let obeyed = |kind: &EventKind| matches!(kind, EventKind::Obeyed { .. });
    wait_until("that it obeyed both is stored", || {
        operator.events_of(AGENT).iter().filter(|it| obeyed(&it.kind)).count() == 2
    });
    let events = operator.events_of(AGENT);
    let is_outage = |kind: &EventKind| {
        matches!(kind, EventKind::Transition { to: State::Unreachable | State::Degraded, .. })
    };
    assert!(!events.iter().any(|it| is_outage(&it.kind)), "{events:#?}");
}

#[test]
fn a_killed_emitter_begins_nothing_and_ends_what_it_began() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let mut worker = world.start_worker(AGENT, collector.address(), 1);
    let held = worker.emitter().task();
    wait_until("it works", || worker.begun() > 20);
    wait_until("it is known", || operator.agent(AGENT).is_some_and(|it| it.vitals.in_flight > 0));

    operator.order(Action::Kill, &[AGENT], 1);
    wait_until("it is killed", || worker.emitter().killed());
    wait_until("one task is still in flight", || {
        vitals(&operator).command.is_some_and(|it| it.draining == 1 && it.delivered_ms.is_some())
    });
    let begun = worker.begun();
    assert_eq!(vitals(&operator).command.unwrap().obeyed_ms, None, "it is not quiet yet");
    held.fail();
    wait_until("it is quiet", || {
        vitals(&operator).command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    assert_eq!(worker.begun(), begun, "it began a task after it was killed");
    assert!(!vitals(&operator).command.unwrap().disobeyed);

    operator.order(Action::Resume, &[AGENT], 2);
    wait_until("it works again", || worker.begun() > begun + 20);
    let deeds = worker.finish();
    let total = || operator.agent(AGENT).unwrap().total;
    wait_until("all of it is counted", || total().ok >= deeds.0.ok);
    assert_eq!(total().failed, deeds.0.failed + 1, "the task that was held counts too");
}

#[test]
fn what_an_order_must_say() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let agents: Vec<_> = (0..6)
        .map(|n| world.emitter(&format!("mail.{n}"), collector.address(), 60_000).start())
        .collect();
    wait_until("all are healthy", || operator.collector().summary.healthy == 6);
    let mut id = 100;
    let mut answer = |operator: &Operator, agents: &[&str], reason: &str, expect| {
        id += 1;
        let agents = agents.iter().map(ToString::to_string).collect();
        let reason = reason.to_owned();
        operator.ask(&Request::Command(AgentCommand {
            request_id: id,
            action: Action::Kill,
            agents,
            reason,
            expect,
        }))
    };
    let mut refusal =
        |agents: &[&str], reason: &str, expect| match answer(&operator, agents, reason, expect) {
            Ok(Reply::Command(CommandOutcome { refused: Some(why), targets, .. })) => {
                assert!(targets.is_empty());
                why
            }
            other => panic!("{agents:?} were killed: {other:?}"),
        };
    let two = ["mail.1", "mail.2"];
    assert_eq!(refusal(&["mail.1"], "  ", None), CommandRefusal::NoReason);
    assert_eq!(refusal(&[], "why", None), CommandRefusal::NoAgents);
    let unknown = CommandRefusal::UnknownAgents(vec!["nobody".to_owned()]);
    assert_eq!(refusal(&["mail.1", "nobody"], "why", Some(2)), unknown);
    for expected in [None, Some(1), Some(3)] {
        let not_confirmed = CommandRefusal::CountNotConfirmed { hits: 2, expected };
        assert_eq!(refusal(&two, "why", expected), not_confirmed, "two of six");
    }
    let looking = world.operator().looking_only();
    match answer(&looking, &two, "why", Some(2)) {
        Err(ClientError::Refused { code: ErrorCode::NotAllowed, .. }) => {}
        other => panic!("who may only look has killed: {other:?}"),
    }
    assert_eq!(operator.collector().summary.killed, 0, "nothing of this was done");

    match answer(&operator, &two, "why", Some(2)) {
        Ok(Reply::Command(CommandOutcome { refused: None, targets, .. })) => {
            assert!(targets.len() == 2 && targets.iter().all(|it| it.changed));
        }
        other => panic!("{other:?}"),
    }
    let once_more = operator.order(Action::Kill, &["mail.1"], 1);
    assert!(!once_more.targets[0].changed, "it was killed before");
    assert_eq!(operator.collector().summary.killed, 2);
    drop(agents);
}

#[test]
fn the_command_line_kills_and_resumes() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let _agent = world.emitter(AGENT, collector.address(), 200).start();
    wait_until_state(&operator, State::Healthy);
    let run = |words: &str| {
        let output = world.heartline(words);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run("kill doomed --reason test --yes --expect 2");
    assert_eq!(code, Some(1), "with a wrong count: {said}");
    assert_eq!(run("kill doomed --yes").0, Some(2), "without a reason");
    let (code, said) = run("--read-only kill doomed --reason test --yes --expect 1");
    assert_ne!(code, Some(0), "{said}");
    assert_eq!(vitals(&operator).state, State::Healthy);

    let (code, said) = run("kill doomed --reason test --yes --expect 1 --wait 20s --json");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(vitals(&operator).state, State::Killed);
    assert_eq!(run("status --fail-on killed").0, Some(1));
    let (code, said) = run("resume doomed --yes --expect 1 --wait 20s");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(run("status --fail-on killed,degraded,unreachable").0, Some(0));
    let all = ["kill", "resume", "obeyed", "session", "registered", "transition"];
    wait_until("all of it is told", || {
        let events = world.heartline("events --json --since 1h").stdout;
        let events = String::from_utf8(events).expect("JSON is UTF-8");
        let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].clone();
        let kinds: Vec<Value> = events.lines().map(kind).collect();
        all.iter().all(|kind| kinds.iter().any(|it| it == kind))
    });
}
