//! Reading while the writer writes, folds and prunes.

use heartline_operator::Filter;
use heartline_operator::message::{EventQuery, FleetHistoryQuery, HistoryContent};

use super::*;
use crate::store::HistoryReading;
use crate::store::history::{FoldCursors, RollupResolution};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Returns how many tasks the fleet did in two days.
fn tasks(reader: &mut StoreReader) -> u64 {
    let query = FleetHistoryQuery {
        since_ms: Some(ZERO_MS - ZERO_MS % DAY_MS),
        until_ms: ZERO_MS + 2 * DAY_MS,
        step_ms: Some(DAY_MS),
        agent: None,
        filter: String::new(),
        content: HistoryContent::Work,
    };
    let filter = Filter::parse("agent:agent-*").unwrap();
    let mut read = |filter: &Filter| match reader.fleet_history(&query, filter, ZERO_MS).unwrap() {
        HistoryReading::History(history) => history.total.ok + history.total.failed,
        other => panic!("{other:?}"),
    };
    let (all, matching) = (read(&Filter::parse("").unwrap()), read(&filter));
    assert!(all <= matching, "what is read later has at least as much: {all}, {matching}");
    all
}

/// Every answer has all that was committed before, once, while minutes are folded into hours and days and are
/// removed. A page is one transaction: what it reads stays, whatever the writer does.
#[test]
fn folding_and_pruning_change_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        minutes: Duration::from_secs(2 * 3_600),
        hours: Duration::from_secs(48 * 3_600),
        ..Retention::default()
    };
    // The days keep these for ever.
    let for_ever = Duration::from_secs(36_500 * 86_400);
    let retention = Retention { days: for_ever, events: for_ever, ..retention };
    let opened = try_open_with(dir.path(), retention).unwrap();
    (1..=30).for_each(|id| register(&opened, id, &format!("agent-{id}")));
    let pinned = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let (mut reader, mut number) = (reader(&dir), 0);
    for hour in 0..30 {
        let work = (1..=30).map(|id| {
            number += 1;
            segment_at(number, id, 1, number, hour * HOUR_MS + id * 60_000)
        });
        opened.record(work.collect::<Vec<_>>());
        opened.wait_stored(number);
        if hour == 15 {
            pinned.execute_batch("BEGIN").unwrap();
            pinned.query_row("SELECT count(*) FROM minutes", [], |_| Ok(())).unwrap();
        }
        assert_eq!(tasks(&mut reader), 2 * number, "read after write, in hour {hour}");
    }
    let minutes = |conn: &rusqlite::Connection| -> (i64, i64) {
        let sql = "SELECT count(*), coalesce(sum(ok), 0) FROM minutes";
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let before = minutes(&pinned);
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    let other = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let is_folded = || {
        let cursors = FoldCursors::read(&other).unwrap();
        cursors.days.slot > RollupResolution::Day.slot(ZERO_MS)
    };
    while minutes(&other).0 > 0 || !is_folded() {
        assert_eq!(tasks(&mut reader), 2 * number, "while it folds and removes");
        assert!(crate::clock::now() < deadline, "old minutes are removed");
    }
    assert_eq!(minutes(&pinned), before, "what a page reads stays");
    pinned.execute_batch("COMMIT").unwrap();
    assert_eq!(minutes(&pinned).0, 0);
    assert_eq!(tasks(&mut reader), 2 * number);
    opened.store.close();
}

/// What was recorded before a question is in its answer, once the store was asked to flush.
#[tokio::test]
async fn an_answer_has_what_was_recorded_before_the_question() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    let (mut reader, query) = (reader(&dir), EventQuery { limit: 2_000, ..EventQuery::default() });
    for generation in 1..=200 {
        opened.record([HistoryDbRow::Disobeyed { id: AgentRowId(1), at: at(1_000), generation }]);
        let (reply_to, reply) = tokio::sync::oneshot::channel();
        opened.store.flush_history(reply_to);
        reply.await.unwrap();
        let (events, _) = reader.events(&query).unwrap();
        assert_eq!(events.len() as u64, 1 + generation);
    }
}
