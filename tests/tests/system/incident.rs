//! Incident files of a real fleet, opened where there is no collector.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use heartline_operator::text::timestamp;
use heartline_tests::harness::{TestEnvironment, TestedProgram, rollup_totals, wait_until};
use heartline_vocabulary::{Action, State};
use rustix::process::Signal;

/// Runs `heartline` with these words.
#[track_caller]
fn run(env: &TestEnvironment, words: &[&str]) -> Output {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.args(words).output().expect("heartline can be started")
}

#[track_caller]
fn printed(env: &TestEnvironment, words: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(env, words);
    assert_eq!(status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("it prints UTF-8")
}

#[track_caller]
fn refused(env: &TestEnvironment, words: &[&str], code: i32) -> String {
    let Output { status, stderr, .. } = run(env, words);
    let said = String::from_utf8(stderr).expect("messages are UTF-8");
    assert_eq!(status.code(), Some(code), "{words:?}: {said}");
    said
}

/// Returns a document of `status --at` without work, which is known to the minute, and goes on in it.
fn without_work(document: &str) -> String {
    let mut document: serde_json::Value = serde_json::from_str(document).expect("it is JSON");
    for agent in document["agents"].as_array_mut().expect("it has agents") {
        agent["work"].take();
    }
    document.to_string()
}

/// An agent hangs, another one is killed, a third one works; a note is written. What every command says of the
/// file, on a machine that has nothing else, is what it said of the collector.
#[test]
fn a_file_shows_elsewhere_what_the_collector_showed() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let (address, operator) = (collector.address(), env.operator());
    let hangs = env.start_agent("hangs", address, 100);
    let mut worker = env.start_worker("works", address, 7);
    let _killed = env.start_agent("killed", address, 100);
    let state = |name: &str| operator.agent(name).map(|agent| agent.vitals.state);
    wait_until("all work", || operator.collector().summary.healthy == 3);
    let since = timestamp(operator.collector().at_ms);
    hangs.signal(Signal::STOP);
    wait_until("one is out", || state("hangs") == Some(State::Unreachable));
    let out_at = timestamp(operator.collector().at_ms);
    hangs.signal(Signal::CONT);
    wait_until("it is back", || state("hangs") == Some(State::Healthy));
    operator.command(Action::Kill, &["killed"], 1);
    let done = worker.finish();
    wait_until("all work is stored", || rollup_totals(&env.data_dir(), "works") == done);
    let outages = printed(&env, &["outages", "--json"]);
    let id = serde_json::from_str::<serde_json::Value>(&outages).unwrap()["id"].to_string();
    printed(&env, &["note", &id, "INC-482"]);
    let until = timestamp(operator.collector().at_ms);
    let between = format!("{since}..{until}");

    let make = |more: &[&str]| {
        let words = ["export", "--incident", "--between", &between];
        run(&env, &[&words, more].concat())
    };
    let unasked = make(&["unasked"]);
    let said = String::from_utf8_lossy(&unasked.stderr).into_owned();
    assert!(unasked.status.code() == Some(2) && said.contains("add --yes"), "{said}");
    assert!(!env.path().join("unasked").exists());
    let made = make(&["--yes", "morning"]);
    let listed = String::from_utf8_lossy(&made.stderr).into_owned();
    assert_eq!(made.status.code(), Some(0), "{listed}");
    for expected in
        ["1 outage,", "1 note,", "hangs; killed; works", "INC-482", "no keys and no tokens"]
    {
        assert!(listed.contains(expected), "{expected}: {listed}");
    }
    let redacted = make(&["--yes", "--redact", "redacted"]);
    assert_eq!(redacted.status.code(), Some(0), "{}", String::from_utf8_lossy(&redacted.stderr));
    let live = |words: &[&str]| printed(&env, words);
    let rollups = ["export", "rollups", "--step", "1m", "--agent", "works", "--between", &between];
    let expected = [
        live(&["events", "--json", "--since", &since, "--until", &until]),
        live(&["outages", "--json"]),
        without_work(&live(&["status", "--at", &out_at, "--json"])),
    ];
    collector.terminate();
    let keys = fs::read_to_string(env.data_dir().join("master.key")).unwrap();
    let path = env.path().join("morning");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let has = |path: &std::path::Path, text: &str| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|at| at == text.as_bytes())
    };
    assert!(!has(&path, keys.split_whitespace().last().unwrap()), "no keys");

    let other = TestEnvironment::new();
    let file = other.path().join("from a stranger?%41#");
    fs::copy(&path, &file).unwrap();
    let file = file.to_str().unwrap();
    let opened = |words: &[&str]| printed(&other, &[&["--open", file], words].concat());
    let found = [
        opened(&["events", "--json", "--since", &since, "--until", &until]),
        opened(&["outages", "--json"]),
        without_work(&opened(&["status", "--at", &out_at, "--json"])),
    ];
    assert_eq!(found, expected);
    let tasks = |rollups: &str| -> u64 {
        let rows = rollups.lines().map(|line| serde_json::from_str(line).unwrap());
        rows.map(|row: serde_json::Value| row["ok"].as_u64().unwrap()).sum()
    };
    assert_eq!(tasks(&opened(&rollups)), done.ok);
    let status = opened(&["status"]);
    assert!(status.contains("KILLED") && status.contains("an incident file, from"), "{status}");
    assert!(opened(&["agent", "hangs"]).contains("UNREACH"), "its last transitions");
    assert!(opened(&["history", "works", "--since", "first"]).contains("in all"));
    let screen = opened(&["snapshot", "--size", "100x20"]);
    assert!(screen.contains("works") && screen.contains("KILLED"), "{screen}");
    let screen =
        opened(&["snapshot", "--screen", "agent", "--agent", "killed", "--size", "100x30"]);
    assert!(screen.contains("killed"), "{screen}");
    assert_eq!(fs::read_dir(other.path().join("home")).unwrap().count(), 0, "nothing is written");

    let refused =
        |words: &[&str], code| refused(&other, &[&["--open", file], words].concat(), code);
    for words in [
        ["kill", "works", "--reason", "x", "--yes"].as_slice(),
        &["events", "--follow"],
        &["watch"],
        &["note", &id, "x"],
        &["backup", "there"],
        &["token"],
        &["export", "--incident", "--between", &between, "--yes", "again"],
    ] {
        assert!(refused(words, 2).contains("only looked at"), "{words:?}");
    }
    assert!(refused(&["status", "--at", "2020-01-01"], 1).contains("history begins at"));
    assert!(refused(&["agent", "wroks"], 1).contains("did you mean works?"));
    let redacted = env.path().join("redacted");
    assert!(["hangs", "works", "INC-482", "root@"].iter().all(|text| !has(&redacted, text)));
    let redacted = redacted.to_str().unwrap();
    let shown = printed(&other, &["--open", redacted, "outages"]);
    assert!(shown.contains("agent-") && shown.contains("beats missed"), "{shown}");
}

#[test]
fn what_can_not_be_opened_is_refused_in_words() {
    let env = TestEnvironment::new();
    let open = |file: &str| refused(&env, &["--open", file, "status"], 1);
    assert!(open("missing").contains("can't open missing"));
    fs::write(env.path().join("text"), "nothing of ours").unwrap();
    assert!(open("text").contains("is no incident file"));
    assert!(open("/dev/zero").contains("is no regular file"));
    let mut collector = env.start_collector();
    let _agent = env.start_agent("someone", collector.address(), 100);
    wait_until("it is healthy", || env.operator().collector().summary.healthy == 1);
    printed(&env, &["export", "--incident", "--between", "first..now", "--yes", "file"]);
    let early = ["export", "--incident", "--between", "2020-01-01..2020-01-02", "--yes", "early"];
    assert!(refused(&env, &early, 1).contains("history begins at"));
    assert!(!env.path().join("early").exists(), "and nothing is left of it");
    collector.terminate();
    let history = env.data_dir().join("history.db");
    assert!(open(history.to_str().unwrap()).contains("is the history of a collector"));
    let path = env.path().join("file");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(open("file").contains("is cut off"));
    let mut damaged = bytes.clone();
    let at = bytes.windows(7).position(|at| at == b"someone").expect("its name is there");
    damaged[at] = b'S';
    fs::write(&path, damaged).unwrap();
    assert!(open("file").contains("is damaged"), "a single letter");
    let both = refused(&env, &["--open", "file", "--data-dir", "there", "status"], 2);
    assert!(both.contains("--data-dir"), "{both}");
}
