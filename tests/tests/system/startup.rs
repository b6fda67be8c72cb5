//! Starts of the collector that must fail, and restarts that must restore everything.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use heartline_operator::message::{AgentEntry, AgentVitals, EventKind};

use heartline_protocol::Beat;
use heartline_tests::harness::{ScriptedAgent, TestEnvironment, wait_until};
use heartline_vocabulary::{Action, Identity, State, WorkTotals};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Returns an environment in which a collector has run and an agent was killed.
fn environment_after_kill() -> TestEnvironment {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let agent = env.emitter("someone", collector.address(), 60_000).start();
    wait_until("the agent is healthy", || operator.collector().summary.healthy == 1);
    operator.command(Action::Kill, &["someone"], 1);
    drop(agent);
    assert_eq!(collector.terminate().code(), Some(0));
    env
}

#[track_caller]
fn assert_start_fails(env: &TestEnvironment, code: i32, expected: &[&str]) {
    let (ended, stderr) = env.start_expecting_failure("127.0.0.1:0");
    assert_eq!(ended, Some(code), "{stderr}");
    for text in expected {
        assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
    }
}

/// Overwrites parts of a file.
fn corrupt(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    for at in (0..len).step_by(1_024) {
        file.write_all_at(&[0xa5; 512], at).unwrap();
    }
}

#[test]
fn a_second_collector_on_one_directory_fails_and_names_the_first() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let pid = collector.process().pid().to_string();
    assert_start_fails(&env, 3, &[&pid, "--data-dir"]);
    assert_eq!(env.operator().collector().summary.total, 0, "the first one still runs");
}

#[test]
fn a_port_in_use_is_reported() {
    let (env, other) = (TestEnvironment::new(), TestEnvironment::new());
    let collector = other.start_collector();
    let taken = collector.address().to_string();
    let (code, stderr) = env.start_expecting_failure(&taken);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains(&taken) && stderr.contains("--listen"), "{stderr}");
}

#[test]
fn a_key_that_others_can_read_or_that_is_damaged_is_refused() {
    let env = environment_after_kill();
    let key = env.data_dir().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_start_fails(&env, 3, &["master.key", "644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "1 not a key\n").unwrap();
    assert_start_fails(&env, 4, &["master.key", "line 1", "restore"]);
}

#[test]
fn a_corrupt_control_db_prevents_the_start() {
    let env = environment_after_kill();
    corrupt(&env.data_dir().join("control.db"));
    assert_start_fails(&env, 4, &["control.db", "kill list", "copy"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused_unchanged() {
    for database in ["control.db", "history.db"] {
        let env = environment_after_kill();
        let path = env.data_dir().join(database);
        let conn = Connection::open(&path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        assert_start_fails(&env, 4, &[database, "99", "newer"]);
        let conn = Connection::open(&path).unwrap();
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    }
}

#[test]
fn a_damaged_history_is_set_aside_and_monitoring_goes_on() {
    let env = environment_after_kill();
    corrupt(&env.data_dir().join("history.db"));
    let collector = env.start_collector();
    let operator = env.operator();
    let banners = operator.collector().banners.join("\n");
    assert!(banners.contains("history.db") && banners.contains("corrupt"), "{banners:?}");
    let aside = fs::read_dir(env.data_dir()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with("history.db.corrupt-")
            && !name.ends_with("-wal")
            && !name.ends_with("-shm")
    });
    assert_eq!(aside.count(), 1);
    let someone = operator.agent("someone").expect("control.db has the agents");
    assert_eq!(someone.vitals.state, State::Killed, "and the kills");
    let _agent = env.emitter("newcomer", collector.address(), 200).start();
    wait_until("the registration of a new agent is stored", || {
        operator.events_of("newcomer").iter().any(|it| matches!(it.kind, EventKind::Registered))
    });
}

#[test]
fn a_config_error_names_file_line_and_expected_value() {
    let env = TestEnvironment::new();
    for (config, expected) in [
        ("[health]\nstall_after = \"soon\"\n", ["line 2", "5m"]),
        ("\n\nlisten_on = [\"127.0.0.1:0\"]\n", ["line 3", "listen_on"]),
        ("[health]\nlate_factor = \"three\"\n", ["line 2, column 15", "expected"]),
        ("[health\n", ["line 1", "heartline.toml"]),
        ("[health]\nlate_factor = -1.0\n", ["late_factor", "-1"]),
        ("[health]\nlate_factor = 20\n", ["late_factor", "unreachable_factor"]),
        ("[[agent]]\nlate_factor = 2\n", ["line 1", "match"]),
    ] {
        env.configure(config);
        let (code, stderr) = env.start_expecting_failure("127.0.0.1:0");
        assert_eq!(code, Some(2), "{config:?}: {stderr}");
        for text in expected {
            assert!(stderr.contains(text), "{config:?}: {text:?} is not in: {stderr}");
        }
    }
}

#[test]
fn a_reloaded_config_is_applied_as_a_whole_or_not_at_all() {
    let env = TestEnvironment::new();
    env.configure("[health]\nlate_factor = 2000\nunreachable_factor = 5000\n");
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut agent = env.start_agent("slowpoke", collector.address(), 100);
    wait_until("it is healthy", || operator.collector().summary.healthy == 1);
    agent.kill_9();

    // The first setting would make it unreachable at once; the second one is invalid.
    env.configure("[health]\nunreachable_factor = 4\n[retention]\nminutes = \"ever\"\n");
    collector.process().signal(Signal::HUP);
    wait_until("the error is logged", || collector.log().contains("configuration not reloaded"));
    assert!(collector.log().contains("line 4"), "{}", collector.log());
    assert_eq!(operator.collector().summary.healthy, 1);

    env.configure("[health]\nunreachable_factor = 4\n");
    collector.process().signal(Signal::HUP);
    wait_until("the new rule is in force", || operator.collector().summary.unreachable == 1);
}

/// State of an agent that must survive a restart of the collector.
#[derive(Debug, PartialEq)]
struct DurableAgentState {
    agent: String,
    identity: Identity,
    total: WorkTotals,
    starts: u32,
    state: State,
    /// Operator, reason, and time to obey.
    kill: Option<(String, String, Option<u64>)>,
}

fn durable_state(entry: AgentEntry) -> DurableAgentState {
    let AgentEntry { agent, identity, vitals, .. } = entry;
    let AgentVitals { total, starts, state, command, .. } = vitals;
    let kill = command.map(|it| (it.by, it.reason, it.obeyed_ms));
    DurableAgentState { agent, identity, total, starts, state, kill }
}

#[test]
fn a_restarted_collector_says_what_it_has_not_heard_yet() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let mut agent = ScriptedAgent::new(collector.address(), env.token(), "quiet", 1);
    let beat = Beat { lost_observations: 7, ..ScriptedAgent::minimal_beat() };
    agent.beat_until_live(&beat);
    let agent_json = || -> Value {
        serde_json::from_slice(&env.heartline("agent quiet --json").stdout).expect("JSON")
    };
    let agent_text = || String::from_utf8(env.heartline("agent quiet").stdout).unwrap();
    let heard = |json: &Value| {
        ["phase", "scope", "epoch", "lost_observations"].map(|name| json[name].clone())
    };
    assert_eq!(heard(&agent_json()), [json!("running"), json!(""), json!(1), json!(7)]);
    assert!(agent_text().contains("7 observations that its emitter had no room for"));

    let address = collector.address();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = env.start_collector_at(address);
    assert_eq!(heard(&agent_json()), [(); 4].map(|()| Value::Null));
    let text = agent_text();
    let not_heard = text.matches("not heard since the collector's start").count();
    assert!(not_heard == 3 && !text.contains("epoch 0"), "{text}");
    agent.beat_until_live(&beat);
    assert_eq!(heard(&agent_json()), [json!("running"), json!(""), json!(1), json!(7)]);
}

#[test]
fn a_restart_restores_everything() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let mut workers: Vec<_> =
        (0..3).map(|n| env.start_worker(&format!("worker-{n}"), collector.address(), n)).collect();
    wait_until("all work", || {
        let fleet = operator.fleet();
        fleet.len() == 3 && fleet.iter().all(|it| it.vitals.total.ok > 20)
    });
    operator.command(Action::Kill, &["worker-1"], 1);
    let done: Vec<_> = workers.iter_mut().map(|it| it.finish()).collect();
    wait_until("all of it is counted", || {
        let fleet = operator.fleet();
        (0..3).all(|n| {
            fleet.iter().any(|it| it.agent == format!("worker-{n}") && it.vitals.total == done[n])
        })
    });
    for worker in &workers {
        worker.emitter().stop();
    }
    let states = || {
        let mut states: Vec<_> = operator.fleet().into_iter().map(durable_state).collect();
        states.sort_by(|a, b| a.agent.cmp(&b.agent));
        states
    };
    wait_until("two have stopped, one is killed", || {
        let summary = operator.collector().summary;
        (summary.stopped, summary.killed) == (2, 1)
    });
    let obeyed = || states()[1].kill.as_ref().is_some_and(|it| it.2.is_some());
    wait_until("it has obeyed", obeyed);
    let before = states();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = env.start_collector();
    assert_eq!(states(), before);
    let totals_after: Vec<_> = states().into_iter().map(|it| it.total).collect();
    assert_eq!(totals_after, done);
}
