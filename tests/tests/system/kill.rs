//! Kill and resume, from the command to the agent.

use heartline_operator::client::ClientError;
use heartline_operator::message::{
    AgentCommand, AgentSelector, AgentVitals, CommandOutcome, ErrorCode, EventKind, Reply, Request,
};
use heartline_tests::harness::{TestEnvironment, TestOperator, wait_until};
use heartline_vocabulary::{Action, CommandRefusal, Reason, State};
use serde_json::Value;

const AGENT: &str = "doomed";

fn vitals(operator: &TestOperator) -> AgentVitals {
    operator.agent(AGENT).expect("it is known").vitals
}

fn wait_until_state(operator: &TestOperator, state: State) {
    wait_until(&format!("it is {state:?}"), || {
        operator.agent(AGENT).is_some_and(|it| it.vitals.state == state)
    });
}

#[test]
fn a_kill_is_durable_before_it_is_acknowledged() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let _agent = env.emitter(AGENT, collector.address(), 60_000).start();
    wait_until_state(&operator, State::Healthy);
    let address = collector.address();
    // Kill and resume in turn: the next start must restore whatever was acknowledged last.
    for generation in 1..=6 {
        let action = if generation % 2 == 1 { Action::Kill } else { Action::Resume };
        let outcome = operator.command(action, &[AGENT], generation);
        collector.kill_9();
        assert_eq!(outcome.targets[0].generation, generation);

        collector = env.start_collector_at(address);
        let is_killed = vitals(&operator).state == State::Killed;
        assert_eq!(is_killed, action == Action::Kill, "after the crash that followed {action:?}");
        // The same command again, as after a lost reply.
        let again = operator.command(action, &[AGENT], generation);
        assert_eq!(again.targets, outcome.targets, "a repeated command is answered as before");
    }
}

#[test]
fn a_kill_is_obeyed_and_outlives_collector_and_agent() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut agent = env.start_agent(AGENT, collector.address(), 200);
    wait_until("it works", || operator.agent(AGENT).is_some_and(|it| it.vitals.total.ok > 2));

    operator.command(Action::Kill, &[AGENT], 1);
    agent.wait_for_line("it has applied the command", |line| {
        line.starts_with("killed").then_some(())
    });
    wait_until("it reports that it obeys", || {
        vitals(&operator).command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    let command = vitals(&operator).command.unwrap();
    assert!(command.delivered_ms <= command.obeyed_ms);
    assert_eq!((command.draining, command.disobeyed), (0, false));
    assert_eq!(
        (vitals(&operator).state, vitals(&operator).reason),
        (State::Killed, Some(Reason::Operator))
    );

    // It stays killed when it restarts, and its silence is no outage.
    agent.kill_9();
    let last_beat_ms = vitals(&operator).last_beat_ms.unwrap();
    wait_until("it is silent for far more than 10 intervals", || {
        operator.collector().at_ms > last_beat_ms + 3_000
    });
    assert_eq!(vitals(&operator).state, State::Killed);
    let done = operator.agent(AGENT).unwrap().vitals.total;
    let mut agent = env.start_agent(AGENT, collector.address(), 200);
    agent.wait_for_line("it remembers", |line| line.starts_with("killed").then_some(()));
    wait_until("it beats again", || vitals(&operator).starts == 2);

    // It stays killed when the collector restarts.
    let address = collector.address();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = env.start_collector_at(address);
    let beats = vitals(&operator).beats;
    wait_until("it beats on", || vitals(&operator).beats > beats + 5);
    assert_eq!(vitals(&operator).state, State::Killed);
    assert_eq!(operator.agent(AGENT).unwrap().vitals.total, done, "a killed agent did something");

    operator.command(Action::Resume, &[AGENT], 2);
    agent.wait_for_line("it has applied the command", |line| {
        line.starts_with("resumed").then_some(())
    });
    wait_until_state(&operator, State::Healthy);
    wait_until("it works again", || operator.agent(AGENT).unwrap().vitals.total.ok > done.ok);
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
fn a_killed_emitter_begins_no_task_and_may_end_those_in_flight() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut worker = env.start_worker(AGENT, collector.address(), 1);
    let held_task = worker.emitter().task();
    wait_until("it works", || worker.begun() > 20);
    wait_until("it is known", || operator.agent(AGENT).is_some_and(|it| it.vitals.in_flight > 0));

    operator.command(Action::Kill, &[AGENT], 1);
    wait_until("it is killed", || worker.emitter().killed());
    wait_until("one task is still in flight", || {
        vitals(&operator).command.is_some_and(|it| it.draining == 1 && it.delivered_ms.is_some())
    });
    let begun = worker.begun();
    assert_eq!(vitals(&operator).command.unwrap().obeyed_ms, None, "it is not quiet yet");
    held_task.fail();
    wait_until("it is quiet", || {
        vitals(&operator).command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    assert_eq!(worker.begun(), begun, "it began a task after it was killed");
    assert!(!vitals(&operator).command.unwrap().disobeyed);

    operator.command(Action::Resume, &[AGENT], 2);
    wait_until("it works again", || worker.begun() > begun + 20);
    let done = worker.finish();
    let total = || operator.agent(AGENT).unwrap().vitals.total;
    // The task that was held counts, too, in whichever beat it comes.
    wait_until("all of it is counted", || {
        (total().ok, total().failed) == (done.ok, done.failed + 1)
    });
}

#[test]
fn incomplete_commands_are_refused() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agents: Vec<_> = (0..6)
        .map(|n| env.emitter(&format!("mail.{n}"), collector.address(), 60_000).start())
        .collect();
    wait_until("all are healthy", || operator.collector().summary.healthy == 6);
    let mut id = 100;
    let mut answer = |operator: &TestOperator, agents: &[&str], reason: &str, expect| {
        id += 1;
        let agents = AgentSelector::Names(agents.iter().map(ToString::to_string).collect());
        let reason = reason.to_owned();
        operator.request(&Request::Command(AgentCommand {
            request_id: id,
            action: Action::Kill,
            agents,
            reason,
            expect,
            fingerprint: None,
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
    let read_only = env.operator().read_only();
    match answer(&read_only, &two, "why", Some(2)) {
        Err(ClientError::Refused { code: ErrorCode::NotAllowed, .. }) => {}
        other => panic!("killed through a read-only connection: {other:?}"),
    }
    assert_eq!(operator.collector().summary.killed, 0, "none of these was applied");

    match answer(&operator, &two, "why", Some(2)) {
        Ok(Reply::Command(CommandOutcome { refused: None, targets, .. })) => {
            assert!(targets.len() == 2 && targets.iter().all(|it| it.changed));
        }
        other => panic!("{other:?}"),
    }
    let once_more = operator.command(Action::Kill, &["mail.1"], 1);
    assert!(!once_more.targets[0].changed, "it was killed before");
    assert_eq!(operator.collector().summary.killed, 2);
    drop(agents);
}

#[test]
fn the_command_line_says_how_many_tasks_a_kill_still_waits_for() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agent = env.emitter(AGENT, collector.address(), 200).start();
    let held_tasks = [agent.task(), agent.task()];
    wait_until("both are known", || {
        operator.agent(AGENT).is_some_and(|it| it.vitals.in_flight == 2)
    });

    let output = env.heartline("kill doomed --reason test --yes --expect 1 --wait 1s");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("delivered in ") && stdout.contains("draining 2 tasks"), "{stdout}");
    assert_eq!(output.status.code(), Some(0), "it is on its way: {stdout}");
    let output = env.heartline("kill doomed --reason test --yes --expect 1 --wait 1s --json");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["targets"][0]["draining"].as_u64(), output.status.code()), (Some(2), Some(0)));

    held_tasks.into_iter().for_each(heartline::Task::fail);
    let output = env.heartline("kill doomed --reason test --yes --expect 1 --wait 20s");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("obeyed"), "{stdout}");
}

#[test]
fn the_command_line_kills_and_resumes() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let _agent = env.emitter(AGENT, collector.address(), 200).start();
    wait_until_state(&operator, State::Healthy);
    let run = |args: &str| {
        let output = env.heartline(args);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = run("kill doomed --reason test --yes --expect 2");
    assert_eq!(code, Some(1), "with a wrong count: {stderr}");
    assert_eq!(run("kill doomed --yes").0, Some(2), "without a reason");
    let (code, stderr) = run("--read-only kill doomed --reason test --yes --expect 1");
    assert_ne!(code, Some(0), "{stderr}");
    assert_eq!(vitals(&operator).state, State::Healthy);

    let (code, stderr) = run("kill doomed --reason test --yes --expect 1 --wait 20s --json");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(vitals(&operator).state, State::Killed);
    assert_eq!(run("status --fail-on killed").0, Some(1));
    let screen = String::from_utf8(env.heartline("snapshot").stdout).unwrap();
    let header = screen.lines().next().unwrap();
    assert!(header.contains("ms │ ") && !header.contains("-ms"), "its round trip: {header}");
    let (code, stderr) = run("resume doomed --yes --expect 1 --wait 20s");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(run("status --fail-on killed,degraded,unreachable").0, Some(0));
    let all = ["kill", "resume", "obeyed", "session", "registered", "transition"];
    wait_until("all of it is in the events", || {
        let events = env.heartline("events --json --since 1h").stdout;
        let events = String::from_utf8(events).expect("JSON is UTF-8");
        let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].clone();
        let kinds: Vec<Value> = events.lines().map(kind).collect();
        all.iter().all(|kind| kinds.iter().any(|it| it == kind))
    });
}
