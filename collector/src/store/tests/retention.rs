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
