//! The demo: a fleet of real processes that leaves nothing behind.

use std::fs;
use std::path::Path;

use heartline_tests::harness::{TestEnvironment, TestProcess, TestedProgram, wait_until};
use rustix::process::Signal;

/// Starts the demo with its directory in the environment.
fn start(env: &TestEnvironment, lasting: &str) -> TestProcess {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.env("TMPDIR", env.path());
    TestProcess::start(command.args(["demo", "--headless", "--for", lasting, "--agents", "8"]))
}

/// Returns the command lines of a demo's processes, which inherit its environment.
fn processes_of(env: &Path) -> Vec<String> {
    let marker = format!("TMPDIR={}", env.display());
    let is_of = |path: &Path| {
        let environ = fs::read(path.join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|it| it == marker.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let found = processes.filter(|path| is_of(path)).map(|path| {
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).replace('\0', " ")
    });
    // Those that have ended and wait for their parent have no command line any more.
    found.filter(|words| !words.is_empty()).collect()
}

fn assert_nothing_is_left(env: &TestEnvironment) {
    wait_until("no process of the demo is left", || processes_of(env.path()).is_empty());
    let left: Vec<_> = fs::read_dir(env.path()).unwrap().flatten().collect();
    let left = left
        .iter()
        .filter(|it| !["home", "state", "run"].iter().any(|name| it.file_name() == *name));
    assert_eq!(left.count(), 0, "files of the demo are left");
}

#[test]
fn the_demo_shows_a_death_a_stall_an_obeyed_kill_and_failing_work_within_a_minute() {
    let env = TestEnvironment::new();
    let mut demo = start(&env, "58s");
    for (what, words) in [
        ("a death", ["report-generator", "unreach"]),
        ("a kill", ["scraper-eu", "kill"]),
        ("obedience", ["scraper-eu", "obeyed"]),
        ("a stall", ["inventory-sync", "stalled"]),
        ("failing work", ["research-agent", "failing"]),
    ] {
        let has = |line: &str| {
            let line = line.to_lowercase();
            words.iter().all(|word| line.contains(word)).then_some(())
        };
        // The demo may take longer than one timeout.
        let is_over = || demo.stdout().iter().any(|line| has(line).is_some());
        for _ in 0..2 {
            if is_over() {
                break;
            }
            let lines = demo.stdout().len();
            wait_until("the demo goes on", || demo.stdout().len() > lines || is_over());
        }
        demo.wait_for_line(what, has);
    }
    assert_eq!(demo.wait().code(), Some(0));
    assert_nothing_is_left(&env);
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let env = TestEnvironment::new();
        let mut demo = start(&env, "60s");
        wait_until("its agents run", || processes_of(env.path()).len() >= 10);
        demo.signal(signal);
        demo.wait();
        assert_nothing_is_left(&env);
    }
}

#[test]
fn a_demo_that_is_killed_leaves_no_process() {
    let env = TestEnvironment::new();
    let mut demo = start(&env, "60s");
    wait_until("its agents run", || processes_of(env.path()).len() >= 10);
    demo.kill_9();
    wait_until("no process is left", || processes_of(env.path()).is_empty());
}
