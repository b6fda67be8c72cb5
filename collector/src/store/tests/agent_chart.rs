//! What charts of an agent are drawn from, compared to what was recorded.

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{
    AgentChart, AgentChartQuery, AgentHistory, AgentHistoryQuery, OutageFigures, StateTimes,
};
use heartline_vocabulary::{AgentStatus, GapCause};

use super::*;
use crate::store::HistoryReading;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The end of what was recorded.
const END_MS: i64 = 9 * DAY_MS + 4 * MINUTE_MS + 31_417;
const WINDOWS_MS: [i64; 4] = [5 * MINUTE_MS, HOUR_MS, DAY_MS, 7 * DAY_MS];

/// A task: when it was counted, from ZERO, and how long it took.
#[derive(Clone, Copy)]
struct Task {
    at_ms: i64,
    us: u64,
}

fn work(ticket: u64, tasks: &[Task]) -> HistoryDbRow {
    let mut buckets: Vec<u16> = tasks.iter().map(|task| bucket::index(task.us)).collect();
    buckets.sort_unstable();
    let (mut latency, mut before) = (Vec::new(), 0);
    for same in buckets.chunk_by(|a, b| a == b) {
        bucket::pack(&mut latency, same[0] - before, same.len() as u64);
        before = same[0];
    }
    HistoryDbRow::Work(Box::new(WorkRow {
        ticket: WriteTicket(ticket),
        id: AgentRowId(1),
        session: 7,
        segment: ticket,
        at: at(tasks[0].at_ms),
        work: WorkTotals { ok: tasks.len() as u64, ..WorkTotals::default() },
        latency: latency.into(),
        quality: heartline_fleet::QualityRecord::default(),
        beats: 1,
        lost: 0,
    }))
}

/// Nine days of tasks, more of them towards the end, folded into hours and days.
fn recorded() -> (TempDir, Vec<Task>) {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let mut rows: Vec<Vec<Task>> = Vec::new();
    for (count, length_ms) in [(150, 9 * DAY_MS), (150, HOUR_MS), (60, 5 * MINUTE_MS)] {
        for _ in 0..count {
            let at_ms = END_MS - rng.i64(0..length_ms);
            // From some milliseconds to minutes, and now and then nothing at all.
            let us = |rng: &mut fastrand::Rng| match rng.u32(0..40) {
                0 => rng.u64(0..50),
                1 => rng.u64(60_000_000..400_000_000),
                _ => 2_000_u64 << rng.u32(0..12) | rng.u64(0..2_000),
            };
            rows.push((0..rng.usize(1..6)).map(|_| Task { at_ms, us: us(&mut rng) }).collect());
        }
    }
    rows.sort_unstable_by_key(|tasks| tasks[0].at_ms);
    let count = rows.len() as u64;
    opened.record((1..).zip(&rows).map(|(ticket, tasks)| work(ticket, tasks)).collect::<Vec<_>>());
    opened.wait_stored(count);
    let conn = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let last_day = (ZERO_MS + END_MS).div_euclid(DAY_MS);
    let is_folded = || {
        let sql = "SELECT count(*) FROM folds WHERE into_table = 'days' AND slot > ?1";
        conn.query_row(sql, [last_day], |row| row.get::<_, i64>(0)).unwrap() > 0
    };
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    while !is_folded() {
        assert!(crate::clock::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.store.close();
    (dir, rows.concat())
}

fn query(since_ms: i64, until_ms: i64, chart: AgentChartQuery) -> AgentHistoryQuery {
    AgentHistoryQuery {
        agent: "agent-1".to_owned(),
        since_ms: Some(ZERO_MS + since_ms),
        until_ms: ZERO_MS + until_ms,
        step_ms: None,
        chart: Some(chart),
    }
}

fn chart(dir: &TempDir, query: &AgentHistoryQuery) -> (AgentHistory, AgentChart) {
    match reader(dir).agent_history(query, ZERO_MS + 30 * DAY_MS).unwrap() {
        HistoryReading::History(mut history) => {
            let chart = history.chart.take().expect("a chart was asked for");
            (*history, chart)
        }
        other => panic!("{other:?}"),
    }
}

const ROOM: AgentChartQuery = AgentChartQuery { steps: 70, bands: 9, cells: 70 };

#[test]
fn bands_count_the_raw_values_in_every_step_of_every_window() {
    let (dir, tasks) = recorded();
    for until_ms in [END_MS, END_MS - HOUR_MS, END_MS - 26 * HOUR_MS] {
        for window_ms in WINDOWS_MS {
            for bands in [1, 2, 5, 9, 16] {
                let wanted = AgentChartQuery { bands, ..ROOM };
                let since_ms = until_ms - window_ms;
                let (history, chart) = chart(&dir, &query(since_ms, until_ms, wanted));
                compare(&tasks, &history, &chart);
                assert!(history.total.ok > 0 || (window_ms < DAY_MS && until_ms < END_MS));
                let minute = |ms: i64| (ZERO_MS + ms).div_euclid(MINUTE_MS) * MINUTE_MS;
                assert_eq!(
                    (history.from_ms, history.to_ms),
                    (minute(since_ms), ZERO_MS + until_ms)
                );
                assert!(history.steps.len() <= 70, "{}", history.steps.len());
                assert!(chart.total_bands.len() <= bands as usize);
            }
        }
    }
}

/// Compares steps and bands to the tasks: all from the range's first minute to the one that holds its end.
fn compare(tasks: &[Task], history: &AgentHistory, chart: &AgentChart) {
    let end_ms = (history.to_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS;
    let mut sums = vec![0; chart.total_bands.len()];
    assert_eq!(history.steps.len(), chart.step_bands.len());
    for (step, bands) in history.steps.iter().zip(&chart.step_bands) {
        let begin_ms = step.at_ms.max(history.from_ms);
        let range = begin_ms..(step.at_ms + history.step_ms).min(end_ms);
        let of_step = tasks.iter().filter(|task| range.contains(&(ZERO_MS + task.at_ms)));
        let of_step: Vec<u64> = of_step.map(|task| task.us).collect();
        assert_eq!(step.ok, of_step.len() as u64, "at {}", step.at_ms);
        let in_band = |edges: &[u64]| {
            of_step.iter().filter(|us| (edges[0]..edges[1]).contains(us)).count() as u64
        };
        let expected: Vec<u64> = chart.band_edges_us.windows(2).map(in_band).collect();
        let is_idle = of_step.is_empty();
        assert_eq!(*bands, if is_idle { Vec::new() } else { expected.clone() });
        sums.iter_mut().zip(expected).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(chart.total_bands, sums);
    assert_eq!(history.total.ok, sums.iter().sum::<u64>(), "every task is in a band");
}

#[test]
fn steps_are_as_short_as_there_is_room_for() {
    let (dir, _) = recorded();
    let step_ms = |window_ms, steps| {
        let wanted = AgentChartQuery { steps, ..ROOM };
        chart(&dir, &query(END_MS - window_ms, END_MS, wanted)).0.step_ms
    };
    assert_eq!(step_ms(5 * MINUTE_MS, 60), MINUTE_MS);
    assert_eq!(step_ms(HOUR_MS, 61), MINUTE_MS);
    assert_eq!(step_ms(HOUR_MS, 60), 5 * MINUTE_MS, "an hour overlaps 61 minutes");
    assert_eq!(step_ms(DAY_MS, 100), 15 * MINUTE_MS);
    assert_eq!(step_ms(DAY_MS, 61), 30 * MINUTE_MS);
    assert_eq!(step_ms(7 * DAY_MS, 61), 6 * HOUR_MS);
    assert_eq!(step_ms(7 * DAY_MS, 0), 7 * DAY_MS, "two steps are the least");
}

#[test]
fn where_minutes_are_not_kept_short_windows_have_states_and_no_work() {
    let (dir, tasks) = recorded();
    let history_db = rusqlite::Connection::open(path(&dir, "history.db")).unwrap();
    let kept_ms = ZERO_MS + 5 * DAY_MS;
    let remove = |table: &str, slot: i64| {
        history_db.execute(&format!("DELETE FROM {table} WHERE slot < ?1"), [slot]).unwrap();
    };
    remove("minutes", kept_ms.div_euclid(MINUTE_MS));
    let until_ms = 4 * DAY_MS + 7 * HOUR_MS + 123_456;
    for window_ms in &WINDOWS_MS[..2] {
        let (history, chart) = chart(&dir, &query(until_ms - window_ms, until_ms, ROOM));
        let first_kept = chart.work_kept_from_ms.expect("it says from when on");
        assert!((kept_ms..kept_ms + DAY_MS).contains(&first_kept), "{first_kept}");
        assert_eq!((history.steps.len(), history.total.ok, history.total.latency), (0, 0, None));
        assert!(!chart.cells.is_empty() && history.total.state_ms.known_ms() > 0);
    }
    // A day is told by the hour: what the hours at both ends have of it.
    let (history, chart) = chart(&dir, &query(until_ms - DAY_MS, until_ms, ROOM));
    assert_eq!((history.step_ms, chart.work_kept_from_ms), (HOUR_MS, None));
    let hour = |ms: i64| (ZERO_MS + ms).div_euclid(HOUR_MS) * HOUR_MS;
    assert_eq!((history.from_ms, history.to_ms), (hour(until_ms - DAY_MS), hour(until_ms)));
    let range = history.from_ms..history.to_ms;
    let expected = tasks.iter().filter(|task| range.contains(&(ZERO_MS + task.at_ms))).count();
    assert_eq!(history.total.ok, expected as u64, "nothing that came later");
    assert!(history.total.ok > 0);
    // A week until now begins with hours, and ends with minutes.
    let (history, chart) = self::chart(&dir, &query(END_MS - 7 * DAY_MS, END_MS, ROOM));
    assert!(history.total.ok > 0);
    assert_eq!(history.from_ms, hour(END_MS - 7 * DAY_MS));
    compare(&tasks, &history, &chart);
    remove("hours", kept_ms.div_euclid(HOUR_MS));
    let (history, chart) = self::chart(&dir, &query(until_ms - DAY_MS, until_ms, ROOM));
    assert!(history.steps.is_empty() && chart.work_kept_from_ms.is_some());
}

/// A store with these rows of one agent.
fn store_of(rows: Vec<HistoryDbRow>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.record(rows);
    opened.store.close();
    dir
}

fn to(at_ms: i64, to: AgentStatus) -> HistoryDbRow {
    let (id, from, cause) = (AgentRowId(1), AgentStatus::HEALTHY, TransitionCause::Beat);
    let (lasted, step) = (None, None);
    HistoryDbRow::Transition(Transition { id, at: at(at_ms), from, to, lasted, cause, step })
}

#[test]
fn cells_of_states_are_those_of_a_count_of_every_tenth_of_a_second() {
    const STATES: [AgentStatus; 5] = [
        AgentStatus::HEALTHY,
        AgentStatus::degraded(Reason::Late),
        AgentStatus::unreachable(Reason::Silent),
        AgentStatus::killed(Reason::Operator),
        AgentStatus::STOPPED,
    ];
    let mut rng = fastrand::Rng::with_seed(0xbeef);
    let mut changes: Vec<i64> = (0..60).map(|_| rng.i64(60..10_000)).collect();
    changes.sort_unstable();
    let changes: Vec<(i64, AgentStatus)> =
        changes.into_iter().map(|second| (second, STATES[rng.usize(..5)])).collect();
    let gaps: Vec<(i64, i64)> =
        (0..4).map(|n| (n * 2_400 + rng.i64(0..900), n * 2_400 + 900 + rng.i64(0..900))).collect();
    let mut rows: Vec<HistoryDbRow> =
        changes.iter().map(|(second, status)| to(second * SECOND_MS, *status)).collect();
    rows.extend(gaps.iter().map(|(from, end)| HistoryDbRow::Gap {
        from: at(from * SECOND_MS),
        to: at(end * SECOND_MS),
        cause: GapCause::Down,
    }));
    let dir = store_of(rows);
    let count = |from_ms: i64, to_ms: i64| {
        let mut times = StateTimes::default();
        for tenth in from_ms / 100..to_ms / 100 {
            let second = tenth.div_euclid(10);
            let status = changes.iter().rev().find(|(at, _)| *at <= second).map(|it| it.1);
            let is_gap = gaps.iter().any(|(from, to)| (*from..*to).contains(&second));
            match status {
                _ if second < 0 => {}
                _ if is_gap => times.unobserved += 100,
                status => times.add(status.unwrap_or(AgentStatus::UNKNOWN), 100),
            }
        }
        times
    };
    for (since_s, until_s, cells) in
        [(0, 10_000, 70), (-500, 9_000, 33), (3_000, 3_300, 1_000), (5, 8, 2)]
    {
        let (since_ms, until_ms) = (since_s * SECOND_MS, until_s * SECOND_MS);
        let wanted = AgentChartQuery { cells, ..ROOM };
        let (history, chart) = chart(&dir, &query(since_ms, until_ms, wanted));
        assert!((1..=cells as usize).contains(&chart.cells.len()), "{}", chart.cells.len());
        let mut sum = StateTimes::default();
        for (at, cell) in (0..).zip(&chart.cells) {
            let begin_ms = chart.cells_from_ms + at * chart.cell_ms;
            assert_eq!(
                begin_ms % chart.cell_ms,
                0,
                "a cell shows the same whenever it is asked for"
            );
            let begin_ms = begin_ms - ZERO_MS;
            let end_ms = (begin_ms + chart.cell_ms).min(until_ms);
            assert_eq!(*cell, count(begin_ms.max(since_ms), end_ms), "at {begin_ms}");
            sum.add_all(cell);
        }
        assert_eq!(sum, count(since_ms, until_ms), "all of the range is in a cell");
        assert_eq!(history.total.state_ms, sum);
    }
}

#[test]
fn outages_of_a_window_are_those_that_overlap_it_and_what_ends_later_goes_on() {
    let (late, healthy) = (AgentStatus::degraded(Reason::Late), AgentStatus::HEALTHY);
    let dir = store_of(vec![
        to(10_000, late),
        to(70_000, healthy),
        to(200_000, late),
        to(300_000, AgentStatus::unreachable(Reason::Silent)),
        to(400_000, healthy),
        to(900_000, late),
    ]);
    let totals = |since_ms, until_ms| chart(&dir, &query(since_ms, until_ms, ROOM)).1.outages;
    let all = OutageFigures { count: 3, began: 3, ended: 2, repair_ms: 260_000 };
    assert_eq!(totals(0, 1_000_000), all);
    assert_eq!(all.mttr_ms(), Some(130_000));
    assert_eq!(
        totals(100_000, 350_000),
        OutageFigures { count: 1, began: 1, ended: 0, repair_ms: 0 }
    );
    assert_eq!(
        totals(350_000, 500_000),
        OutageFigures { count: 1, began: 0, ended: 1, repair_ms: 200_000 }
    );
    assert_eq!(totals(500_000, 600_000), OutageFigures::default());
    assert_eq!(OutageFigures::default().mttr_ms(), None);
}

#[test]
fn any_query_for_a_chart_is_refused_or_gets_a_bounded_answer() {
    let (dir, _) = recorded();
    let numbers = [0, 1, 2, 70, u32::MAX];
    for (since_ms, until_ms) in
        [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, 0), (0, 1), (-1, ZERO_MS + END_MS)]
    {
        for (steps, bands) in numbers.into_iter().zip(numbers.into_iter().rev()) {
            for step_ms in [None, Some(MINUTE_MS), Some(i64::MAX), Some(-1)] {
                let chart = AgentChartQuery { steps, bands, cells: bands };
                let since_ms = Some(since_ms);
                let query = AgentHistoryQuery { since_ms, until_ms, step_ms, ..query(0, 0, chart) };
                if let HistoryReading::History(history) =
                    reader(&dir).agent_history(&query, ZERO_MS).unwrap()
                {
                    let chart = history.chart.unwrap();
                    assert!(history.steps.len() <= 1_000 && chart.cells.len() <= 1_000);
                    assert!(chart.total_bands.len() <= 16);
                }
            }
        }
    }
}
