//! Agents that are asked to end by SIGTERM or SIGINT, as service managers and terminals do.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use heartline_operator::message::{Event, EventKind};
use heartline_tests::harness::{TestEnvironment, TestOperator, TestProcess, wait_until};
use heartline_vocabulary::{Reason, State};
use rustix::process::{Pid, Signal, kill_process};

const AGENTS: usize = 20;

fn is(operator: &TestOperator, name: &str, state: State) -> bool {
    operator.agent(name).is_some_and(|it| it.vitals.state == state)
}

/// Waits until the collector knows that an agent has said goodbye.
#[track_caller]
fn wait_for_goodbye(operator: &TestOperator, name: &str) {
    wait_until(&format!("{name} has said goodbye"), || {
        operator.agent(name).is_some_and(|it| it.vitals.reason == Some(Reason::Shutdown))
    });
}

/// Returns a command for an agent that handles signals in this way.
fn agent(env: &TestEnvironment, collector: SocketAddr, name: &str, handling: &str) -> Command {
    let mut command = env.command(env!("CARGO_BIN_EXE_signal_agent"));
    command.args([name, handling]);
    command.env("HEARTLINE_COLLECTOR", collector.to_string());
    command.env("HEARTLINE_INTERVAL", "200ms");
    command
}

#[test]
fn a_rolling_restart_of_20_agents_makes_no_outage() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let name = |n: usize| format!("roll-{n}");
    let start = |n: usize| env.start_agent(&name(n), collector.address(), 200);
    let mut agents: Vec<TestProcess> = (0..AGENTS).map(start).collect();
    wait_until("all are healthy", || operator.collector().summary.healthy as usize == AGENTS);
    for (n, agent) in agents.iter_mut().enumerate() {
        let signal = if n % 2 == 0 { Signal::TERM } else { Signal::INT };
        agent.signal(signal);
        let status = agent.wait();
        assert_eq!(status.signal(), Some(signal.as_raw()), "it ends by the signal: {status:?}");
        wait_for_goodbye(&operator, &name(n));
        *agent = start(n);
        wait_until("it is healthy again", || is(&operator, &name(n), State::Healthy));
    }
    let transitions = || {
        let events = operator.events().into_iter();
        let transition = |event: Event| match event.kind {
            EventKind::Transition { to, reason, .. } => Some((event.agent, to, reason)),
            _ => None,
        };
        events.filter_map(transition).collect::<Vec<_>>()
    };
    let stopped = |(_, _, reason): &&(Option<String>, State, Option<Reason>)| {
        *reason == Some(Reason::Shutdown)
    };
    wait_until("all is stored", || transitions().iter().filter(stopped).count() == AGENTS);
    for transition in &transitions() {
        let is_outage = transition.1 != State::Healthy && !stopped(&transition);
        assert!(!is_outage, "{transition:?}");
    }
}

#[test]
fn a_program_that_handles_a_signal_itself_ends_as_it_likes() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let cases = [
        ("before", Signal::TERM),
        ("before", Signal::INT),
        ("after", Signal::TERM),
        ("after", Signal::INT),
        ("ctrl-c", Signal::INT),
    ];
    for (n, (handling, signal)) in cases.into_iter().enumerate() {
        let name = format!("orderly-{n}");
        let mut process =
            TestProcess::start(&mut agent(&env, collector.address(), &name, handling));
        wait_until("it works", || operator.agent(&name).is_some_and(|it| it.vitals.total.ok > 0));
        process.signal(signal);
        let status = process.wait();
        assert_eq!(status.code(), Some(0), "{handling}, {signal:?}: {status:?}");
        wait_until("its last line is read", || {
            process.stdout().last().is_some_and(|line| line == "ended in order")
        });
        wait_for_goodbye(&operator, &name);
    }
}

#[test]
fn a_program_that_does_not_handle_a_signal_ends_by_it_after_a_goodbye() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let cases = [
        ("not", Signal::TERM),
        ("not", Signal::INT),
        ("two-agents", Signal::TERM),
        ("children", Signal::TERM),
        ("ctrl-c", Signal::TERM),
    ];
    for (n, (handling, signal)) in cases.into_iter().enumerate() {
        let name = format!("plain-{n}");
        let mut process =
            TestProcess::start(&mut agent(&env, collector.address(), &name, handling));
        let all = match handling {
            "two-agents" => vec![name.clone(), format!("{name}.second")],
            _ => vec![name],
        };
        for name in &all {
            wait_until("it is healthy", || is(&operator, name, State::Healthy));
        }
        process.wait_for_line("it has set its handlers", |line| (line == "started").then_some(()));
        process.signal(signal);
        let status = process.wait();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{handling}, {signal:?}: {status:?}");
        for name in &all {
            wait_for_goodbye(&operator, name);
        }
    }
}

#[test]
fn ignored_signals_stay_ignored_and_left_ones_say_no_goodbye() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut ignoring = env.command("sh");
    let program = agent(&env, collector.address(), "ignoring", "not");
    ignoring.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(program.get_program());
    ignoring.args(program.get_args()).envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let mut ignoring = TestProcess::start(&mut ignoring);
    let mut left = TestProcess::start(&mut agent(&env, collector.address(), "left", "left"));
    for name in ["ignoring", "left"] {
        wait_until("it is healthy", || is(&operator, name, State::Healthy));
    }
    ignoring.signal(Signal::INT);
    left.signal(Signal::TERM);
    assert_eq!(left.wait().signal(), Some(Signal::TERM.as_raw()));
    wait_until("the other one is missed", || is(&operator, "left", State::Unreachable));
    assert!(!ignoring.has_ended() && is(&operator, "ignoring", State::Healthy));
    ignoring.signal(Signal::TERM);
    assert_eq!(ignoring.wait().signal(), Some(Signal::TERM.as_raw()));
    wait_for_goodbye(&operator, "ignoring");
}

/// The kernel drops signals whose default would end the first process of a container.
#[test]
fn the_first_process_of_a_container_says_goodbye_and_ends() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let program = agent(&env, collector.address(), "first", "not");
    let mut container = env.command("unshare");
    if !rustix::process::geteuid().is_root() {
        container.arg("--map-root-user");
    }
    container.args(["--pid", "--fork"]).arg(program.get_program()).args(program.get_args());
    container.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut container = TestProcess::start(&mut container);
    container.wait_for_line(
        "it starts in a namespace of its own; if this machine does not let it, run this test as \
         root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
        |line| (line == "started").then_some(()),
    );
    wait_until("it is healthy", || is(&operator, "first", State::Healthy));
    assert_eq!(operator.agent("first").and_then(|it| it.identity.pid), Some(1));
    let children = format!("/proc/{0}/task/{0}/children", container.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let first = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    kill_process(first, Signal::TERM).unwrap();
    assert_eq!(container.wait().code(), Some(128 + Signal::TERM.as_raw()));
    wait_for_goodbye(&operator, "first");
}
