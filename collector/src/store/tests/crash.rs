//! Crashes: the files as a killed process leaves them.

use std::fs;

use rusqlite::Connection;

use super::*;

/// Copies the files as a killed process leaves them: WAL and all, nothing closed.
fn copy_after_kill(dir: &TempDir) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    // The WAL first: a checkpoint between two copies would take from it what the copy of the
    // database lacks. Nothing is written meanwhile here, but an idle writer may checkpoint.
    for file in ["history.db-wal", "control.db-wal", "history.db", "control.db"] {
        fs::copy(path(dir, file), path(&left, file)).unwrap();
    }
    left
}

#[test]
fn acknowledged_work_survives_and_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    let mut acknowledged = 0;
    for round in 1..=20u64 {
        opened.record(
            (1..=5)
                .map(|n| segment((round - 1) * 5 + n, 1, 7, (round - 1) * 5 + n))
                .collect::<Vec<_>>(),
        );
        if round % 5 == 0 {
            opened.wait_stored(round * 5);
            acknowledged = round * 5;
            let left = copy_after_kill(&dir);
            let after = open(left.path());
            let agent = after.agent(1);
            assert_eq!(agent.sessions[0].applied_segment, acknowledged);
            assert_eq!(agent.totals.ok, acknowledged, "sums and last segment belong together");
            // Its emitter did not get the last acks, and sends again.
            after.record(
                (acknowledged - 2..=acknowledged + 1)
                    .map(|n| segment(n, 1, 7, n))
                    .collect::<Vec<_>>(),
            );
            assert_eq!(after.wait_stored(acknowledged + 1).len(), 3);
            let after = after.again(&left);
            assert_eq!(after.agent(1).totals.ok, acknowledged + 1);
        }
    }
    assert_eq!(acknowledged, 100);
}

#[test]
fn an_acknowledged_kill_survives() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.persist([command(1, 1, Action::Kill, &[(1, 1)])]);
    opened.wait_persisted(1);
    opened.record([segment(1, 1, 7, 1)]);
    opened.wait_stored(1);
    let left = copy_after_kill(&dir);
    let after = open(left.path());
    let desired = after.agent(1).desired.as_deref().unwrap();
    assert!(desired.killed, "and the agent with it, though it was registered just before");
    assert_eq!(after.restored.banners, Vec::<String>::new());
}

#[test]
fn agents_newer_than_a_restored_control_db_are_restored_from_history() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.store.close();
    let copy = fs::read(path(&dir, "control.db")).unwrap();

    let opened = open(dir.path());
    register(&opened, 2, "agent-2");
    register(&opened, 3, "agent-3");
    opened.persist([ControlDbRow::Forgotten { id: AgentRowId(3), at: at(1), by: "me".into() }]);
    opened.record([HistoryDbRow::Forgotten { id: AgentRowId(3), at: at(1), by: "me".into() }]);
    opened.store.close();
    fs::write(path(&dir, "control.db"), copy).unwrap();

    let opened = open(dir.path());
    let agents: Vec<&str> = opened.restored.agents.iter().map(|agent| &*agent.agent).collect();
    assert_eq!(agents, ["agent-1", "agent-2"]);
    assert_eq!(opened.restored.next_id, AgentRowId(4), "no id is used twice");
    let opened = opened.again(&dir);
    assert_eq!(opened.restored.agents.len(), 2, "and it is in control.db from now on");
}

#[test]
fn an_agent_forgotten_in_control_db_alone_is_forgotten_in_history_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent");
    opened.persist([ControlDbRow::Forgotten { id: AgentRowId(1), at: at(7), by: "me".into() }]);
    let opened = opened.again(&dir);
    register(&opened, 2, "other");
    let opened = opened.again(&dir);
    // Once its retention is over, the row may be pruned from either file first.
    opened.store.close();
    let control = Connection::open(path(&dir, "control.db")).unwrap();
    control.execute("DELETE FROM agents WHERE id = 1", []).unwrap();
    let opened = open(dir.path());
    let agents: Vec<i64> = opened.restored.agents.iter().map(|agent| agent.id.0).collect();
    assert_eq!(agents, [2], "history does not bring it back");
    opened.store.close();
    let history = Connection::open(path(&dir, "history.db")).unwrap();
    let sql = "SELECT forgotten_ms FROM agents WHERE id = 1";
    let forgotten_ms: i64 = history.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(forgotten_ms, ZERO_MS + 7);
}

#[test]
fn an_agent_forgotten_in_history_alone_is_not_restored_in_place_of_its_successor() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent");
    opened.store.close();
    let before = fs::read(path(&dir, "control.db")).unwrap();

    let opened = open(dir.path());
    opened.persist([ControlDbRow::Forgotten { id: AgentRowId(1), at: at(1), by: "me".into() }]);
    opened.record([HistoryDbRow::Forgotten { id: AgentRowId(1), at: at(1), by: "me".into() }]);
    register(&opened, 2, "agent");
    opened.record([segment(1, 2, 7, 1)]);
    opened.wait_stored(1);
    opened.store.close();
    // As if the crash had come before the commit to this one.
    fs::write(path(&dir, "control.db"), before).unwrap();

    let opened = open(dir.path());
    let [agent] = &opened.restored.agents[..] else { panic!("{:?}", opened.restored.agents) };
    assert_eq!((agent.id, agent.totals.ok), (AgentRowId(2), 1), "the one that did the work");
    let opened = opened.again(&dir);
    assert_eq!(opened.restored.agents.len(), 1);
}
