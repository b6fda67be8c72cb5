//! An agent's work and states in steps.

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{AgentHistory, AgentHistoryQuery, StateTimes};
use heartline_vocabulary::{AgentStatus, GapCause};

use super::*;
use crate::store::{HistoryReading, HistoryRefusal};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const LATE: AgentStatus = AgentStatus::degraded(Reason::Late);

fn to(at_ms: i64, to: AgentStatus) -> HistoryDbRow {
    let (id, from, cause) = (AgentRowId(1), AgentStatus::HEALTHY, TransitionCause::Beat);
    let (lasted, step) = (None, None);
    HistoryDbRow::Transition(Transition { id, at: at(at_ms), from, to, lasted, cause, step })
}

fn query(since_ms: i64, until_ms: i64, step_ms: Option<i64>) -> AgentHistoryQuery {
    let agent = "agent-1".to_owned();
    AgentHistoryQuery {
        agent,
        since_ms: Some(ZERO_MS + since_ms),
        until_ms: ZERO_MS + until_ms,
        step_ms,
        chart: None,
    }
}

fn history(dir: &TempDir, query: &AgentHistoryQuery) -> AgentHistory {
    let now_ms = ZERO_MS + 5 * DAY_MS;
    match reader(dir).agent_history(query, now_ms).unwrap() {
        HistoryReading::History(history) => *history,
        other => panic!("{other:?}"),
    }
}

/// Four days of work, folded into hours and days as they are over, and of transitions with a gap.
fn recorded() -> (TempDir, Vec<i64>) {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let times: Vec<i64> = {
        let mut times: Vec<i64> = (0..400).map(|_| rng.i64(0..4 * DAY_MS)).collect();
        times.sort_unstable();
        times
    };
    let work = (1..).zip(&times).map(|(number, at_ms)| segment_at(number, 1, 7, number, *at_ms));
    opened.record(work.collect::<Vec<_>>());
    opened.wait_stored(400);
    opened.record([
        to(0, AgentStatus::HEALTHY),
        to(10 * HOUR_MS, LATE),
        to(12 * HOUR_MS, AgentStatus::HEALTHY),
        HistoryDbRow::Gap {
            from: at(11 * HOUR_MS),
            to: at(11 * HOUR_MS + 30 * MINUTE_MS),
            cause: GapCause::Down,
        },
        to(2 * DAY_MS, AgentStatus::killed(Reason::Operator)),
        to(3 * DAY_MS, AgentStatus::HEALTHY),
    ]);
    // All is folded that is ever going to be.
    let days = || {
        let conn = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
        let sql = "SELECT count(*) FROM days";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    while days() < 5 {
        assert!(crate::clock::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.store.close();
    (dir, times)
}

#[test]
fn steps_of_any_length_add_up_what_was_counted() {
    let (dir, times) = recorded();
    for step_ms in [5 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS] {
        let history = history(&dir, &query(3 * HOUR_MS, 3 * DAY_MS + 7 * MINUTE_MS, Some(step_ms)));
        let first_ms = (ZERO_MS + 3 * HOUR_MS).div_euclid(step_ms) * step_ms;
        assert_eq!((history.from_ms, history.step_ms), (first_ms, step_ms));
        let mut tasks = 0;
        for step in &history.steps {
            let range = step.at_ms - ZERO_MS..step.at_ms - ZERO_MS + step_ms;
            let expected = times.iter().filter(|at_ms| range.contains(at_ms)).count() as u64;
            assert_eq!((step.ok, step.failed), (expected, expected), "at {}", step.at_ms - ZERO_MS);
            assert_eq!(step.latency.is_some(), expected > 0, "no tasks is no latency of 0");
            tasks += expected;
        }
        assert_eq!((history.total.ok, history.total.cost_nano_usd), (tasks, tasks * 10_000_000));
        let end_ms = history.steps.last().unwrap().at_ms + step_ms;
        assert_eq!(
            history.to_ms,
            end_ms.min(ZERO_MS + 5 * DAY_MS),
            "whole steps, until now at most"
        );
    }
}

#[test]
fn every_moment_since_an_agent_is_known_is_in_one_state_or_unobserved() {
    let (dir, _) = recorded();
    let hour = |ms: i64| (ms / HOUR_MS).cast_unsigned();
    let history = history(&dir, &query(-DAY_MS, 4 * DAY_MS - 1, Some(HOUR_MS)));
    let total = history.total.state_ms;
    // ZERO is at 14:30: the last step ends half an hour later.
    let half = u64::try_from(HOUR_MS / 2).unwrap();
    let ms = |hours: u64| hours * HOUR_MS.cast_unsigned();
    let expected = StateTimes {
        healthy: ms(10 + hour(2 * DAY_MS) - 12 + hour(DAY_MS)) + half,
        degraded: ms(1) + half,
        killed: ms(hour(DAY_MS)),
        unobserved: half,
        ..StateTimes::default()
    };
    assert_eq!(total, expected, "nothing before it was first seen");
    let up = total.healthy as f64 / (total.healthy + total.degraded) as f64;
    assert!((total.availability().unwrap() - up).abs() < 1e-9, "a kill is no failure");
    let at = |ms: i64| history.steps.iter().find(|it| it.at_ms == ZERO_MS - half as i64 + ms);
    let gap = at(11 * HOUR_MS).unwrap().state_ms;
    assert_eq!((gap.degraded, gap.unobserved), (half, half));
    assert_eq!(at(-2 * HOUR_MS).unwrap().state_ms, StateTimes::default());
}

#[test]
fn a_step_is_chosen_that_makes_some_sixty_of_the_range() {
    let (dir, _) = recorded();
    let chosen = |until_ms| history(&dir, &query(0, until_ms, None)).step_ms;
    assert_eq!(chosen(HOUR_MS), MINUTE_MS);
    assert_eq!(chosen(4 * HOUR_MS), 5 * MINUTE_MS);
    assert_eq!(chosen(DAY_MS), HOUR_MS);
    assert_eq!(chosen(4 * DAY_MS), 6 * HOUR_MS);
}

#[test]
fn what_is_not_kept_or_makes_no_sense_is_refused() {
    let (dir, _) = recorded();
    let read = |query: &AgentHistoryQuery| reader(&dir).agent_history(query, ZERO_MS).unwrap();
    let unknown = AgentHistoryQuery { agent: "agent-2".to_owned(), ..query(0, HOUR_MS, None) };
    assert_eq!(read(&unknown), HistoryReading::UnknownAgent);
    for step_ms in [0, -MINUTE_MS, 1_000, 7 * MINUTE_MS, 90_000, DAY_MS + HOUR_MS] {
        let wrong = read(&query(0, HOUR_MS, Some(step_ms)));
        assert_eq!(wrong, HistoryReading::Refused(HistoryRefusal::WrongStep), "{step_ms}");
    }
    for (since_ms, until_ms) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, 0)] {
        for step_ms in [None, Some(i64::MAX), Some(i64::MIN), Some(DAY_MS)] {
            let hostile =
                AgentHistoryQuery { since_ms: Some(since_ms), until_ms, ..query(0, 0, step_ms) };
            let answer = read(&hostile);
            let few = |history: &AgentHistory| history.steps.len() <= 5_000;
            assert!(!matches!(answer, HistoryReading::History(it) if !few(&it)));
        }
    }
    let long = read(&query(0, 4 * DAY_MS, Some(MINUTE_MS)));
    assert_eq!(long, HistoryReading::Refused(HistoryRefusal::TooManySteps(5_760)));
    let history = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    // As the retention removes minutes.
    let day = (ZERO_MS + DAY_MS).div_euclid(MINUTE_MS);
    history.execute("DELETE FROM minutes WHERE slot < ?1", [day]).unwrap();
    let HistoryReading::Refused(HistoryRefusal::TooFine(kept_ms)) =
        read(&query(0, HOUR_MS, Some(MINUTE_MS)))
    else {
        panic!("minutes are not kept so long");
    };
    let first_kept = ZERO_MS + DAY_MS..ZERO_MS + 2 * DAY_MS;
    assert!(first_kept.contains(&kept_ms) && kept_ms % HOUR_MS == 0, "{kept_ms}");
    assert!(matches!(read(&query(0, HOUR_MS, None)), HistoryReading::History(_)));
}
