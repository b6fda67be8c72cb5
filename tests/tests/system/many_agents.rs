//! Commands for many agents, which the collector finds by name, pattern or filter.

use heartline_operator::message::{
    AgentCommand, AgentSelector, CommandOutcome, ForgetCommand, Reply, Request, SelectionPreview,
};
use heartline_tests::harness::{CollectorProcess, TestEnvironment, TestOperator, wait_until};
use heartline_vocabulary::{Action, CommandRefusal, State};
use rusqlite::Connection;
use serde_json::Value;

/// Agents of the large fleet.
const AGENTS: u32 = 100_000;

/// Starts a collector that knows a large fleet from before, with ids as long as real ones.
fn start_large_fleet(env: &TestEnvironment) -> CollectorProcess {
    assert_eq!(env.start_collector().terminate().code(), Some(0));
    let mut conn = Connection::open(env.data_dir().join("control.db")).unwrap();
    let tx = conn.transaction().unwrap();
    let mut insert = tx
        .prepare(
            "INSERT INTO agents (id, name, first_seen_ms, interval_ms) VALUES (?1, ?2, 1, 500)",
        )
        .unwrap();
    for id in 1..=AGENTS {
        insert.execute((id, format!("region-eu-west.customer-mail.worker-{id:06}"))).unwrap();
    }
    drop(insert);
    tx.commit().unwrap();
    env.start_collector()
}

fn preview(operator: &TestOperator, agents: AgentSelector) -> SelectionPreview {
    match operator.request(&Request::Preview { agents, list: 3 }) {
        Ok(Reply::Preview(preview)) => *preview,
        other => panic!("there is no preview: {other:?}"),
    }
}

fn carried_out(operator: &TestOperator, command: &AgentCommand) -> CommandOutcome {
    match operator.request(&Request::Command(command.clone())) {
        Ok(Reply::Command(outcome)) => outcome,
        other => panic!("it is not carried out: {other:?}"),
    }
}

fn filter(text: &str) -> AgentSelector {
    AgentSelector::Filter(text.to_owned())
}

#[test]
fn a_hundred_thousand_agents_are_killed_resumed_and_forgotten_by_one_command_each() {
    let env = TestEnvironment::new();
    let _collector = start_large_fleet(&env);
    let operator = env.operator();
    let count = || operator.collector().summary;
    assert_eq!(count().total, AGENTS);

    let run = |args: &str| {
        let output = env.heartline(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let (code, _, stderr) = run("kill region-eu-west.* --reason test --yes --expect 99999");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("would hit 100000 agents"), "{stderr}");
    let (code, document, stderr) =
        run("kill region-eu-west.* --reason test --yes --expect 100000 --json");
    assert_eq!(code, Some(0), "{stderr}");
    let document: Value = serde_json::from_str(&document).unwrap();
    let targets = document["targets"].as_array().unwrap();
    assert_eq!(targets.len(), AGENTS as usize, "all of them are in the answer");
    assert!(targets.iter().all(|target| target["generation"] == 1));
    assert_eq!(count().killed, AGENTS);

    // Killed agents can't be forgotten; exact ids do not fit one frame, and are taken all the same.
    let names: Vec<String> =
        targets.iter().map(|target| target["agent"].as_str().unwrap().to_owned()).collect();
    let all = AgentSelector::Names(names);
    let forget = ForgetCommand { agents: all.clone(), expect: Some(AGENTS), fingerprint: None };
    let refused = operator.request(&Request::Forget(forget.clone())).unwrap_err();
    assert!(refused.to_string().contains("resume it"), "{refused}");
    let resume = AgentCommand {
        request_id: 7,
        action: Action::Resume,
        agents: all,
        reason: String::new(),
        expect: Some(AGENTS),
        fingerprint: None,
    };
    let outcome = carried_out(&operator, &resume);
    assert_eq!(outcome.targets.len(), AGENTS as usize);
    let again = carried_out(&operator, &resume);
    assert!(again.targets == outcome.targets, "a repeated command is answered as before");

    let (code, _, stderr) = run("forget --filter agent:region-eu-west.* --yes --expect 100000");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("forgotten: 100000 agents"), "{stderr}");
    assert_eq!(count().total, 0);
}

#[test]
fn patterns_and_filters_are_found_by_the_collector() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agents: Vec<_> = ["mail.1", "mail.2", "web"]
        .map(|name| env.emitter(name, collector.address(), 200).start())
        .into_iter()
        .collect();
    wait_until("all are healthy", || operator.collector().summary.healthy == 3);
    agents[1].task().fail();

    // A filter reads the work of the last hour, which the core does not keep.
    wait_until("its failure is counted", || preview(&operator, filter("failed>0")).hits == 1);
    let failing = preview(&operator, filter("failed>0 agent:mail.*"));
    assert_eq!(failing.first[0].agent, "mail.2");
    let mails = preview(&operator, AgentSelector::Names(vec!["mail.*".into(), "mail.1".into()]));
    assert_eq!((mails.hits, mails.states.healthy, mails.first.len()), (2, 2, 2));
    let (shown, _) = operator.snapshot(&filter("agent:mail.*")).unwrap();
    assert_eq!(shown.len(), 2);

    // Events are found by their agents as they are now.
    let events = |agents: &str| {
        let printed = env.heartline(&format!("events --json --since 1h --filter {agents}")).stdout;
        String::from_utf8(printed).unwrap()
    };
    let of_failing = events("failed>0");
    assert!(of_failing.contains("mail.2") && !of_failing.contains("mail.1"), "{of_failing}");
    assert_eq!(events("failed>1"), "");

    // A name that is unknown, and one that could have been meant.
    let unknown = preview(&operator, AgentSelector::Names(vec!["web".into(), "mial.1".into()]));
    assert_eq!((unknown.hits, unknown.unknown.len()), (1, 1));
    assert_eq!(unknown.unknown[0].similar, ["mail.1"]);

    // A command that would hit others than were shown is refused.
    let command = |request_id, fingerprint| {
        let command = AgentCommand {
            request_id,
            action: Action::Kill,
            agents: filter("failed>0"),
            reason: "for a test".to_owned(),
            expect: Some(1),
            fingerprint,
        };
        carried_out(&operator, &command)
    };
    let other = command(1, Some(mails.fingerprint));
    assert_eq!(other.refused, Some(CommandRefusal::TargetsChanged));
    let killed = command(2, Some(failing.fingerprint));
    assert_eq!((killed.refused, killed.targets[0].agent.as_ref()), (None, "mail.2"));
    assert_eq!(operator.agent("mail.2").unwrap().vitals.state, State::Killed);
}

#[test]
fn a_command_is_answered_as_before_when_its_filter_finds_nothing_any_more() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let _agent = env.emitter("mail.1", collector.address(), 60_000).start();
    wait_until("it is healthy", || operator.collector().summary.healthy == 1);
    let command = AgentCommand {
        request_id: 9,
        action: Action::Kill,
        agents: filter("state:healthy"),
        reason: "for a test".to_owned(),
        expect: Some(1),
        fingerprint: None,
    };
    let first = carried_out(&operator, &command);
    assert_eq!((first.refused, first.targets.len()), (None, 1));
    assert_eq!(preview(&operator, filter("state:healthy")).hits, 0);
    let again = carried_out(&operator, &command);
    assert_eq!((again.refused, again.targets), (None, first.targets));
}

#[test]
fn agents_are_forgotten_by_pattern_and_filter_unless_they_beat() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let names = ["mail.1", "mail.2", "mail.3", "web"];
    let agents = names.map(|name| env.emitter(name, collector.address(), 60_000).start());
    wait_until("all are healthy", || operator.collector().summary.healthy == 4);
    agents[..3].iter().for_each(heartline::Heartline::stop);
    wait_until("three have stopped", || preview(&operator, filter("reason:shutdown")).hits == 3);
    let run = |args: &str| {
        let output = env.heartline(args);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = run("forget * --yes --expect 4");
    assert!(code == Some(1) && stderr.contains("web still beats"), "{stderr}");
    let (code, stderr) = run("forget mail.* --yes");
    assert!(code == Some(1) && stderr.contains("--expect 3"), "{stderr}");
    let (code, stderr) = run("forget --filter reason:shutdown --yes --expect 2");
    assert!(code == Some(1) && stderr.contains("would hit 3 agents, not 2"), "{stderr}");
    assert_eq!(operator.collector().summary.total, 4, "nothing was done");
    let (code, stderr) = run("forget mail.1");
    assert!(code == Some(0) && stderr.contains("forgotten: mail.1"), "{stderr}");
    let (code, stderr) = run("forget --filter reason:shutdown --yes --expect 2");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(operator.fleet().len(), 1);
    let (code, stderr) = run("forget mail.1");
    assert!(code == Some(1) && stderr.contains("no agent \"mail.1\""), "{stderr}");
}

#[test]
fn what_was_forgotten_stays_so_when_the_collector_is_killed_right_after_the_answer() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    for round in 0..10 {
        let operator = env.operator();
        let name = format!("gone-{round}");
        env.emitter(&name, collector.address(), 60_000).start().stop();
        wait_until("it has stopped", || operator.collector().summary.stopped == 1);
        // So that it is on disk.
        collector.terminate();
        collector = env.start_collector();
        let operator = env.operator();
        assert_eq!(operator.collector().summary.stopped, 1);
        let command = ForgetCommand {
            agents: AgentSelector::Names(vec![name.clone()]),
            expect: None,
            fingerprint: None,
        };
        let reply = operator.request(&Request::Forget(command)).unwrap();
        collector.kill_9();
        assert_eq!(reply, Reply::Forgotten { agents: vec![name] });
        collector = env.start_collector();
        assert_eq!(env.operator().fleet(), [], "round {round}");
    }
}
