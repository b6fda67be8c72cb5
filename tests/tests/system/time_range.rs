//! `--since` and `--until` of `heartline events`.

use std::process::Output;

use heartline_tests::harness::{TestEnvironment, TestedProgram, wait_until};
use serde_json::Value;

/// Runs `heartline events --json` with these flags.
#[track_caller]
fn events(env: &TestEnvironment, flags: &[&str]) -> Output {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.args(["events", "--json"]).args(flags).output().expect("heartline can be started")
}

/// Returns the times of the events in a range.
#[track_caller]
fn times(env: &TestEnvironment, flags: &[&str]) -> Vec<String> {
    let output = events(env, flags);
    let said = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{flags:?}");
    let printed = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON");
    printed.lines().map(|line| event(line)["at"].as_str().expect("it has a time").into()).collect()
}

/// Returns what is said when a range is refused.
#[track_caller]
fn refusal(env: &TestEnvironment, flags: &[&str]) -> String {
    let output = events(env, flags);
    let said = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
    assert!(output.stdout.is_empty() && said.lines().count() == 1, "{flags:?}: {said}");
    said
}

#[test]
fn events_of_a_range_are_those_from_its_start_to_before_its_end() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    for name in ["first", "second"] {
        let agent = env.emitter(name, collector.address(), 60_000).start();
        wait_until("it is seen", || operator.agent(name).is_some());
        agent.stop();
    }
    let stops = || times(&env, &["--filter", "reason:shutdown"]).len();
    wait_until("their history is stored", || stops() == 2);

    let all = times(&env, &[]);
    for since in ["1h", "-1h", "1h ago", "yesterday", "1970-01-01", "@0", "first"] {
        assert_eq!(times(&env, &["--since", since]), all, "since {since}");
    }
    let [start, .., end] = all.as_slice() else { panic!("{all:?}") };
    assert!(start < end, "{all:?}");
    let count = |is_in: &dyn Fn(&String) -> bool| all.iter().filter(|at| is_in(at)).count();
    let from_end = times(&env, &["--since", end]);
    assert_eq!(from_end.len(), count(&|at| at >= end), "its start is in it");
    let before_end = times(&env, &["--since", start, "--until", end]);
    assert_eq!(before_end.len(), count(&|at| at < end), "its end is not in it");
    assert_eq!(times(&env, &["--until", start]), [""; 0], "nothing is older");
    assert_eq!(times(&env, &["--since", "1970-01-01", "--until", "1980-01-01"]), [""; 0]);
}

#[test]
fn a_range_that_is_none_is_refused_in_one_line() {
    let env = TestEnvironment::new();
    // Without a collector: what is wrong in itself is said before one is looked for.
    let said = refusal(&env, &["--since", "25:99"]);
    let expected =
        "heartline: --since: \"25:99\" is no time of day: hours go from 00 to 23, as in 14:05\n";
    assert_eq!(said, expected);
    assert!(refusal(&env, &["--until", "1month"]).contains("write days or weeks, as in 30d"));
    assert!(!refusal(&env, &["--since", "\u{1b}[2J"]).contains('\u{1b}'));
    assert_eq!(events(&env, &["--since", "2h"]).status.code(), Some(3), "without a collector");

    let _collector = env.start_collector();
    let said = refusal(&env, &["--since", "+1h"]);
    assert!(said.contains("is in the future: now it is "), "{said}");
    let said = refusal(&env, &["--since", "1h", "--until", "2h"]);
    assert!(said.contains("--since and --until: the span ends before it starts: from "), "{said}");
}
