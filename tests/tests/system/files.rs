//! Files and directories that are removed, replaced, prepared or damaged by others.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use heartline_operator::message::EventKind;
use heartline_tests::harness::{TestEnvironment, rollup_totals, task_count, wait_until};
use heartline_vocabulary::{Action, State};

fn make_dir(path: &Path, mode: u32) {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_start_fails(env: &TestEnvironment, expected: &[&str]) {
    let (code, stderr) = env.start_expecting_failure("127.0.0.1:0");
    assert_eq!(code, Some(3), "{stderr}");
    for text in expected {
        assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
    }
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let env = TestEnvironment::new();
    let sockets = env.directories().sockets;
    for (dir, flag) in [(env.data_dir(), "--data-dir"), (sockets, "--socket-dir")] {
        for mode in [0o777, 0o1777, 0o770] {
            make_dir(&dir, mode);
            assert_start_fails(&env, &[dir.to_str().unwrap(), "written by others", flag]);
        }
        make_dir(&dir, 0o755);
    }
    env.start_collector();
}

#[test]
fn prepared_links_are_neither_followed_nor_used() {
    let env = TestEnvironment::new();
    make_dir(&env.data_dir(), 0o700);
    let target = env.path().join("target");
    fs::write(&target, "of somebody else").unwrap();
    for name in ["master.new", "local.new"] {
        symlink(&target, env.data_dir().join(name)).unwrap();
    }
    drop(env.start_collector());
    assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
    let lock = env.data_dir().join("heartlined.lock");
    fs::remove_file(&lock).unwrap();
    symlink(&target, &lock).unwrap();
    assert_start_fails(&env, &["heartlined.lock"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let env = TestEnvironment::new();
    drop(env.start_collector());
    let token = env.data_dir().join("local.token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    assert_start_fails(&env, &["local.token", "644", "chmod 600"]);
}

#[test]
fn a_file_with_the_name_of_a_socket_is_left_alone() {
    let env = TestEnvironment::new();
    let sockets = env.directories().sockets;
    make_dir(&sockets, 0o700);
    for name in ["view.sock", "ctl.sock"] {
        fs::write(sockets.join(name), "notes").unwrap();
        assert_start_fails(&env, &[name, "left alone", "--socket-dir"]);
        assert_eq!(fs::read_to_string(sockets.join(name)).unwrap(), "notes");
        fs::remove_file(sockets.join(name)).unwrap();
    }
}

#[test]
fn a_removed_lock_file_lets_no_second_collector_in() {
    let env = TestEnvironment::new();
    let _collector = env.start_collector();
    fs::remove_file(env.data_dir().join("heartlined.lock")).unwrap();
    let mut second = env.heartlined("127.0.0.1:0");
    second.arg("--socket-dir").arg(env.path().join("elsewhere"));
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("another heartlined"), "{stderr}");
}

#[test]
fn files_are_private_whatever_the_umask() {
    let env = TestEnvironment::new();
    let mut command = env.command("sh");
    let heartlined = env.heartlined("127.0.0.1:0");
    let program = heartlined.get_program().to_str().unwrap().to_owned();
    command.args(["-c", &format!("umask 000; exec {program} --listen 127.0.0.1:0")]);
    let collector = heartline_tests::harness::CollectorProcess::start(&mut command);
    let _agent = env.start_agent("someone", collector.address(), 100);
    let operator = env.operator();
    wait_until("the agent is healthy", || operator.collector().summary.healthy == 1);
    for dir in [env.data_dir(), env.directories().sockets] {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:03o}", entry.path().display());
        }
    }
}

#[test]
fn swept_sockets_are_there_again_within_seconds() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let sockets = env.directories().sockets;
    let is_socket = |name: &str| {
        fs::symlink_metadata(sockets.join(name)).is_ok_and(|it| it.file_type().is_socket())
    };
    for name in ["view.sock", "ctl.sock"] {
        fs::remove_file(sockets.join(name)).unwrap();
        wait_until("it is there again", || is_socket(name));
    }
    fs::remove_dir_all(&sockets).unwrap();
    wait_until("both are there again", || is_socket("view.sock") && is_socket("ctl.sock"));
    let operator = env.operator();
    wait_until("operators are told", || {
        let banners = operator.try_fleet().map(|it| it.1.banners.join("\n")).unwrap_or_default();
        banners.contains("ctl.sock was removed") && banners.contains("view.sock was removed")
    });
    assert_eq!(env.heartline("status").status.code(), Some(0));
    let log = collector.log();
    assert!(log.contains("ctl.sock was removed"), "{log}");
}

#[test]
fn removed_keys_are_there_again_within_seconds() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let read = |name: &str| fs::read_to_string(env.data_dir().join(name)).unwrap_or_default();
    let before = ["master.key", "local.token"].map(read);
    for name in ["master.key", "local.token"] {
        fs::remove_file(env.data_dir().join(name)).unwrap();
    }
    wait_until("they are there again", || ["master.key", "local.token"].map(read) == before);
    wait_until("it is logged", || collector.log().contains("master.key was removed"));
}

#[test]
fn an_address_that_takes_one_family_alone_is_said() {
    let env = TestEnvironment::new();
    let collector = env.start_collector_at("[::]:0".parse().unwrap());
    wait_until("it is logged", || collector.log().contains("takes IPv6 alone"));
}

/// Returns the files of a data directory whose names begin so.
fn files_beginning(dir: &Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    entries.filter(is_it).collect()
}

#[test]
fn a_control_db_that_is_removed_takes_no_kill_and_nothing_is_forgotten() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let _agents = ["one", "two"].map(|name| env.emitter(name, collector.address(), 60_000).start());
    wait_until("they are healthy", || operator.collector().summary.healthy == 2);
    operator.command(Action::Kill, &["one"], 1);
    for path in files_beginning(&env.data_dir(), "control.db") {
        fs::remove_file(path).unwrap();
    }
    let output = env.heartline("kill two --reason now --yes");
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("removed while heartlined runs"), "{text}");
    wait_until("operators are told", || {
        operator.collector().banners.iter().any(|it| it.contains("control.db was removed"))
    });
    collector.kill_9();
    let (code, stderr) = env.start_expecting_failure("127.0.0.1:0");
    assert_eq!(code, Some(4), "{stderr}");
    let from = stderr.find("copy: ").unwrap() + "copy: ".len();
    let to = stderr.find(". Kills given").unwrap();
    let shell = std::process::Command::new("sh").args(["-ec", &stderr[from..to]]).status();
    assert!(shell.unwrap().success(), "{stderr}");
    let _collector = env.start_collector();
    let operator = env.operator();
    let killed = operator.fleet().into_iter().filter(|it| it.vitals.state == State::Killed);
    assert_eq!(killed.map(|it| it.agent).collect::<Vec<_>>(), ["one"]);
}

#[test]
fn a_history_that_is_removed_is_whole_after_a_kill_of_the_collector() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut worker = env.start_worker("worker", collector.address(), 7);
    wait_until("it has worked", || {
        operator.agent("worker").is_some_and(|it| task_count(&it.vitals.total) > 20)
    });
    for path in files_beginning(&env.data_dir(), "history.db") {
        fs::remove_file(path).unwrap();
    }
    wait_until("operators are told", || {
        operator.collector().banners.iter().any(|it| it.contains("history.db was removed"))
    });
    let done = worker.finish();
    wait_until("everything is acknowledged", || {
        operator.agent("worker").is_some_and(|it| it.vitals.total == done)
            && rollup_totals(&env.data_dir(), "worker") == done
    });
    collector.kill_9();
    let _collector = env.start_collector();
    let operator = env.operator();
    assert_eq!(operator.agent("worker").unwrap().vitals.total, done);
    assert_eq!(operator.collector().banners, [""; 0]);
}

#[test]
fn what_was_judged_while_history_was_locked_is_there_after_a_stop_and_leaves_no_gap() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut agent = env.start_agent("someone", collector.address(), 100);
    wait_until("it is healthy", || operator.collector().summary.healthy == 1);
    wait_until("its registration is stored", || !operator.events_of("someone").is_empty());
    let other = rusqlite::Connection::open(env.data_dir().join("history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    agent.kill_9();
    wait_until("it is unreachable", || operator.collector().summary.unreachable == 1);
    assert_eq!(collector.terminate().code(), Some(0));
    drop(other);
    let _collector = env.start_collector();
    let operator = env.operator();
    let events = operator.events();
    let judged = events.iter().filter_map(|it| match &it.kind {
        EventKind::Transition { to, .. } => Some((*to, it.at_ms)),
        _ => None,
    });
    let judged: Vec<(State, i64)> = judged.collect();
    let [.., (State::Degraded, _), (State::Unreachable, at_ms)] = judged[..] else {
        panic!("{judged:?}")
    };
    let mut gaps = events.iter().filter_map(|it| match it.kind {
        EventKind::Gap { from_ms, .. } => Some(from_ms),
        _ => None,
    });
    assert!(gaps.all(|from_ms| from_ms >= at_ms), "no gap over time that was observed: {events:?}");
}

/// Agents tell what they are once a session: the collector tells it to the history that it begins, while it runs
/// or at a start.
#[test]
fn a_history_that_is_begun_anew_knows_what_the_agents_are() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let worker = env.start_worker("worker", collector.address(), 7);
    let host_then = || {
        let output = env.heartline("status --json --at now");
        let past: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        past["agents"][0]["host"].as_str().map(str::to_owned)
    };
    wait_until("it has told what it is, and that is stored", || host_then().is_some());
    let host = host_then();
    fs::write(env.data_dir().join("history.db"), "").unwrap();
    wait_until("it is set aside", || {
        operator.collector().banners.iter().any(|banner| banner.contains("history.db.corrupt-"))
    });
    wait_until("the new one has it", || host_then() == host);
    drop(worker);
    assert_eq!(collector.terminate().code(), Some(0));
    fs::remove_file(env.data_dir().join("history.db")).unwrap();
    let _collector = env.start_collector();
    wait_until("that of the next start has it", || host_then() == host);
}

#[test]
fn a_history_that_lost_its_wal_is_said_after_the_start() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let mut worker = env.start_worker("worker", collector.address(), 7);
    let control = env.data_dir().join("control.db");
    wait_until("each database knows of the other", || {
        let conn = rusqlite::Connection::open(&control).unwrap();
        let sql = "SELECT value FROM meta WHERE key = 'other_commits'";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).is_ok_and(|number| number > 1)
    });
    collector.kill_9();
    worker.finish();
    fs::remove_file(env.data_dir().join("history.db-wal")).unwrap();
    let _collector = env.start_collector();
    let banners = env.operator().collector().banners.join("\n");
    assert!(banners.contains("history.db lacks its last"), "{banners}");
}
