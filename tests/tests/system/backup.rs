//! Backups of a collector under load, restored.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestedProgram, UnixUser, WorkerAgent, rollup_totals,
    task_count, wait_until,
};
use heartline_vocabulary::{Action, State};
use rustix::process::Signal;
use serde_json::Value;

use crate::full_disk::can_mount;

const WORKERS: [&str; 3] = ["worker-0", "worker-1", "worker-2"];

#[track_caller]
fn backup(env: &TestEnvironment, args: &str) -> String {
    let output = env.heartline(&format!("backup {args}"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// Runs a backup that must fail; returns what was said.
#[track_caller]
fn refused(env: &TestEnvironment, args: &str, code: i32) -> String {
    let output = env.heartline(&format!("backup {args}"));
    let said = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(output.status.code(), Some(code), "{args}: {said}");
    said
}

/// Restores a backup into the data directory, by the commands of its README up to the last one.
#[track_caller]
fn restore(env: &TestEnvironment, from: &Path) {
    let readme = fs::read_to_string(from.join("README")).expect("a backup has a README");
    let commands = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let commands: Vec<&str> = commands.filter(|line| !line.starts_with("heartlined")).collect();
    assert!(commands.len() == 2, "{readme}");
    let script = commands.join("\n").replace("DATA_DIR", env.data_dir().to_str().unwrap());
    let done = Command::new("sh").args(["-ec", &script]).current_dir(from).status();
    assert!(done.expect("there is a shell").success(), "{script}");
}

#[track_caller]
fn outages(env: &TestEnvironment) -> Vec<Value> {
    let Output { stdout, .. } = env.heartline("outages --json");
    let printed = String::from_utf8(stdout).expect("JSON is UTF-8");
    printed.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Real agents beat and work, one has had an outage, one is killed. What a collector shows that was restored
/// from a backup is what the backup had; agents that go on are counted once; kills are obeyed, also the one
/// that was given after the backup, and the one that was lifted after it.
#[test]
fn a_restored_backup_goes_on_where_it_was_made() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let (address, operator) = (collector.address(), env.operator());
    let mut workers: Vec<_> =
        (7..).zip(WORKERS).map(|(seed, name)| env.start_worker(name, address, seed)).collect();
    let hangs = env.start_agent("hangs", address, 100);
    let state = |name: &str| operator.agent(name).map(|agent| agent.vitals.state);
    wait_until("all work", || {
        let fleet = operator.fleet();
        fleet.len() == 4 && fleet.iter().all(|agent| agent.vitals.total.ok > 0)
    });
    hangs.signal(Signal::STOP);
    wait_until("one is out", || state("hangs") == Some(State::Unreachable));
    hangs.signal(Signal::CONT);
    wait_until("it is back", || state("hangs") == Some(State::Healthy));
    operator.command(Action::Kill, &["worker-0"], 1);
    let outages_before = outages(&env);

    let dir = env.path().join("backups");
    fs::create_dir(&dir).unwrap();
    // Relative to where the command runs.
    let printed = backup(&env, "backups/one");
    let dir = dir.join("one");
    assert!(printed.starts_with(dir.to_str().unwrap()), "{printed}");
    for name in ["README", "control.db", "history.db", "master.key"] {
        assert!(printed.contains(name), "{printed}");
    }
    operator.command(Action::Kill, &["worker-1"], 2);
    operator.command(Action::Resume, &["worker-0"], 3);
    let begun_before = workers[0].begun();
    wait_until("it works again", || workers[0].begun() > begun_before);
    let stored = |data_dir: &Path| WORKERS.map(|name| rollup_totals(data_dir, name));
    let in_backup = stored(&dir);
    wait_until("more work is stored", || {
        task_count(&stored(&env.data_dir())[2]) > task_count(&in_backup[2])
    });
    assert_eq!(collector.terminate().code(), Some(0));
    let at_the_end = stored(&env.data_dir());
    drop(hangs);

    fs::rename(env.data_dir(), env.path().join("lost")).unwrap();
    restore(&env, &dir);
    // At another address, where no agent reaches it: the fleet as the backup has it.
    let mut unreached = env.start_collector();
    assert_eq!(operator.collector().banners, [""; 0]);
    for (name, expected) in WORKERS.iter().zip(&in_backup) {
        assert_eq!(operator.agent(name).map(|it| it.vitals.total), Some(*expected), "{name}");
    }
    assert_eq!(state("worker-0"), Some(State::Killed));
    assert_eq!(outages(&env)[..outages_before.len()], outages_before);
    assert_eq!(unreached.terminate().code(), Some(0));

    let _collector = env.start_collector_at(address);
    wait_until("both kills are in force", || {
        ["worker-0", "worker-1"].iter().all(|name| state(name) == Some(State::Killed))
    });
    // Of its resume the collector knows nothing: its own kill was overtaken, and is given again.
    wait_until("the resumed one obeys the kill again", || {
        let command = operator.agent("worker-0").and_then(|agent| agent.vitals.command);
        command.is_some_and(|it| it.generation > 2 && it.obeyed_ms.is_some())
    });
    let begun = || [&workers[0], &workers[1], &workers[2]].map(WorkerAgent::begun);
    let before = begun();
    wait_until("the third one goes on", || begun()[2] > before[2] + 20);
    assert_eq!(begun()[..2], before[..2], "who is killed begins nothing");
    let lost = |at: usize| task_count(&at_the_end[at]) - task_count(&in_backup[at]);
    for (at, name) in WORKERS.iter().enumerate() {
        let done = task_count(&workers[at].finish());
        let shown = || task_count(&stored(&env.data_dir())[at]);
        wait_until("all of its work is stored", || shown() + lost(at) >= done);
        assert!(shown() <= done, "{name}: {} of {done} are counted, none twice", shown());
    }
}

#[test]
fn a_backup_that_can_not_be_made_says_why() {
    let env = TestEnvironment::new();
    fs::create_dir(env.path().join("full")).unwrap();
    fs::write(env.path().join("full/file"), "").unwrap();
    assert!(refused(&env, "one", 3).contains("no collector answers"));
    let _collector = env.start_collector();
    assert!(refused(&env, "full", 1).contains("is there already and is not empty"));
    assert!(refused(&env, "missing/one", 1).contains("make the directory that it is in first"));
    assert!(refused(&env, "state/heartline/one", 1).contains("is in the data directory"));
    assert!(refused(&env, "--ssh nowhere one", 2).contains("name an absolute path there"));
    assert!(refused(&env, "--read-only one", 2).contains("--read-only"));
    assert!(backup(&env, "one --without-key").contains("history.db"));
    assert!(!env.path().join("one/master.key").exists());
    assert!(refused(&env, "one", 1).contains("is not empty"), "a backup is never replaced");
}

/// Who may kill agents may not write files as the collector's user.
#[test]
fn only_the_collectors_own_user_may_ask_for_a_backup() {
    if !UnixUser::can_switch() {
        eprintln!("not root: no second user can be had, so this tests the first one alone");
        let env = TestEnvironment::new();
        let _collector = env.start_collector();
        backup(&env, "one");
        return;
    }
    let env = TestEnvironment::new();
    env.configure("[access]\ncontrol = [\"daemon\"]\n");
    let heartline = env.share();
    let _collector = env.start_collector();
    let dir = tempfile::tempdir().unwrap();
    let mut command = env.command(&heartline);
    command.arg("backup").arg(dir.path().join("one"));
    UnixUser::named("daemon").run(&mut command);
    let output = command.output().expect("it can be run");
    let said = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert!(output.status.code() == Some(1) && said.contains("only that user and root"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_disk_without_room_takes_no_backup_and_is_left_as_it_was() {
    assert!(can_mount(), "this test mounts a small disk: run it as root, or allow user namespaces");
    let env = TestEnvironment::new();
    let small = env.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=128k tmpfs \"$0\" && exec {} --listen 127.0.0.1:0",
        TestedProgram::Heartlined.path().display()
    );
    let mut command = env.command("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", &script]).arg(&small);
    let mut collector = CollectorProcess::start(&mut command);
    let said = refused(&env, "small/one", 1);
    assert!(said.contains("there is no room") && said.contains("KiB"), "{said}");
    let said = refused(&env, "small", 1);
    assert!(said.contains("where a file system is mounted"), "{said}");
    let seen = format!("/proc/{}/root{}", collector.process().pid(), small.display());
    assert_eq!(fs::read_dir(seen).unwrap().count(), 0, "nothing is left of it");
    backup(&env, "elsewhere");
}
