//! Starts that must not succeed, and what is said about them.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use heartline_operator::message::{AgentEntry, EventKind};

use heartline_tests::world::{World, wait_until};
use heartline_vocabulary::{Action, Identity, State, WorkTotals};
use rusqlite::Connection;
use rustix::process::Signal;

/// A world in which a collector has been, and has killed somebody.
fn lived_in() -> World {
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let agent = world.emitter("someone", collector.address(), 60_000).start();
    wait_until("somebody is there", || operator.collector().summary.healthy == 1);
    operator.order(Action::Kill, &["someone"], 1);
    drop(agent);
    assert_eq!(collector.terminate().code(), Some(0));
    world
}

#[track_caller]
fn refuses(world: &World, code: i32, words: &[&str]) {
    let (ended, said) = world.start_in_vain("127.0.0.1:0");
    assert_eq!(ended, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// Writes nonsense over the middle of a file.
fn damage(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    for at in (0..len).step_by(1_024) {
        file.write_all_at(&[0xa5; 512], at).unwrap();
    }
}

#[test]
fn a_second_collector_is_told_whose_directory_it_is() {
    let world = World::new();
    let mut collector = world.start_collector();
    let pid = collector.process().pid().to_string();
    refuses(&world, 3, &[&pid, "--data-dir"]);
    assert_eq!(world.operator().collector().summary.total, 0, "the first one goes on");
}

#[test]
fn a_port_in_use_is_named() {
    let (world, other) = (World::new(), World::new());
    let collector = other.start_collector();
    let taken = collector.address().to_string();
    let (code, said) = world.start_in_vain(&taken);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&taken) && said.contains("--listen"), "{said}");
}

#[test]
fn a_key_that_others_can_read_or_that_is_damaged_is_refused() {
    let world = lived_in();
    let key = world.data_dir().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refuses(&world, 3, &["master.key", "644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "1 not a key\n").unwrap();
    refuses(&world, 4, &["master.key", "line 1", "restore"]);
}

#[test]
fn without_its_kill_list_it_does_not_start() {
    let world = lived_in();
    damage(&world.data_dir().join("control.db"));
    refuses(&world, 4, &["control.db", "kill list", "copy"]);
}

#[test]
fn a_database_of_a_newer_program_is_left_alone() {
    for database in ["control.db", "history.db"] {
        let world = lived_in();
        let path = world.data_dir().join(database);
        let conn = Connection::open(&path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        refuses(&world, 4, &[database, "99", "newer"]);
        let conn = Connection::open(&path).unwrap();
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    }
}

#[test]
fn a_damaged_history_is_set_aside_and_monitoring_goes_on() {
    let world = lived_in();
    damage(&world.data_dir().join("history.db"));
    let collector = world.start_collector();
    let operator = world.operator();
    let banners = operator.collector().banners.join("\n");
    assert!(banners.contains("history.db") && banners.contains("corrupt"), "{banners:?}");
    let aside = fs::read_dir(world.data_dir()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with("history.db.corrupt-")
            && !name.ends_with("-wal")
            && !name.ends_with("-shm")
    });
    assert_eq!(aside.count(), 1);
    let someone = operator.agent("someone").expect("who is known stands in control.db");
    assert_eq!(someone.vitals.state, State::Killed, "and so does who is killed");
    let _agent = world.emitter("newcomer", collector.address(), 200).start();
    wait_until("a newcomer is healthy, and that is history", || {
        operator.events_of("newcomer").iter().any(|it| matches!(it.kind, EventKind::Registered))
    });
}

#[test]
fn a_config_error_has_file_and_line_and_what_was_expected() {
    let world = World::new();
    for (text, words) in [
        ("[health]\nstall_after = \"soon\"\n", ["line 2", "5m"]),
        ("\n\nlisten_on = [\"127.0.0.1:0\"]\n", ["line 3", "listen_on"]),
        ("[health]\nlate_factor = \"three\"\n", ["line 2, column 15", "expected"]),
        ("[health\n", ["line 1", "heartline.toml"]),
        ("[health]\nlate_factor = -1.0\n", ["late_factor", "-1"]),
        ("[health]\nlate_factor = 20\n", ["late_factor", "unreachable_factor"]),
        ("[[agent]]\nlate_factor = 2\n", ["line 1", "match"]),
    ] {
        world.configure(text);
        let (code, said) = world.start_in_vain("127.0.0.1:0");
        assert_eq!(code, Some(2), "{text:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{text:?}: {word:?} is not in: {said}");
        }
    }
}

#[test]
fn a_changed_config_is_taken_as_a_whole_or_not_at_all() {
    let world = World::new();
    world.configure("[health]\nlate_factor = 2000\nunreachable_factor = 5000\n");
    let mut collector = world.start_collector();
    let operator = world.operator();
    let mut agent = world.start_agent("slowpoke", collector.address(), 100);
    wait_until("it is healthy", || operator.collector().summary.healthy == 1);
    agent.kill_9();

    // The first half would find it dead at once. The second half is wrong.
    world.configure("[health]\nunreachable_factor = 4\n[retention]\nminutes = \"ever\"\n");
    collector.process().signal(Signal::HUP);
    wait_until("it says that nothing was taken", || {
        collector.log().contains("the config is as it was")
    });
    assert!(collector.log().contains("line 4"), "{}", collector.log());
    assert_eq!(operator.collector().summary.healthy, 1);

    world.configure("[health]\nunreachable_factor = 4\n");
    collector.process().signal(Signal::HUP);
    wait_until("the new rule is in force", || operator.collector().summary.unreachable == 1);
}

/// What of an agent must outlive its collector.
#[derive(Debug, PartialEq)]
struct Facts {
    agent: String,
    identity: Identity,
    total: WorkTotals,
    starts: u32,
    state: State,
    /// By whom and why it is killed, and how long it took to obey.
    kill: Option<(String, String, Option<u64>)>,
}

fn facts_of(entry: AgentEntry) -> Facts {
    let AgentEntry { agent, identity, vitals, total, .. } = entry;
    let kill = vitals.command.map(|it| (it.by, it.reason, it.obeyed_ms));
    Facts { agent, identity, total, starts: vitals.starts, state: vitals.state, kill }
}

#[test]
fn a_restart_restores_everything() {
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let mut workers: Vec<_> = (0..3)
        .map(|n| world.start_worker(&format!("worker-{n}"), collector.address(), n))
        .collect();
    wait_until("all work", || {
        let fleet = operator.fleet();
        fleet.len() == 3 && fleet.iter().all(|it| it.total.ok > 20)
    });
    operator.order(Action::Kill, &["worker-1"], 1);
    let deeds: Vec<_> = workers.iter_mut().map(|it| it.finish()).collect();
    wait_until("all of it is counted", || {
        let fleet = operator.fleet();
        (0..3).all(|n| {
            fleet.iter().any(|it| it.agent == format!("worker-{n}") && it.total.ok == deeds[n].0.ok)
        })
    });
    for worker in &workers {
        worker.emitter().stop();
    }
    let facts = || {
        let mut facts: Vec<_> = operator.fleet().into_iter().map(facts_of).collect();
        facts.sort_by(|a, b| a.agent.cmp(&b.agent));
        facts
    };
    wait_until("two have said goodbye, one is killed", || operator.collector().summary.killed == 3);
    let obeyed = || facts()[1].kill.as_ref().is_some_and(|it| it.2.is_some());
    wait_until("it has obeyed", obeyed);
    let before = facts();
    assert_eq!(collector.terminate().code(), Some(0));
    let _collector = world.start_collector();
    assert_eq!(facts(), before);
    let deeds_after: Vec<_> = facts().into_iter().map(|it| it.total).collect();
    assert_eq!(deeds_after, deeds.iter().map(|it| it.0).collect::<Vec<_>>());
}
