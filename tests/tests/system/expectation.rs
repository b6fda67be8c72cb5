//! Tasks that are expected of agents, with a real collector.

use heartline_operator::message::EventKind;
use heartline_tests::harness::{CollectorProcess, TestEnvironment, TestOperator, wait_until};
use heartline_vocabulary::{Reason, State};
use rustix::process::Signal;

/// Tasks that are expected of desks within 2 s, all day long by the clocks of Berlin.
fn expecting(tasks: u32) -> String {
    format!(
        "[[agent]]\nmatch = \"desk.*\"\n\
         expect = {{ at_least = {tasks}, in = \"2s\", during = \"00:00-24:00\", zone = \"Europe/Berlin\" }}\n"
    )
}

fn reload(env: &TestEnvironment, collector: &mut CollectorProcess, config: &str) {
    env.configure(config);
    collector.process().signal(Signal::HUP);
}

fn state(operator: &TestOperator, agent: &str) -> Option<(State, Option<Reason>)> {
    operator.agent(agent).map(|it| (it.vitals.state, it.vitals.reason))
}

/// Returns why an agent became idle, in the words of its transitions.
fn idle_causes(operator: &TestOperator, agent: &str) -> Vec<String> {
    let cause = |kind| match kind {
        EventKind::Transition { reason: Some(Reason::Idle), cause, .. } => cause,
        _ => None,
    };
    operator.events_of(agent).into_iter().filter_map(|event| cause(event.kind)).collect()
}

#[test]
fn an_agent_that_ends_too_few_tasks_is_idle_until_enough_have_ended() {
    const IDLE: Option<(State, Option<Reason>)> = Some((State::Degraded, Some(Reason::Idle)));
    const HEALTHY: Option<(State, Option<Reason>)> = Some((State::Healthy, None));
    let env = TestEnvironment::new();
    env.configure(&expecting(1));
    let mut collector = env.start_collector();
    let start = |name: &str| env.emitter(name, collector.address(), 100).start();
    let (_other, desk) = (start("mail.1"), start("desk.1"));
    let operator = env.operator();
    wait_until("it is idle", || state(&operator, "desk.1") == IDLE);
    let words = "expected on all days Europe/Berlin";
    assert_eq!(idle_causes(&operator, "desk.1"), [format!("0 tasks in 2s; at least 1 {words}")]);
    assert_eq!(state(&operator, "mail.1"), HEALTHY, "nothing is expected of it");

    wait_until("it is well again", || {
        desk.report(heartline::Report::ok());
        state(&operator, "desk.1") == HEALTHY
    });
    reload(&env, &mut collector, &expecting(1_000_000));
    wait_until("the same tasks are too few", || {
        desk.report(heartline::Report::ok());
        state(&operator, "desk.1") == IDLE
    });
    let causes = idle_causes(&operator, "desk.1");
    let last = causes.iter().find(|cause| cause.contains("at least 1000000 expected on all days"));
    assert!(last.is_some_and(|cause| !cause.starts_with("0 tasks")), "{causes:?}");
    reload(&env, &mut collector, "");
    wait_until("nothing is expected any more", || state(&operator, "desk.1") == HEALTHY);
}

#[test]
fn an_agent_with_one_long_task_does_what_is_expected_of_it() {
    let env = TestEnvironment::new();
    env.configure(&expecting(1));
    let collector = env.start_collector();
    let start = |name: &str| env.emitter(name, collector.address(), 100).start();
    let long = start("desk.2");
    let _task = long.task();
    let operator = env.operator();
    wait_until("it works", || operator.agent("desk.2").is_some_and(|it| it.vitals.in_flight == 1));
    let _desk = start("desk.1");
    wait_until("the one that came later is idle", || {
        state(&operator, "desk.1").is_some_and(|(_, reason)| reason == Some(Reason::Idle))
    });
    assert_eq!(state(&operator, "desk.2"), Some((State::Healthy, None)));
}
