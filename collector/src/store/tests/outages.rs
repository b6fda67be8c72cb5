//! Outages and the fleet at a moment, as they follow from what was recorded.

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{
    EventOrder, Outage, OutageQuery, PastAgent, PastFleet, PastWork, RecentWork,
};
use heartline_vocabulary::{AgentStatus, GapCause, Identity, SharedIdentity};

use super::*;
use crate::store::{NewNote, NoteError, PastReading};

pub(super) const LATE: AgentStatus = AgentStatus::degraded(Reason::Late);
pub(super) const STALLED: AgentStatus = AgentStatus::degraded(Reason::Stalled);
pub(super) const SILENT: AgentStatus = AgentStatus::unreachable(Reason::Silent);
pub(super) const KILLED: AgentStatus = AgentStatus::killed(Reason::Operator);
const NOW_MS: i64 = ZERO_MS + 10_000_000;

/// A transition with the cause that the core gives it, for beats every 10 s.
pub(super) fn to(id: i64, at_ms: i64, to: AgentStatus) -> HistoryDbRow {
    let cause = match to.reason {
        Some(Reason::Late) => TransitionCause::Missed { beats: 3, interval_ms: 10_000 },
        Some(Reason::Silent) => TransitionCause::Missed { beats: 10, interval_ms: 10_000 },
        Some(Reason::Stalled) => {
            TransitionCause::NoProgress { age_ms: 300_000, step: Some("fetch".into()) }
        }
        _ => TransitionCause::Beat,
    };
    let step = to.state.is_trouble().then(|| "fetch".into());
    let (id, from) = (AgentRowId(id), AgentStatus::HEALTHY);
    let transition = Transition { id, at: at(at_ms), from, to, lasted: None, cause, step };
    HistoryDbRow::Transition(transition)
}

pub(super) fn gap(from_ms: i64, to_ms: i64) -> HistoryDbRow {
    HistoryDbRow::Gap { from: at(from_ms), to: at(to_ms), cause: GapCause::Down }
}

pub(super) fn identity(id: i64, at_ms: i64, host: &str, pid: u32) -> HistoryDbRow {
    let shared = SharedIdentity { host: Some(host.into()), ..SharedIdentity::default() };
    let identity = Identity { pid: Some(pid), shared: shared.into() };
    HistoryDbRow::Identity { id: AgentRowId(id), at: at(at_ms), identity }
}

/// A store in which these rows were recorded of agents 1 to 3, and which was closed.
pub(super) fn recorded(rows: impl Into<Vec<HistoryDbRow>>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    (1..=3).for_each(|id| register(&opened, id, &format!("agent-{id}")));
    opened.record(rows);
    opened.store.close();
    dir
}

fn outages(dir: &TempDir, query: OutageQuery) -> (Vec<Outage>, Option<i64>) {
    let query = OutageQuery { limit: query.limit.max(1), ..query };
    reader(dir).outages(&query, NOW_MS).unwrap()
}

fn all(dir: &TempDir) -> Vec<Outage> {
    outages(dir, OutageQuery { limit: 100, order: EventOrder::OldestFirst, ..Default::default() }).0
}

#[test]
fn an_outage_runs_from_leaving_health_to_the_return() {
    let rows = [
        identity(1, 1_000, "machine-3", 4_411),
        to(1, 30_000, LATE),
        to(1, 100_000, SILENT),
        // It moved to another machine.
        identity(1, 247_000, "machine-4", 17),
        to(1, 248_000, AgentStatus::HEALTHY),
        to(2, 300_000, STALLED),
        to(2, 330_000, LATE),
        to(2, 350_000, STALLED),
    ];
    let found = all(&recorded(rows));
    let [first, open] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*first.agent, first.start_ms), ("agent-1", ZERO_MS + 30_000));
    assert_eq!((first.end_ms, first.lasted_ms(NOW_MS)), (Some(ZERO_MS + 248_000), 218_000));
    assert_eq!(
        (first.worst, first.cause.as_deref()),
        (SILENT, Some("10 beats missed (interval 10s)"))
    );
    assert_eq!(first.missed_beats, 24, "since its last beat at 0, every 10 s");
    assert_eq!(first.identity.shared.host.as_deref(), Some("machine-3"), "where it was then");
    assert_eq!((first.identity.pid, first.step.as_deref()), (Some(4_411), Some("fetch")));
    assert_eq!((open.end_ms, open.worst, open.unobserved_ms), (None, STALLED, 0));
    assert_eq!(open.cause.as_deref(), Some("beats arrive, no progress for 5m00s; step fetch"));
    assert_eq!(open.missed_beats, 5, "of its one run of missed beats, which has ended");
    assert_eq!(open.lasted_ms(NOW_MS), 9_700_000);
}

/// Whatever was stored later: each outage is what a store says that ends at the moment.
#[test]
fn an_outage_is_shown_as_it_was_known_at_the_moment() {
    let rows = [
        (30_000, to(1, 30_000, LATE)),
        (60_000, gap(40_000, 60_000)),
        (120_000, to(1, 120_000, SILENT)),
        (200_000, to(2, 200_000, STALLED)),
        (248_000, to(1, 248_000, AgentStatus::HEALTHY)),
        (330_000, to(2, 330_000, LATE)),
        (350_000, to(2, 350_000, STALLED)),
        (390_000, gap(360_000, 390_000)),
        (400_000, to(2, 400_000, AgentStatus::HEALTHY)),
        (500_000, to(1, 500_000, LATE)),
    ];
    let whole = recorded(rows.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>());
    for at_ms in rows.iter().flat_map(|(row_ms, _)| [row_ms - 1, *row_ms]) {
        // What came later was never recorded.
        let then = rows.iter().filter(|(row_ms, _)| *row_ms <= at_ms);
        let then = recorded(then.map(|(_, row)| row.clone()).collect::<Vec<_>>());
        let now_ms = ZERO_MS + at_ms;
        for agent in [None, Some("agent-2".to_owned())] {
            let query = OutageQuery {
                limit: 10,
                order: EventOrder::OldestFirst,
                agent,
                ..OutageQuery::default()
            };
            let expected = reader(&then).outages(&query, now_ms).unwrap().0;
            let query = OutageQuery { as_of_ms: Some(now_ms), ..query };
            let found = reader(&whole).outages(&query, NOW_MS).unwrap().0;
            // A gap is known when it has ended.
            let without_gap = |mut outage: Outage| {
                (outage.missed_beats, outage.unobserved_ms) = (0, 0);
                outage
            };
            match rows.iter().any(|(end_ms, row)| {
                matches!(row, HistoryDbRow::Gap { .. })
                    && (end_ms - 30_000..*end_ms).contains(&at_ms)
            }) {
                false => assert_eq!(found, expected, "at {at_ms}"),
                true => assert!(
                    found.into_iter().map(without_gap).eq(expected.into_iter().map(without_gap)),
                    "at {at_ms}"
                ),
            }
        }
    }
}

#[test]
fn beats_go_on_being_missed_while_an_outage_is_open() {
    let found = all(&recorded([to(1, 30_000, LATE)]));
    assert_eq!((found[0].missed_beats, found[0].end_ms), (1_000, None));
}

#[test]
fn a_gap_does_not_end_an_outage_and_is_no_part_of_what_was_missed() {
    let rows = [
        to(1, 30_000, LATE),
        gap(50_000, 1_050_000),
        to(1, 1_100_000, SILENT),
        gap(1_090_000, 1_095_000),
        to(1, 1_240_000, AgentStatus::HEALTHY),
    ];
    let found = all(&recorded(rows));
    let [outage] = &found[..] else { panic!("{found:?}") };
    assert_eq!((outage.lasted_ms(NOW_MS), outage.unobserved_ms), (1_210_000, 1_005_000));
    assert_eq!(outage.missed_beats, 23, "in the 235 s that were observed since its last beat");
}

#[test]
fn a_kill_a_stop_and_being_forgotten_end_an_outage_and_are_none() {
    let rows = [
        to(1, 10_000, KILLED),
        to(1, 20_000, AgentStatus::HEALTHY),
        to(1, 30_000, LATE),
        to(1, 40_000, KILLED),
        to(2, 30_000, LATE),
        to(2, 41_000, AgentStatus::STOPPED),
        to(3, 30_000, SILENT),
        HistoryDbRow::Forgotten { id: AgentRowId(3), at: at(42_000), by: "root@host".into() },
    ];
    let ends: Vec<_> =
        all(&recorded(rows)).iter().map(|it| (it.agent.clone(), it.end_ms)).collect();
    let end = |agent: &str, ms| (agent.to_owned(), Some(ZERO_MS + ms));
    assert_eq!(ends, [end("agent-1", 40_000), end("agent-2", 41_000), end("agent-3", 42_000)]);
}

/// Outages of three agents, of 10 s each but for the first agent's, which are an hour long.
fn many() -> TempDir {
    let mut rows = Vec::new();
    for number in 0..60 {
        let (id, start_ms) = (1 + number % 3, number * 100_000);
        let lasted_ms = if id == 1 { 250_000 } else { 10_000 };
        rows.push((start_ms, to(id, start_ms, if number % 5 == 0 { STALLED } else { LATE })));
        if number % 2 == 0 {
            rows.push((start_ms + 5_000, to(id, start_ms + 5_000, SILENT)));
        }
        rows.push((start_ms + lasted_ms, to(id, start_ms + lasted_ms, AgentStatus::HEALTHY)));
    }
    rows.sort_by_key(|(at_ms, _)| *at_ms);
    recorded(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>())
}

#[test]
fn a_range_has_the_outages_that_overlap_it_and_pages_follow_each_other() {
    let dir = many();
    let everything = all(&dir);
    assert_eq!(everything.len(), 60);
    for agent in [None, Some("agent-1"), Some("agent-2")] {
        for (since, until) in [(0, 6_000), (1, 100), (500, 700), (1_005, 1_006), (3_000, 9_000)] {
            let (since_ms, until_ms) = (ZERO_MS + since * 1_000, ZERO_MS + until * 1_000);
            let overlaps = |it: &&Outage| {
                it.start_ms < until_ms
                    && it.end_ms.is_none_or(|end| end > since_ms)
                    && agent.is_none_or(|agent| it.agent == agent)
            };
            let expected: Vec<Outage> = everything.iter().filter(overlaps).cloned().collect();
            for order in [EventOrder::OldestFirst, EventOrder::NewestFirst] {
                let mut query = OutageQuery {
                    since_ms: Some(since_ms),
                    until_ms: Some(until_ms),
                    agent: agent.map(str::to_owned),
                    limit: 4,
                    order,
                    ..OutageQuery::default()
                };
                let mut found = Vec::new();
                loop {
                    let (page, next) = outages(&dir, query.clone());
                    match order {
                        EventOrder::OldestFirst => found.extend(page),
                        EventOrder::NewestFirst => drop(found.splice(0..0, page)),
                    }
                    let Some(next) = next else { break };
                    query = query.following(next);
                }
                assert_eq!(found, expected, "{agent:?}, {since} to {until} s, {order:?}");
            }
        }
    }
}

#[test]
fn outages_are_derived_anew_when_another_version_derived_them() {
    let dir = many();
    let (before, events) = (all(&dir), reader(&dir).events(&Default::default()).unwrap());
    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    history
        .execute_batch(
            "DELETE FROM outages; UPDATE meta SET value = 0 WHERE key = 'outages_version'",
        )
        .unwrap();
    drop(history);
    assert_eq!(all(&dir), []);
    open(dir.path()).store.close();
    assert_eq!(all(&dir), before);
    assert_eq!(reader(&dir).events(&Default::default()).unwrap(), events);
}

/// The events that began outages are removed, and the outages that went on stay until they have ended.
#[test]
fn an_outage_outlives_the_event_that_began_it() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    let wall_ms = crate::clock::wall_ms() - ZERO_MS;
    opened.record([
        to(1, wall_ms - 100 * DAY_MS, LATE),
        to(2, wall_ms - 100 * DAY_MS, LATE),
        to(2, wall_ms - 99 * DAY_MS, AgentStatus::HEALTHY),
        to(2, wall_ms - 90 * DAY_MS, LATE),
        to(2, wall_ms - 2 * DAY_MS, AgentStatus::HEALTHY),
    ]);
    opened.store.close();
    let before = all(&dir);
    assert_eq!(before.len(), 3);
    let days = Duration::from_secs(10 * 86_400);
    let retention = Retention { minutes: days, hours: days, days, events: days };
    let opened = try_open_with(dir.path(), retention).unwrap();
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    while all(&dir).len() > 2 {
        assert!(crate::clock::now() < deadline, "one is over before all that is kept");
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.store.close();
    let kept = [before[0].clone(), before[2].clone()];
    assert_eq!(all(&dir), kept);
    for (agent, expected) in [("agent-1", &kept[0]), ("agent-2", &kept[1])] {
        let query = |since_ms| OutageQuery {
            agent: Some(agent.to_owned()),
            since_ms,
            limit: 10,
            ..OutageQuery::default()
        };
        for since_ms in [None, Some(ZERO_MS + wall_ms - 5 * DAY_MS)] {
            let found = outages(&dir, query(since_ms)).0;
            assert_eq!(found.iter().collect::<Vec<_>>(), [expected], "{agent}, {since_ms:?}");
        }
    }
    // What begins with an event that is removed can't be derived anew, and is kept.
    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    history.execute("UPDATE meta SET value = 0 WHERE key = 'outages_version'", []).unwrap();
    drop(history);
    try_open_with(dir.path(), retention).unwrap().store.close();
    assert_eq!(all(&dir), kept);
}

#[tokio::test]
async fn notes_are_kept_with_their_outage() {
    let dir = recorded([to(1, 30_000, LATE), to(2, 40_000, LATE)]);
    let opened = open(dir.path());
    let handle = opened.store.handle();
    let note = |outage, acknowledges, words: &str| NewNote {
        outage,
        at_ms: ZERO_MS + 50_000,
        by: "ops@bastion".to_owned(),
        acknowledges,
        words: words.to_owned(),
    };
    let [first, second] = &all(&dir)[..] else { panic!("two are recorded") };
    handle.add_note(note(first.id, false, "INC-482")).await.unwrap();
    handle.add_note(note(first.id, true, "")).await.unwrap();
    let unknown = handle.add_note(note(second.id + 1, false, "whose?")).await;
    assert_eq!(unknown, Err(NoteError::UnknownOutage(second.id + 1)));
    opened.store.close();
    let closed = handle.add_note(note(first.id, false, "too late")).await;
    assert_eq!(closed, Err(NoteError::Closed));

    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let sql = "UPDATE meta SET value = 0 WHERE key = 'outages_version'";
    assert_eq!(history.execute(sql, []).unwrap(), 1);
    drop(history);
    open(dir.path()).store.close();
    let before = OutageQuery {
        as_of_ms: Some(ZERO_MS + 49_999),
        limit: 10,
        order: EventOrder::OldestFirst,
        ..OutageQuery::default()
    };
    let [first, _] = &outages(&dir, before).0[..] else { panic!("two had begun") };
    assert_eq!(first.notes, [], "nobody had written yet");
    let [first, second] = &all(&dir)[..] else { panic!("two are derived") };
    assert_eq!(first.acknowledged_by(), Some("ops@bastion"));
    let words: Vec<&str> = first.notes.iter().map(|note| &*note.words).collect();
    assert_eq!((words, &second.notes[..]), (vec!["INC-482", ""], &[][..]));
}

fn past(dir: &TempDir, at_ms: i64) -> Vec<PastAgent> {
    past_fleet(dir, at_ms, true).agents
}

fn past_fleet(dir: &TempDir, at_ms: i64, with_work: bool) -> PastFleet {
    match reader(dir).past(ZERO_MS + at_ms, with_work).unwrap() {
        PastReading::Fleet(fleet) => fleet,
        PastReading::BeforeFirst(first) => panic!("before {first:?}"),
    }
}

#[test]
fn the_fleet_at_a_moment_has_what_was_known_then() {
    let dir = recorded([
        identity(1, 1_000, "machine-3", 4_411),
        HistoryDbRow::Session { id: AgentRowId(1), session: 7, at: at(1_000), starts: 1 },
        to(1, 2_000, AgentStatus::HEALTHY),
        segment_at(1, 1, 7, 1, 62_000),
        to(1, 30_000, LATE),
        identity(1, 90_000, "machine-4", 17),
        HistoryDbRow::Session { id: AgentRowId(1), session: 8, at: at(90_000), starts: 2 },
        to(1, 90_000, AgentStatus::HEALTHY),
        gap(100_000, 200_000),
        HistoryDbRow::Forgotten { id: AgentRowId(2), at: at(300_000), by: "root@host".into() },
    ]);
    let agent = |at_ms| past(&dir, at_ms).swap_remove(0);
    assert_eq!(past(&dir, 0).len(), 3);
    assert_eq!((agent(0).status, agent(0).starts), (AgentStatus::UNKNOWN, 0));
    assert_eq!((agent(0).identity.clone(), agent(0).work.ok), (Identity::default(), 0));
    let late = agent(60_000);
    assert_eq!((late.status, late.since_ms, late.starts), (LATE, ZERO_MS + 30_000, 1));
    assert_eq!(late.identity.shared.host.as_deref(), Some("machine-3"));
    assert_eq!((late.work.ok, late.work.failed), (1, 1));
    assert_eq!(past_fleet(&dir, 60_000, true).work, PastWork::HourUntil);
    let without = past_fleet(&dir, 60_000, false);
    assert_eq!(without.work, PastWork::NotRead);
    assert_eq!(without.agents[0], PastAgent { work: RecentWork::default(), ..late.clone() });
    let moved = agent(95_000);
    assert_eq!(
        (moved.status, moved.starts, moved.identity.pid),
        (AgentStatus::HEALTHY, 2, Some(17))
    );
    assert_eq!(past(&dir, 299_999).len(), 3);
    assert_eq!(past(&dir, 300_000).len(), 2, "one was forgotten");
    let in_gap = |at_ms| match reader(&dir).past(ZERO_MS + at_ms, false).unwrap() {
        PastReading::Fleet(fleet) => fleet.gap.map(|gap| gap.cause),
        PastReading::BeforeFirst(_) => None,
    };
    assert_eq!(
        [in_gap(99_999), in_gap(100_000), in_gap(200_000)],
        [None, Some(GapCause::Down), None]
    );
    let before = reader(&dir).past(ZERO_MS - 1, true).unwrap();
    assert_eq!(before, PastReading::BeforeFirst(Some(ZERO_MS)));
}
