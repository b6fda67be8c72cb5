//! Retention while the store runs.

use heartline_operator::message::EventQuery;

use super::*;
use crate::clock;

#[test]
fn the_writers_remove_what_is_older_than_its_retention() {
    let dir = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(86_400);
    let retention = Retention { minutes: day, hours: day, days: day, events: 365 * day };
    let opened = try_open_with(dir.path(), retention).unwrap();
    let old = WallClockAnchor::new(MonoTime::from_nanos(0), 0);
    let fresh = WallClockAnchor::read();
    let rows = |id| {
        let (id, agent) = (AgentRowId(id), "agent");
        (
            ControlDbRow::Registered { id, agent: agent.into(), at: at(0) },
            HistoryDbRow::Registered { id, agent: agent.into(), at: at(0) },
        )
    };
    for (id, anchor) in [(1, old), (2, fresh)] {
        let (control, history) = rows(id);
        opened.store.persist(vec![control], anchor);
        opened.store.record(vec![history], anchor);
        opened.store.persist(vec![command(id as u64, id as u64, Action::Kill, &[(id, 1)])], anchor);
    }
    opened.wait_persisted(2);
    let mut reader = reader(&dir);
    let deadline = clock::now() + EVENT_TIMEOUT;
    loop {
        let query = EventQuery { limit: 9, ..EventQuery::default() };
        let events = reader.events(&query).unwrap().0.len();
        let commands = [1, 2].map(|id| reader.command(id).unwrap().is_some());
        if (events, commands) == (1, [false, true]) {
            break;
        }
        assert!(clock::now() < deadline, "{events} events, commands {commands:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let opened = opened.again(&dir);
    let killed = |id| opened.agent(id).desired.as_deref().is_some_and(|desired| desired.killed);
    assert!(killed(1) && killed(2), "a kill outlives its audit");
}

/// A start whose wall clock is ahead of everything that was lived through removes nothing that is
/// not old by the time before.
#[test]
fn a_start_with_a_clock_that_is_ahead_removes_nothing_new() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).store.close();
    let wall_ms = clock::wall_ms();
    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    // The last run was a hundred days ago, before the machine was restarted.
    let last_ms = wall_ms - 100 * DAY_MS;
    history
        .execute_batch(&format!(
            "UPDATE meta SET value = {last_ms} WHERE key IN ('alive_at_ms', 'retention_at_ms');
             UPDATE meta SET value = 1 WHERE key = 'boot_id';
             INSERT INTO events (at_ms, kind) VALUES \
                ({last_ms} - 40 * 86400000, 9), ({last_ms} - 1000, 9);
             INSERT INTO minutes VALUES ({last_ms} / 60000, 1, 1, 0, 0, 0, 0, 0, 0, x'')"
        ))
        .unwrap();
    let day = Duration::from_secs(86_400);
    let retention = Retention { minutes: day, hours: day, days: day, events: 30 * day };
    let opened = try_open_with(dir.path(), retention).unwrap();
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        history.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let deadline = clock::now() + EVENT_TIMEOUT;
    while count("events WHERE kind = 9") > 1 {
        assert!(clock::now() < deadline, "what is old by either clock is removed");
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.store.close();
    assert_eq!((count("events WHERE kind = 9"), count("minutes")), (1, 1));
}

#[test]
fn a_stop_with_a_clock_that_was_set_back_makes_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).store.close();
    let stopped = clock::now();
    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let sql = "UPDATE meta SET value = value - 400 * 86400000 WHERE key = 'alive_at_ms'";
    assert_eq!(history.execute(sql, []).unwrap(), 1);
    let opened = open(dir.path());
    let last_alive = opened.restored.last_alive.unwrap();
    assert!(stopped.since(last_alive) < Duration::from_secs(60), "{last_alive:?}, {stopped:?}");
}
