//! A `history.db` that another program locks or reads for long.

use std::fs;

use heartline_operator::message::EventKind;
use heartline_vocabulary::AgentStatus;
use rusqlite::Connection;

use super::lost::{copy_without, store_with_a_kill};
use super::*;

/// What is judged while another program holds `history.db` is stored beside it, and is there after a
/// kill and after a stop.
#[test]
fn what_was_judged_while_history_was_locked_survives() {
    for end in ["kill", "stop", "resume"] {
        let dir = tempfile::tempdir().unwrap();
        let opened = store_with_a_kill(&dir);
        let other = Connection::open(path(&dir, "history.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let silent = AgentStatus { state: State::Unreachable, reason: Some(Reason::Silent) };
        let transition = heartline_fleet::Transition {
            id: AgentRowId(1),
            at: at(70_000),
            from: AgentStatus::UNKNOWN,
            to: silent,
            lasted: None,
            cause: heartline_fleet::TransitionCause::Exited(heartline_fleet::ProcessExit {
                last_lines: ["Killed".into()].into(),
                ..Default::default()
            }),
            step: None,
        };
        register(&opened, 2, "agent-2");
        opened.record([
            HistoryDbRow::Transition(transition),
            HistoryDbRow::Session { id: AgentRowId(1), session: 8, at: at(60_000), starts: 2 },
            segment(2, 1, 7, 2),
        ]);
        opened.wait_for(|event| matches!(event, StoreEvent::HistoryPaused { .. }).then_some(()));
        let spill = path(&dir, "history.db.pending");
        let deadline = crate::clock::now() + EVENT_TIMEOUT;
        let is_spilled = || {
            let sql = "SELECT count(*) FROM events WHERE kind IN (1, 9)";
            let conn = Connection::open(&spill).unwrap();
            conn.query_row(sql, [], |row| row.get(0)).unwrap_or(0) == 2
        };
        while !spill.exists() || !is_spilled() {
            assert!(crate::clock::now() < deadline);
            std::thread::sleep(Duration::from_millis(10));
        }
        let killed = copy_without(&dir, &[]);
        for suffix in ["", "-wal"] {
            let name = format!("history.db.pending{suffix}");
            fs::copy(path(&dir, &name), path(&killed, &name)).unwrap();
        }
        let after = match end {
            "kill" => open(killed.path()),
            "stop" => {
                opened.store.close();
                drop(other);
                open(dir.path())
            }
            _ => {
                other.execute_batch("ROLLBACK").unwrap();
                opened.wait_stored(2);
                assert!(!spill.exists());
                opened.again(&dir)
            }
        };
        let agent = after.agent(1);
        assert_eq!((agent.status, agent.since, agent.starts), (silent, at(70_000), 2), "{end}");
        assert_eq!(agent.totals.ok, if end == "resume" { 2 } else { 1 }, "{end}");
        let into = if end == "kill" { &killed } else { &dir };
        assert!(!path(into, "history.db.pending").exists());
        let query = heartline_operator::message::EventQuery { limit: 99, ..Default::default() };
        let events = reader(into).events(&query).unwrap().0;
        assert_eq!(events.len(), 5, "{end}: {events:?}");
        let is_whole = |kind: &EventKind| matches!(kind, EventKind::Transition { last_lines, .. } if last_lines == &["Killed"]);
        assert!(events.iter().any(|event| is_whole(&event.kind)), "{end}: {events:?}");
        assert_eq!(after.restored.banners, [""; 0]);
    }
}

#[test]
fn a_spill_that_was_merged_before_a_crash_is_not_merged_twice() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    let other = Connection::open(path(&dir, "history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    register(&opened, 2, "agent-2");
    opened.wait_for(|event| matches!(event, StoreEvent::HistoryPaused { .. }).then_some(()));
    opened.store.close();
    drop(other);
    let spill = fs::read(path(&dir, "history.db.pending")).unwrap();
    let count = || {
        let conn = Connection::open(path(&dir, "history.db")).unwrap();
        let sql = "SELECT count(*) FROM events WHERE kind = 9";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    open(dir.path()).store.close();
    assert_eq!(count(), 2);
    // As if the crash had come before the file was removed.
    fs::write(path(&dir, "history.db.pending"), spill).unwrap();
    open(dir.path()).store.close();
    assert_eq!(count(), 2);
}

/// Some 50 MiB of history while another program reads what was there before.
#[test]
fn a_reader_that_pins_the_wal_is_told_of_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    let other = Connection::open(path(&dir, "history.db")).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();
    // Each text is stored once, and in an index.
    let reason = |generation| format!("{generation}{}", "x".repeat(2_000)).into();
    let row = |generation| HistoryDbRow::Commanded {
        id: AgentRowId(1),
        at: at(5_000),
        action: Action::Kill,
        generation,
        by: "root@host".into(),
        reason: reason(generation),
    };
    opened.record((2..15_000).map(row).collect::<Vec<_>>());
    let wait = || {
        opened.wait_for(|event| match event {
            StoreEvent::Condition { about: "history.db-wal", sentence } => Some(sentence),
            _ => None,
        })
    };
    let sentence = wait().expect("it can't be written back");
    assert!(sentence.contains("end that program"), "{sentence}");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(wait(), None);
}
