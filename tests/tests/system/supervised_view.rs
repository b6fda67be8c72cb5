//! What operators see of programs under `heartline run`.

use std::process::Command;

use heartline_operator::message::EventKind;
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestProcess, TestedProgram, wait_until,
};
use heartline_vocabulary::{Reason, State};
use rustix::process::{Pid, Signal, kill_process};

/// Returns `heartline run` for an agent; the program is to follow.
fn run(env: &TestEnvironment, collector: &CollectorProcess, flags: &[&str]) -> Command {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.arg("run").args(flags).arg("--");
    command.env("HEARTLINE_COLLECTOR", collector.address().to_string());
    command.env("HEARTLINE_INTERVAL", "200ms");
    command
}

/// Returns what `heartline` prints.
#[track_caller]
fn printed(env: &TestEnvironment, args: &[&str]) -> String {
    let mut command = env.command(TestedProgram::Heartline.path());
    let output = command.args(args).output().expect("heartline can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

const LINES: [&str; 3] =
    ["Traceback (most recent call last):", "  File \"totals.py\", line 41", "KeyError: 'total'"];

#[track_caller]
fn assert_shows_crash(env: &TestEnvironment) {
    let cause = "exit code 3: KeyError: 'total'";
    let text = printed(env, &["agent", "totals"]);
    assert!(text.contains(&format!("process    gone: {cause}")), "{text}");
    for line in LINES {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let events = printed(env, &["events", "--json", "--filter", "reason:crashed"]);
    let event: serde_json::Value = serde_json::from_str(events.trim()).expect("one event");
    assert_eq!((&event["cause"], &event["agent"]), (&cause.into(), &"totals".into()));
    assert_eq!(event["last_lines"], serde_json::json!(LINES));
    let agent: serde_json::Value =
        serde_json::from_str(&printed(env, &["agent", "totals", "--json"])).unwrap();
    assert_eq!((&agent["reason"], &agent["process"]), (&"crashed".into(), &().into()));
    let of_agent = agent["events"].as_array().unwrap();
    assert!(of_agent.iter().any(|it| it["last_lines"] == event["last_lines"]), "{agent}");
}

#[test]
fn the_last_lines_of_a_crash_are_shown_and_outlive_the_collector() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let mut command = run(&env, &collector, &["--agent", "totals", "--report-stderr"]);
    let script = LINES.map(|line| format!("echo \"{}\" >&2", line.replace('"', "\\\""))).join("\n");
    let mut process = TestProcess::start(command.args(["sh", "-c", &format!("{script}\nexit 3")]));
    assert_eq!(process.wait().code(), Some(3));
    let operator = env.operator();
    wait_until("the crash is stored", || {
        operator.events_of("totals").iter().any(|event| event.kind.is_crash())
    });
    assert_shows_crash(&env);
    let address = collector.address();
    collector.kill_9();
    let _collector = env.start_collector_at(address);
    assert_shows_crash(&env);
}

#[test]
fn a_program_that_hangs_is_told_from_one_that_is_gone() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut command = run(&env, &collector, &["--agent", "mail"]);
    let mut process =
        TestProcess::start(command.arg(TestedProgram::MinimalAgent.path()).arg("mail"));
    let pid = process.wait_for_line("the agent starts", |line| {
        line.split_once(", process ").and_then(|(_, pid)| pid.parse().ok())
    });
    let pid = Pid::from_raw(pid).expect("a process id");
    let status = || {
        let vitals = operator.agent("mail")?.vitals;
        Some((vitals.state, vitals.reason, vitals.process))
    };
    wait_until(
        "it is healthy, and its process is seen",
        || matches!(status(), Some((State::Healthy, None, Some(usage))) if usage.memory_bytes > 0),
    );
    let text = printed(&env, &["agent", "mail"]);
    assert!(text.contains("  process    runs, CPU ") && !text.contains("silent"), "{text}");
    kill_process(pid, Signal::STOP).unwrap();
    wait_until("its emitter is silent", || {
        matches!(status(), Some((State::Degraded, Some(Reason::EmitterSilent), Some(_))))
    });
    let text = printed(&env, &["agent", "mail"]);
    assert!(text.contains("EMITTER") && text.contains("its own emitter has been silent"), "{text}");
    let found = printed(&env, &["status", "--filter", "emitter_silent>500ms memory>10kB"]);
    assert!(found.contains("EMITTER"), "{found}");
    assert!(!printed(&env, &["status", "--filter", "memory>1TiB"]).contains("mail"));
    kill_process(pid, Signal::CONT).unwrap();
    wait_until("it speaks again", || matches!(status(), Some((State::Healthy, None, _))));
    kill_process(pid, Signal::KILL).unwrap();
    process.wait();
    assert!(matches!(status(), Some((State::Unreachable, Some(Reason::Crashed), None))));
    wait_until("both are stored, each with its words", || {
        let causes = operator.events_of("mail").into_iter().filter_map(|event| match event.kind {
            EventKind::Transition { cause, .. } => cause,
            _ => None,
        });
        let causes: Vec<_> = causes.collect();
        let has = |text: &str| causes.iter().any(|cause| cause.contains(text));
        has("the process runs, its own emitter has been silent for") && has("SIGKILL (9)")
    });
}
