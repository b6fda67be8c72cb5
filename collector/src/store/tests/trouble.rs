//! Damaged files, newer files, and disks that refuse.

use std::fs;

use rusqlite::Connection;

use super::*;

/// Returns a data directory with work of so many agents.
fn dir_with_work(agents: i64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let names: Vec<Box<str>> = (1..=agents).map(|id| format!("agent-{id}").into()).collect();
    let named = || (1..).map(AgentRowId).zip(names.iter().cloned());
    let control = named().map(|(id, agent)| ControlDbRow::Registered { id, agent, at: at(0) });
    opened.persist(control.collect::<Vec<_>>());
    let history = named().map(|(id, agent)| HistoryDbRow::Registered { id, agent, at: at(0) });
    opened.record(history.collect::<Vec<_>>());
    opened.record(all_work(agents, 1));
    opened.wait_stored(agents as u64);
    opened.store.close();
    dir
}

fn all_work(agents: i64, number: u64) -> Vec<HistoryDbRow> {
    (1..=agents).map(|id| segment(id as u64, id, 7, number)).collect()
}

fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_history_is_set_aside_and_monitoring_goes_on() {
    type Corruption = fn(&mut Vec<u8>);
    let cases: [(&str, Corruption); 4] = [
        ("its header", |bytes| bytes[..100].fill(0x5a)),
        ("pages in its middle", |bytes| {
            let middle = bytes.len() / 2 / 4_096 * 4_096;
            bytes[middle..middle + 5 * 4_096].fill(0x5a);
        }),
        ("its end", |bytes| bytes.truncate(bytes.len() / 2)),
        ("all but its beginning", |bytes| bytes.truncate(1_000)),
    ];
    for (what, how) in cases {
        let dir = dir_with_work(2_000);
        damage(&path(&dir, "history.db"), how);
        let opened = open(dir.path());
        assert_eq!(opened.restored.banners.len(), 1, "{what}");
        assert!(opened.restored.banners[0].contains("history.db.corrupt-20"), "{what}");
        assert_eq!(opened.restored.agents.len(), 2_000, "control.db is whole: {what}");
        assert_eq!(opened.agent(1).totals.ok, 0);
        opened.record([segment(1, 1, 7, 2)]);
        opened.wait_stored(1);
        let events = reader(&dir).sessions(AgentRowId(1), 9).unwrap();
        assert_eq!(events.len(), 1, "the new one is written");
        let opened = opened.again(&dir);
        assert_eq!(opened.restored.banners, Vec::<String>::new(), "{what}: a banner once");
        assert_eq!(opened.agent(1).totals.ok, 1);
    }
}

#[test]
fn damage_found_while_running_is_set_aside_too() {
    let agents = 2_000;
    let dir = dir_with_work(agents);
    let opened = open(dir.path());
    let mut reader = reader(&dir);
    // Every page but the first: nothing that the writer reads from now on makes sense.
    damage(&path(&dir, "history.db"), |bytes| bytes[4_096..].fill(0x5a));
    opened.record(all_work(agents, 2));
    let why = opened.wait_for(|event| match event {
        StoreEvent::HistorySetAside { why } => Some(why),
        _ => None,
    });
    assert!(why.contains("history.db.corrupt-20"), "{why}");
    opened.wait_stored(agents as u64);
    assert_eq!(reader.sessions(AgentRowId(1), 9).unwrap().len(), 1, "a reader follows");
}

#[test]
fn a_newer_history_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).store.close();
    let conn = Connection::open(path(&dir, "history.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let refused = try_open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }), "{refused}");
    assert_eq!(refused.exit_code(), 4);
}

#[test]
fn history_is_complete_after_a_pause() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.record([segment(1, 1, 7, 1)]);
    opened.wait_stored(1);
    let other = Connection::open(path(&dir, "history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    opened.record([segment(2, 1, 7, 2)]);
    let why = opened.wait_for(|event| match event {
        StoreEvent::HistoryPaused { why } => Some(why),
        other => panic!("acknowledged although it is not stored: {other:?}"),
    });
    assert!(why.contains("history.db"), "{why}");
    opened.record([segment(3, 1, 7, 3)]);
    opened.persist([command(1, 1, Action::Kill, &[(1, 1)])]);
    opened.wait_persisted(1);
    other.execute_batch("ROLLBACK").unwrap();
    opened.wait_for(|event| (event == StoreEvent::HistoryResumed).then_some(()));
    assert_eq!(opened.wait_stored(3), [0; 0]);
    let opened = opened.again(&dir);
    assert_eq!(opened.agent(1).totals.ok, 3);
}

#[test]
fn a_command_that_is_not_stored_is_not_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.persist([command(1, 1, Action::Kill, &[(1, 1)])]);
    opened.wait_persisted(1);
    let other = Connection::open(path(&dir, "control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    register(&opened, 2, "agent-2");
    opened.persist([command(2, 2, Action::Resume, &[(1, 2)])]);
    let why = opened.wait_for(|event| match event {
        StoreEvent::CommandFailed { ticket: WriteTicket(2), why } => Some(why),
        StoreEvent::ControlPaused { .. } => None,
        other => panic!("{other:?}"),
    });
    assert!(why.contains("control.db"), "{why}");
    other.execute_batch("ROLLBACK").unwrap();
    opened.wait_for(|event| (event == StoreEvent::ControlResumed).then_some(()));
    let opened = opened.again(&dir);
    assert!(opened.agent(1).desired.as_deref().unwrap().killed);
    assert_eq!(opened.restored.agents.len(), 2, "agents that came meanwhile are not lost");
}
