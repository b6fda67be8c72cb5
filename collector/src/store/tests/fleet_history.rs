//! Work, percentiles, states and outages of many agents, against what was recorded.

use std::collections::BTreeMap;

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::Filter;
use heartline_operator::message::{
    FleetHistory, FleetHistoryQuery, HistoryContent, HistoryStep, OutageFigures, StateTimes,
};
use heartline_vocabulary::{AgentStatus, GapCause, Identity, SharedIdentity};

use super::*;
use crate::store::{HistoryReading, HistoryRefusal};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A midnight, so that days are whole.
const FROM_MS: i64 = ZERO_MS - ZERO_MS % DAY_MS;
const DAYS: i64 = 5;
const AGENTS: i64 = 40;
const LATE: AgentStatus = AgentStatus::degraded(Reason::Late);
const SILENT: AgentStatus = AgentStatus::unreachable(Reason::Silent);

/// A task: when it ended, of which agent, and for how long it ran, in µs.
#[derive(Clone, Copy, Debug)]
struct Task {
    at_ms: i64,
    agent: i64,
    us: u64,
}

/// What was recorded. Times are from [`FROM_MS`] on.
struct Recorded {
    dir: TempDir,
    tasks: Vec<Task>,
    /// Transitions in order: time, agent, status.
    transitions: Vec<(i64, i64, AgentStatus)>,
    /// Begin and end of times that were not observed.
    gaps: Vec<(i64, i64)>,
}

fn row_at(at_ms: i64) -> heartline_fleet::MonoTime {
    at(FROM_MS + at_ms - ZERO_MS)
}

fn transition(agent: i64, at_ms: i64, to: AgentStatus) -> HistoryDbRow {
    HistoryDbRow::Transition(Transition {
        id: AgentRowId(agent),
        at: row_at(at_ms),
        from: AgentStatus::HEALTHY,
        to,
        lasted: None,
        cause: TransitionCause::Beat,
        step: None,
    })
}

/// The host of an agent: every tenth one moves after two days and a half.
fn host(agent: i64, at_ms: i64) -> String {
    let has_moved = agent % 10 == 0 && at_ms >= 2 * DAY_MS + DAY_MS / 2;
    format!("machine-{}", if has_moved { 9 } else { agent % 4 })
}

fn identity(agent: i64, at_ms: i64) -> HistoryDbRow {
    let host = Some(host(agent, at_ms).into());
    let shared = SharedIdentity { host, ..SharedIdentity::default() };
    let identity = Identity { pid: Some(1), shared: shared.into() };
    HistoryDbRow::Identity { id: AgentRowId(agent), at: row_at(at_ms), identity }
}

fn work(number: u64, task: &Task) -> HistoryDbRow {
    let mut latency = Vec::new();
    bucket::pack(&mut latency, bucket::index(task.us), 1);
    HistoryDbRow::Work(Box::new(WorkRow {
        ticket: WriteTicket(number),
        id: AgentRowId(task.agent),
        session: 1,
        segment: number,
        at: row_at(task.at_ms),
        work: WorkTotals { ok: 1, cost_nano_usd: task.us, ..WorkTotals::default() },
        latency: latency.into(),
        quality: heartline_fleet::QualityRecord::default(),
        beats: 2,
        lost: 0,
    }))
}

/// Five days of 40 agents: tasks, outages, gaps, a few that move, one that is forgotten.
fn recorded() -> Recorded {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let mut transitions = Vec::new();
    for id in 1..=AGENTS {
        let (id_row, agent) = (AgentRowId(id), format!("agent-{id}").into());
        let at = row_at(0);
        opened.persist([ControlDbRow::Registered {
            id: id_row,
            agent: format!("agent-{id}").into(),
            at,
        }]);
        opened.record([HistoryDbRow::Registered { id: id_row, agent, at }, identity(id, 0)]);
        transitions.push((1, id, AgentStatus::HEALTHY));
        let mut at_ms = rng.i64(1..DAY_MS);
        while at_ms < DAYS * DAY_MS {
            let statuses = match rng.u8(..4) {
                0 => &[LATE, SILENT, AgentStatus::HEALTHY][..],
                1 => &[LATE, AgentStatus::killed(Reason::Operator), AgentStatus::HEALTHY],
                _ => &[LATE, AgentStatus::HEALTHY],
            };
            for status in statuses {
                transitions.push((at_ms, id, *status));
                at_ms += rng.i64(SECOND_MS..3 * HOUR_MS);
            }
            at_ms += rng.i64(0..DAY_MS);
        }
    }
    transitions.retain(|(at_ms, ..)| *at_ms < DAYS * DAY_MS);
    transitions.sort_unstable_by_key(|(at_ms, id, _)| (*at_ms, *id));
    let gaps = vec![(DAY_MS, DAY_MS + 40 * MINUTE_MS), (3 * DAY_MS, 3 * DAY_MS + 5 * HOUR_MS)];
    let mut rows: Vec<_> =
        transitions.iter().map(|(at_ms, id, to)| (*at_ms, transition(*id, *at_ms, *to))).collect();
    rows.extend(gaps.iter().map(|&(from, to)| {
        (to, HistoryDbRow::Gap { from: row_at(from), to: row_at(to), cause: GapCause::Down })
    }));
    let moves = 2 * DAY_MS + DAY_MS / 2;
    rows.extend((10..=AGENTS).step_by(10).map(|id| (moves, identity(id, moves))));
    rows.sort_by_key(|(at_ms, _)| *at_ms);
    opened.record(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
    let mut tasks: Vec<Task> = (0..6_000)
        .map(|_| Task {
            at_ms: rng.i64(0..DAYS * DAY_MS),
            agent: rng.i64(1..=AGENTS),
            us: 1_000 * (1 << rng.u32(0..12)) + rng.u64(..5_000),
        })
        .collect();
    tasks.sort_unstable_by_key(|task| task.at_ms);
    let rows = (1..).zip(&tasks).map(|(number, task)| work(number, task));
    opened.record(rows.collect::<Vec<_>>());
    opened.wait_stored(6_000);
    wait_folded(&dir);
    opened.store.close();
    Recorded { dir, tasks, transitions, gaps }
}

/// Waits until everything is folded into days.
fn wait_folded(dir: &TempDir) {
    let conn = rusqlite::Connection::open(path(dir, "history.db")).unwrap();
    let sql = "SELECT count(*) FROM fleet_days WHERE (SELECT max(slot) FROM fleet_days) < \
               (SELECT slot FROM folds WHERE into_table = 'days')";
    let days = || conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    while days() < DAYS {
        assert!(crate::clock::now() < deadline, "{} days are folded", days());
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Recorded {
    fn read(&self, query: &FleetHistoryQuery) -> HistoryReading<FleetHistory> {
        let filter = Filter::parse(&query.filter).unwrap();
        reader(&self.dir).fleet_history(query, &filter, FROM_MS + DAYS * DAY_MS).unwrap()
    }

    fn history(&self, query: &FleetHistoryQuery) -> FleetHistory {
        match self.read(query) {
            HistoryReading::History(history) => *history,
            other => panic!("{other:?}"),
        }
    }

    /// Adds up the states of an agent between two moments, millisecond by stretch.
    fn times(&self, agent: i64, (from_ms, to_ms): (i64, i64), times: &mut StateTimes) {
        let of_agent = self.transitions.iter().filter(|(_, id, _)| *id == agent);
        let mut stretches = vec![(0, AgentStatus::UNKNOWN)];
        stretches.extend(of_agent.map(|(at_ms, _, status)| (*at_ms, *status)));
        let ends = stretches.iter().skip(1).map(|(at_ms, _)| *at_ms).chain([i64::MAX]);
        for ((start, status), end) in stretches.iter().zip(ends) {
            let (from, to) = ((*start).max(from_ms), end.min(to_ms));
            if to > from {
                let overlap = |gap: &(i64, i64)| (gap.1.min(to) - gap.0.max(from)).max(0);
                let unobserved = self.gaps.iter().map(overlap).sum::<i64>().cast_unsigned();
                times.unobserved += unobserved;
                times.add(*status, (to - from).cast_unsigned() - unobserved);
            }
        }
    }

    /// Begin and end of every outage of an agent.
    fn outages(&self, agent: i64) -> Vec<(i64, Option<i64>)> {
        let mut found = Vec::<(i64, Option<i64>)>::new();
        for (at_ms, _, status) in self.transitions.iter().filter(|(_, id, _)| *id == agent) {
            let is_out = status.state.is_trouble();
            match found.last_mut() {
                Some((_, end @ None)) if !is_out => *end = Some(*at_ms),
                Some((_, None)) => {}
                _ if is_out => found.push((*at_ms, None)),
                _ => {}
            }
        }
        found
    }
}

fn query(from_ms: i64, to_ms: i64, step_ms: i64) -> FleetHistoryQuery {
    FleetHistoryQuery {
        since_ms: Some(FROM_MS + from_ms),
        until_ms: FROM_MS + to_ms,
        step_ms: Some(step_ms),
        agent: None,
        filter: String::new(),
        content: HistoryContent::WorkAndStates,
    }
}

/// Compares percentiles with those of the raw values, which differ by half of a bucket at most.
#[track_caller]
fn check_percentiles(step: &HistoryStep, mut us: Vec<u64>) {
    us.sort_unstable();
    let Some(latency) = &step.latency else {
        assert!(us.is_empty(), "{} tasks", us.len());
        return;
    };
    for (found, percent) in [
        (latency.p50, 50),
        (latency.p90, 90),
        (latency.p95, 95),
        (latency.p99, 99),
        (latency.max, 100),
    ] {
        let exact = us[(us.len() * percent).div_ceil(100).max(1) - 1];
        assert!(found.abs_diff(exact) * 60 <= exact, "p{percent}: {found} for {exact}");
    }
}

/// Whatever the range, the step and the part of the fleet: counts, percentiles, states and outages are those of
/// what was recorded.
#[test]
fn every_part_of_the_fleet_has_what_was_recorded_of_it() {
    let recorded = recorded();
    type Part = (Option<i64>, &'static str, fn(i64, i64) -> bool);
    let parts: [Part; 6] = [
        (None, "", |_, _| true),
        (Some(7), "", |agent, _| agent == 7),
        (None, "agent-2*", |agent, _| agent == 2 || agent / 10 == 2),
        (None, "host:machine-1 or host=machine-3", |agent, _| matches!(agent % 4, 1 | 3)),
        (None, "host:machine-9", |agent, at_ms| host(agent, at_ms) == "machine-9"),
        (Some(10), "host!=machine-9", |agent, at_ms| {
            agent == 10 && host(agent, at_ms) != "machine-9"
        }),
    ];
    let ranges = [
        (0, DAYS * DAY_MS, DAY_MS),
        (DAY_MS + 7 * HOUR_MS, 4 * DAY_MS, 6 * HOUR_MS),
        (2 * DAY_MS + 11 * HOUR_MS, 2 * DAY_MS + 14 * HOUR_MS, 5 * MINUTE_MS),
    ];
    for (agent, filter, is_member) in parts {
        for (from_ms, to_ms, step_ms) in ranges {
            let asked = FleetHistoryQuery {
                agent: agent.map(|id| format!("agent-{id}")),
                filter: filter.to_owned(),
                ..query(from_ms, to_ms, step_ms)
            };
            let (from_ms, history) = (from_ms - from_ms % step_ms, recorded.history(&asked));
            let context = format!("{agent:?} {filter:?} {from_ms} by {step_ms}");
            assert_eq!(history.from_ms, FROM_MS + from_ms, "{context}");
            let matched = |id: &i64| {
                let mut times = (from_ms..to_ms).step_by(MINUTE_MS as usize);
                agent.is_none_or(|one| one == *id) && times.any(|at_ms| is_member(*id, at_ms))
            };
            let members = (1..=AGENTS).filter(matched).collect::<Vec<_>>();
            assert_eq!(history.agents, members.len() as u64, "{context}");
            for (step, begin_ms) in history.steps.iter().zip((from_ms..).step_by(step_ms as usize))
            {
                let end_ms = begin_ms + step_ms;
                let tasks = recorded.tasks.iter().filter(|task| {
                    (begin_ms..end_ms).contains(&task.at_ms) && is_member(task.agent, task.at_ms)
                });
                let us: Vec<u64> = tasks.map(|task| task.us).collect();
                assert_eq!(
                    (step.ok, step.beats),
                    (us.len() as u64, 2 * us.len() as u64),
                    "{context}"
                );
                assert_eq!(step.cost_nano_usd, us.iter().sum::<u64>(), "{context}");
                check_percentiles(step, us);
                let mut times = StateTimes::default();
                for id in &members {
                    // Nobody moves but at one moment.
                    let moved = (2 * DAY_MS + DAY_MS / 2).clamp(begin_ms, end_ms);
                    for part in [(begin_ms, moved), (moved, end_ms)] {
                        if part.0 < part.1 && is_member(*id, part.0) {
                            recorded.times(*id, part, &mut times);
                        }
                    }
                }
                assert_eq!(step.state_ms, times, "{context}: {begin_ms}");
            }
            let mut figures = OutageFigures::default();
            for id in &members {
                for (start, end) in recorded.outages(*id) {
                    let overlaps = start < to_ms && end.is_none_or(|end| end > from_ms);
                    if !overlaps || !is_member(*id, start.max(from_ms)) {
                        continue;
                    }
                    figures.count += 1;
                    figures.began += u64::from(start >= from_ms);
                    if let Some(end) = end.filter(|end| *end < to_ms) {
                        figures.ended += 1;
                        figures.repair_ms += (end - start).cast_unsigned();
                    }
                }
            }
            assert_eq!(history.outages, figures, "{context}");
            let began: u64 = history.steps.iter().map(|step| step.outages).sum();
            assert_eq!((began, history.total.outages), (figures.began, figures.began), "{context}");
        }
    }
}

/// The percentiles of a month are those of all its tasks, and no average of those of its hours.
#[test]
fn what_is_asked_for_less_is_the_same() {
    let recorded = recorded();
    let all = query(0, DAYS * DAY_MS, 6 * HOUR_MS);
    let full = recorded.history(&all);
    check_percentiles(&full.total, recorded.tasks.iter().map(|task| task.us).collect());
    for content in [HistoryContent::Work, HistoryContent::WorkWithLatencies] {
        let less = recorded.history(&FleetHistoryQuery { content, ..all.clone() });
        assert_eq!(less.agents, full.agents);
        let work = |step: &HistoryStep| (step.ok, step.beats, step.latency);
        assert!(less.steps.iter().map(work).eq(full.steps.iter().map(work)));
        if content == HistoryContent::Work {
            assert_eq!(less.latencies, Vec::<Vec<_>>::new());
            continue;
        }
        let mut buckets = BTreeMap::<u16, u64>::new();
        for (bucket, count) in less.latencies.iter().flatten() {
            *buckets.entry(*bucket).or_default() += count;
        }
        let mut expected = BTreeMap::<u16, u64>::new();
        for task in &recorded.tasks {
            *expected.entry(bucket::index(task.us)).or_default() += 1;
        }
        assert_eq!(buckets, expected, "nothing is lost on the way into days");
    }
}

#[test]
fn a_range_without_work_has_no_percentiles_and_one_of_nobody_no_agents() {
    let recorded = recorded();
    let nobody =
        FleetHistoryQuery { filter: "host:no-such".to_owned(), ..query(0, DAY_MS, HOUR_MS) };
    let history = recorded.history(&nobody);
    assert_eq!((history.agents, history.steps.len()), (0, 24));
    assert_eq!((history.total.latency, history.total.state_ms.availability()), (None, None));
    let before = recorded.history(&query(-DAY_MS, 0, HOUR_MS));
    assert_eq!(
        (before.agents, before.total),
        (0, HistoryStep { at_ms: FROM_MS - DAY_MS, ..HistoryStep::default() })
    );
    let unknown = FleetHistoryQuery { agent: Some("agent-99".into()), ..query(0, DAY_MS, HOUR_MS) };
    assert_eq!(recorded.read(&unknown), HistoryReading::UnknownAgent);
    let refused = recorded.read(&query(0, DAY_MS, 7 * MINUTE_MS));
    assert_eq!(refused, HistoryReading::Refused(HistoryRefusal::WrongStep));
}
