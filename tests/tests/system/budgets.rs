//! Budgets: an agent stops by itself at the end of its budget, whatever its interval, and is killed durably.

use heartline_operator::message::EventKind;
use heartline_tests::harness::{
    TestEnvironment, TestOperator, TestProcess, TestedProgram, wait_until,
};
use heartline_vocabulary::{Action, Reason, State};
use serde_json::Value;

const AGENT: &str = "burner";
/// What one task of `minimal_agent` costs, in nano-dollars.
const TASK: u64 = 200_000;

/// Returns the config of a budget of ten tasks of `minimal_agent`.
fn budget(more: &str) -> String {
    format!(
        "[[budget]]\nname = \"burn\"\nmatch = \"burn*\"\ncost = \"$0.002\"\nper = \"day\"\n{more}"
    )
}

fn is_killed_by_policy(operator: &TestOperator) -> bool {
    operator.agent(AGENT).is_some_and(|it| {
        (it.vitals.state, it.vitals.reason) == (State::Killed, Some(Reason::Policy))
    })
}

fn spent(operator: &TestOperator) -> u64 {
    operator.agent(AGENT).map_or(0, |it| it.vitals.total.cost_nano_usd)
}

/// The kill alone would come with the beat after the next: 50 tasks later.
#[test]
fn an_agent_that_beats_every_10_s_stops_at_the_task_that_uses_its_budget_up() {
    let env = TestEnvironment::new();
    env.configure(&budget("at_limit = \"kill\"\n"));
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut agent = env.start_agent(AGENT, collector.address(), 10_000);
    agent.wait_for_line("it has stopped", |line| {
        (line == "live, stopped: its budget is used up" || line == "live, killed").then_some(())
    });
    wait_until("the kill is durable and obeyed", || {
        let agent = operator.agent(AGENT);
        let command = agent.and_then(|it| it.vitals.command);
        is_killed_by_policy(&operator) && command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    assert_eq!(spent(&operator), 10 * TASK, "ten tasks, and not one more");
    let told: Vec<u32> = operator
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Budget { budget, percent, .. } if budget == "burn" => Some(*percent),
            _ => None,
        })
        .collect();
    assert_eq!(told.last(), Some(&100), "{told:?}");

    // What was spent, and the kill, outlive the collector.
    let address = collector.address();
    collector.kill_9();
    let _collector = env.start_collector_at(address);
    let shown = env.heartline("budgets --json");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let shown = &shown["budgets"][0];
    assert_eq!((&shown["used"], &shown["share"]), (&Value::from(10 * TASK), &Value::from(1.0)));
    assert!(is_killed_by_policy(&operator));

    // An operator who resumes lifts the budget until the next day.
    operator.command(Action::Resume, &[AGENT], 1);
    wait_until("it works beyond its budget", || {
        operator.agent(AGENT).is_some_and(|it| it.vitals.state == State::Healthy)
    });
    assert!(operator.detail(AGENT).budgets[0].is_lifted);
}

#[test]
fn a_process_below_a_supervisor_stops_by_the_budget_of_its_agent() {
    let env = TestEnvironment::new();
    // Its emitter may hear of the budget with its second beat only, after five tasks.
    env.configure(&budget("at_limit = \"kill\"\n").replace("0.002", "0.004"));
    let collector = env.start_collector();
    let operator = env.operator();
    let mut command = env.command(TestedProgram::Heartline.path());
    command
        .args(["run", "--agent", AGENT, "--"])
        .arg(TestedProgram::MinimalAgent.path())
        .arg(AGENT);
    command.env("HEARTLINE_COLLECTOR", collector.address().to_string());
    command.env("HEARTLINE_INTERVAL", "1s");
    let _supervisor = TestProcess::start(&mut command);
    wait_until("it is killed by its budget", || is_killed_by_policy(&operator));
    wait_until("its process has ended", || {
        let command = operator.agent(AGENT).and_then(|it| it.vitals.command);
        command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    assert_eq!(spent(&operator), 20 * TASK);
}

#[test]
fn a_budget_that_is_reloaded_goes_on_with_what_was_spent_before() {
    let env = TestEnvironment::new();
    env.configure("");
    let mut collector = env.start_collector();
    let operator = env.operator();
    let _agent = env.start_agent(AGENT, collector.address(), 200);
    wait_until("it has spent something", || spent(&operator) >= 5 * TASK);
    env.configure(&budget("").replace("0.002", "100"));
    collector.process().signal(rustix::process::Signal::HUP);
    wait_until("the budget is there", || !operator.detail(AGENT).budgets.is_empty());
    // Both are of one answer of the driver.
    let detail = operator.detail(AGENT);
    assert_eq!(detail.budgets[0].own, detail.entry.vitals.total.cost_nano_usd);

    env.configure("[[budget]]\nname = \"none\"\ngroup = \"nobody\"\ntasks = 1\nper = \"hour\"\n");
    collector.process().signal(rustix::process::Signal::HUP);
    wait_until("a budget for nobody is told", || {
        operator.collector().banners.iter().any(|it| it.starts_with("the budget none: no agent"))
    });
    assert!(operator.detail(AGENT).budgets.is_empty());
}
