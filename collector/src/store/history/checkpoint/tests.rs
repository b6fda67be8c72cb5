use std::time::Duration;

use heartline_config::Retention;
use heartline_vocabulary::{AgentStatus, Reason};

use super::*;
use crate::store::history::event::{EventRow, EventWriter};
use crate::store::history::{open, prune};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const AGENTS: i64 = 7;

struct Recorded {
    conn: Connection,
    /// As they were stored: time, agent, kind, status or value.
    events: Vec<(i64, i64, EventCode, i64)>,
}

impl Recorded {
    fn append(&mut self, at_ms: i64, id: i64, kind: EventCode, number: i64) {
        let is_transition = kind == EventCode::Transition;
        let (status, value) =
            if is_transition { (Some(number), None) } else { (None, Some(number)) };
        let event = EventRow { status, value, ..EventRow::of_agent(kind, id, at_ms) };
        let tx = self.conn.transaction().unwrap();
        EventWriter::new(&tx).unwrap().append(&event).unwrap();
        let sql = match kind {
            EventCode::Transition => "UPDATE agents SET status = ?2, since_ms = ?3 WHERE id = ?1",
            EventCode::Session => "UPDATE agents SET starts = ?2 WHERE id = ?1 AND ?3 > 0",
            _ => {
                "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, 'agent', ?3) \
                  ON CONFLICT DO UPDATE SET status = status + 0 * ?2"
            }
        };
        tx.execute(sql, params![id, number, at_ms]).unwrap();
        tx.commit().unwrap();
        self.events.push((at_ms, id, kind, number));
    }

    /// What a reader of all events would say, who ignores those that were stamped later.
    fn expected(&self, at_ms: i64) -> PastFleet {
        let mut fleet = PastFleet::new();
        for (cursor, &(event_ms, id, kind, number)) in (1..).zip(&self.events) {
            if event_ms > at_ms {
                continue;
            }
            let agent = fleet.entry(id).or_default();
            match kind {
                EventCode::Transition => {
                    (agent.status, agent.since_ms) = (number, event_ms);
                    let is_out = matches!(number % 8, 2 | 3);
                    agent.outage = is_out.then(|| agent.outage.unwrap_or(cursor));
                }
                EventCode::Session => agent.starts = u32::try_from(number).unwrap(),
                _ => agent.since_ms = event_ms,
            }
        }
        fleet
    }
}

/// Weeks of transitions, of which some are stamped a little before others that are stored earlier, with
/// checkpoints and with pruning: at every moment that is kept the fleet is what it was.
#[test]
fn every_moment_is_what_it_was_whatever_was_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    let mut recorded = Recorded { conn, events: Vec::new() };
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let statuses = [
        AgentStatus::HEALTHY,
        AgentStatus::degraded(Reason::Late),
        AgentStatus::unreachable(Reason::Silent),
        AgentStatus::killed(Reason::Operator),
    ];
    (1..=AGENTS).for_each(|id| recorded.append(id, id, EventCode::Registered, 0));
    let days = Duration::from_secs(10 * 86_400);
    let retention = Retention { events: days, ..Retention::default() };
    let (mut now_ms, mut checkpoints_seen) = (0, 0);
    while now_ms < 30 * DAY_MS {
        now_ms += rng.i64(1..40 * MINUTE_MS);
        let (id, late_ms) = (rng.i64(1..=AGENTS), rng.i64(0..DISORDER_MS));
        let status = StatusCode(statuses[rng.usize(..statuses.len())]).code();
        if rng.u8(..10) == 0 {
            recorded.append(now_ms, id, EventCode::Session, rng.i64(1..99));
        } else {
            recorded.append(now_ms - late_ms, id, EventCode::Transition, status);
        }
        step(&mut recorded.conn, now_ms).unwrap();
        if rng.u8(..50) == 0 {
            while prune::step(&mut recorded.conn, &retention, now_ms).unwrap() {}
            let count = "SELECT count(*) FROM checkpoints";
            checkpoints_seen +=
                recorded.conn.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
            let first_ms = first_record_ms(&recorded.conn).unwrap().unwrap();
            assert!(first_ms <= (now_ms - 10 * DAY_MS).max(7), "the retention is kept");
            for _ in 0..20 {
                let at_ms = rng.i64(first_ms..=now_ms);
                assert_eq!(fleet_at(&recorded.conn, at_ms).unwrap(), recorded.expected(at_ms));
            }
        }
    }
    assert!(checkpoints_seen > 100, "{checkpoints_seen}");
    let first: i64 =
        recorded.conn.query_row("SELECT min(cursor) FROM events", [], |row| row.get(0)).unwrap();
    assert!(first > 500, "old events were removed");
}

/// Whatever the range, all its events lie between the two cursors, and few others do.
#[test]
fn a_range_of_times_is_a_range_of_cursors() {
    let dir = tempfile::tempdir().unwrap();
    let (conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    let mut recorded = Recorded { conn, events: Vec::new() };
    let mut rng = fastrand::Rng::with_seed(7);
    let mut now_ms = 0;
    for _ in 0..2_000 {
        // The clock is set back now and then.
        now_ms += if rng.u8(..200) == 0 { -3 * 3_600_000 } else { rng.i64(0..30 * MINUTE_MS) };
        recorded.append(now_ms, 1, EventCode::Session, 1);
        step(&mut recorded.conn, now_ms).unwrap();
    }
    for _ in 0..200 {
        let since_ms = rng.i64(0..now_ms);
        let until_ms = rng.i64(since_ms..=now_ms);
        let first = first_since(&recorded.conn, since_ms).unwrap();
        let last = last_until(&recorded.conn, until_ms).unwrap();
        for (at, (event_ms, ..)) in recorded.events.iter().enumerate() {
            let cursor = at as i64 + 1;
            let is_between = (first..=last).contains(&cursor);
            assert!(is_between || !(since_ms..until_ms).contains(event_ms), "event {cursor}");
        }
    }
}
