//! Timelines, compared with a painter that looks at every second.

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{EventKind, EventQuery, TimelineCell, TimelineQuery, precedence};
use heartline_vocabulary::{AgentStatus, GapCause};
use rusqlite::{Connection, OptionalExtension as _};

use super::*;
use crate::clock::{self, wall_ms};

const SECOND_MS: i64 = 1_000;
const DAY_S: i64 = 86_400;
/// Length of what is recorded: more than a slot of the strips.
const END_S: i64 = 33 * DAY_S;
const STATUSES: [AgentStatus; 6] = [
    AgentStatus::HEALTHY,
    AgentStatus::degraded(Reason::Late),
    AgentStatus::degraded(Reason::Stalled),
    AgentStatus::unreachable(Reason::Silent),
    AgentStatus::killed(Reason::Operator),
    AgentStatus::STOPPED,
];

/// What happened to some agents, at whole seconds.
#[derive(Default)]
struct Recorded {
    rows: Vec<HistoryDbRow>,
    /// By agent: from when on it was in which status.
    changes: Vec<Vec<(i64, Option<AgentStatus>)>>,
    gaps: Vec<(i64, i64)>,
}

fn transition(id: i64, second: i64, to: AgentStatus) -> HistoryDbRow {
    let (from, cause) = (AgentStatus::HEALTHY, TransitionCause::Beat);
    let (id, at, lasted, step) = (AgentRowId(id), at(second * SECOND_MS), None, None);
    HistoryDbRow::Transition(Transition { id, at, from, to, lasted, cause, step })
}

impl Recorded {
    /// Agents that change state in bursts and then keep it for long, and gaps, some of which touch.
    fn random(seed: u64, agents: i64, end: i64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut recorded = Self::default();
        let mut events: Vec<(i64, i64, Option<AgentStatus>)> = Vec::new();
        for agent in 1..=agents {
            let mut second = rng.i64(1..200_000);
            while second < end {
                let status = (rng.u8(..40) > 0).then(|| STATUSES[rng.usize(..STATUSES.len())]);
                events.push((second, agent, status));
                if status.is_none() {
                    break;
                }
                let burst = rng.bool();
                second += if burst { rng.i64(1..90) } else { rng.i64(3_600..200_000) };
            }
        }
        events.sort_by_key(|(second, ..)| *second);
        recorded.changes = vec![vec![(0, Some(AgentStatus::UNKNOWN))]; agents as usize];
        for (second, agent, status) in events {
            recorded.changes[agent as usize - 1].push((second, status));
            recorded.rows.push(match status {
                Some(status) => transition(agent, second, status),
                None => HistoryDbRow::Forgotten {
                    id: AgentRowId(agent),
                    by: "ops@bastion".into(),
                    at: at(second * SECOND_MS),
                },
            });
        }
        for _ in 0..30 {
            let from = rng.i64(0..end);
            let to = from + rng.i64(1..40_000);
            recorded.gaps.push((from, to));
            recorded.rows.push(HistoryDbRow::Gap {
                from: at(from * SECOND_MS),
                to: at(to * SECOND_MS),
                cause: GapCause::Down,
            });
        }
        recorded
    }

    fn store(&self) -> TempDir {
        self.store_from(anchor())
    }

    fn store_from(&self, anchor: WallClockAnchor) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let opened = OpenStore { anchor, ..open(dir.path()) };
        for id in 1..=self.changes.len() as i64 {
            register(&opened, id, &format!("agent-{id}"));
        }
        opened.record(self.rows.clone());
        opened.store.close();
        dir
    }

    fn status(&self, agent: usize, second: i64) -> Option<AgentStatus> {
        let changes = &self.changes[agent];
        let last = changes.partition_point(|(since, _)| *since <= second).checked_sub(1)?;
        changes[last].1
    }

    /// Paints a cell second by second.
    fn cell(&self, agents: &[usize], from: i64, to: i64) -> TimelineCell {
        let mut cell = TimelineCell::default();
        for &agent in agents {
            let mut worst: Option<AgentStatus> = None;
            for second in from..to {
                let Some(status) = self.status(agent, second) else { continue };
                if self.gaps.iter().any(|(from, to)| (*from..*to).contains(&second)) {
                    cell.unobserved_ms += 1_000;
                    continue;
                }
                match precedence(status) {
                    1 => cell.up_ms += 1_000,
                    5 | 6 => cell.bad_ms += 1_000,
                    _ => cell.other_ms += 1_000,
                }
                if worst.is_none_or(|worst| precedence(status) >= precedence(worst)) {
                    worst = Some(status);
                }
            }
            match (cell.worst.map(precedence), worst.map(precedence)) {
                (_, None) => {}
                (before, now) if before == now => cell.worst_agents += 1,
                (before, now) if before < now => (cell.worst, cell.worst_agents) = (worst, 1),
                _ => {}
            }
        }
        cell
    }
}

#[test]
fn cells_are_those_of_a_painter_that_looks_at_every_second() {
    const AGENTS: i64 = 5;
    let recorded = Recorded::random(0x5eed, AGENTS, END_S);
    let dir = recorded.store();
    let rows: [&[usize]; 4] = [&[0], &[3], &[0, 1, 2, 3, 4], &[4, 1]];
    let ids = |row: &&[usize]| row.iter().map(|agent| AgentRowId(*agent as i64 + 1)).collect();
    let queries = [
        (0, 3_600, 12),
        (29 * 86_400 - 7, 61, 40),
        (-50_000, 3_600, 30),
        (END_S - 40_000, 1_800, 40),
        (12 * 86_400, 21_600, 6),
    ];
    for (from, cell_s, cells) in queries {
        let query = TimelineQuery {
            from_ms: ZERO_MS + from * SECOND_MS,
            cell_ms: cell_s * SECOND_MS,
            cells,
            rows: rows.iter().map(ids).collect(),
        };
        let timeline = reader(&dir).timeline(&query, ZERO_MS + END_S * SECOND_MS).unwrap();
        assert_eq!(timeline.first_ms, Some(ZERO_MS));
        for (row, agents) in timeline.rows.iter().zip(rows) {
            assert_eq!(row.cells().count(), cells as usize);
            for (at, cell) in (0..).zip(row.cells()) {
                let begin = from + at * cell_s;
                let expected = recorded.cell(agents, begin.max(0), (begin + cell_s).min(END_S));
                assert_eq!(cell, expected, "agents {agents:?}, cell {at} of {from}");
            }
        }
        for (at, cell) in (0..).zip(timeline.collector.cells()) {
            let (begin, end) = (from + at * cell_s, from + (at + 1) * cell_s);
            let in_gap =
                |second: &i64| recorded.gaps.iter().any(|it| (it.0..it.1).contains(second));
            let known = (begin.max(0)..end.min(END_S)).filter(|second| *second >= 0);
            let gap_ms = known.clone().filter(in_gap).count() as u64 * 1_000;
            let all_ms = known.count() as u64 * 1_000;
            assert_eq!((cell.unobserved_ms, cell.up_ms), (gap_ms, all_ms - gap_ms), "cell {at}");
        }
    }
}

#[test]
fn many_agents_are_painted_as_each_alone() {
    const AGENTS: i64 = 150;
    let recorded = Recorded::random(7, AGENTS, END_S);
    let dir = recorded.store();
    let query = |rows| TimelineQuery {
        from_ms: ZERO_MS + 20 * 86_400_000,
        cell_ms: 3_600_000,
        cells: 300,
        rows,
    };
    let now_ms = ZERO_MS + END_S * SECOND_MS;
    let mut reader = reader(&dir);
    let each = (1..=AGENTS).map(|id| vec![AgentRowId(id)]).collect();
    let each = reader.timeline(&query(each), now_ms).unwrap();
    // Few agents are looked for one by one, also what they were at the begin.
    for (first, last) in [(1, AGENTS), (40, 41)] {
        let few = [first, last].map(|id| vec![AgentRowId(id)]);
        let few = reader.timeline(&query(few.into()), now_ms).unwrap();
        let expected = [first, last].map(|id| each.rows[id as usize - 1].clone());
        assert_eq!(few.rows, expected);
    }
    let whole = query(vec![(1..=AGENTS).map(AgentRowId).collect()]);
    let whole = reader.timeline(&whole, now_ms).unwrap();
    let mut sums = vec![TimelineCell::default(); 300];
    for row in &each.rows {
        sums.iter_mut().zip(row.cells()).for_each(|(sum, cell)| sum.add(&cell));
    }
    let of = |cell: &TimelineCell| (cell.worst_agents, cell.up_ms, cell.bad_ms, cell.other_ms);
    for (cell, sum) in whole.rows[0].cells().zip(&sums) {
        assert_eq!(of(&cell), of(sum));
        assert_eq!(cell.worst.map(precedence), sum.worst.map(precedence));
    }
}

/// Opens a store, which packs the days that are over, and waits until it has.
fn pack_days(dir: &TempDir) {
    let opened = open(dir.path());
    let conn = Connection::open(path(dir, "history.db")).unwrap();
    let yesterday = (wall_ms() - 600_000) / 86_400_000 - 1;
    let last_packed = || -> Option<i64> {
        let sql = "SELECT day FROM state_days WHERE next_agent IS NULL ORDER BY day DESC LIMIT 1";
        conn.query_row(sql, [], |row| row.get(0)).optional().unwrap()
    };
    let begun_at = clock::now();
    while last_packed().is_none_or(|day| day < yesterday) {
        assert!(clock::now().since(begun_at) < EVENT_TIMEOUT, "{:?} of {yesterday}", last_packed());
        std::thread::sleep(Duration::from_millis(20));
    }
    opened.store.close();
}

/// Days that are packed are what their strips are, also when more is stored of them later.
#[test]
fn packed_days_are_what_is_painted_from_strips() {
    const AGENTS: i64 = 300;
    const DAYS: i64 = 100;
    let day_ms = DAY_S * SECOND_MS;
    // Days are packed until yesterday.
    let from_ms = (wall_ms() / day_ms - DAYS - 3) * day_ms;
    let zero_ms = from_ms + ZERO_MS % day_ms;
    let anchor = WallClockAnchor::new(MonoTime::from_nanos(0), zero_ms);
    let dir = Recorded::random(11, AGENTS, DAYS * DAY_S).store_from(anchor);
    pack_days(&dir);
    let conn = Connection::open(path(&dir, "history.db")).unwrap();
    let now_ms = zero_ms + (DAYS - 2) * day_ms;
    let rows: Vec<Vec<AgentRowId>> = [1..=200, 201..=290, 17..=17, 1..=AGENTS]
        .map(|ids: std::ops::RangeInclusive<i64>| ids.map(AgentRowId).collect())
        .into();
    let timelines = || {
        let cells = [(0, 1, 101, 0..4), (-21, 7, 18, 0..4), (3, 3, 40, 0..4), (0, 1, 101, 1..3)];
        cells.map(|(first, days, cells, of_rows)| {
            let (from_ms, cell_ms) = (from_ms + first * day_ms, days * day_ms);
            let rows = rows[of_rows].to_vec();
            let query = TimelineQuery { from_ms, cell_ms, cells, rows };
            reader(&dir).timeline(&query, now_ms).unwrap()
        })
    };
    let from_strips = || {
        let sql = "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM state_days; DELETE FROM state_days; \
                   COMMIT";
        conn.execute_batch(sql).unwrap();
        let painted = timelines();
        conn.execute_batch("INSERT INTO state_days SELECT * FROM kept; DROP TABLE kept").unwrap();
        painted
    };
    let usable = || {
        let before = timelines();
        let sql = "CREATE TEMP TABLE cells AS SELECT * FROM state_day_cells; \
                   UPDATE state_day_cells SET cells = x''";
        conn.execute_batch(sql).unwrap();
        let is_used = timelines() != before;
        let sql = "INSERT OR REPLACE INTO state_day_cells SELECT * FROM cells; DROP TABLE cells";
        conn.execute_batch(sql).unwrap();
        is_used
    };
    assert!(usable(), "packed days are used");
    assert!(timelines() == from_strips());

    // A transition and a gap of long ago come later, as from a clock that was wrong.
    for late in [
        transition(17, 81 * DAY_S + 5, AgentStatus::degraded(Reason::Stalled)),
        HistoryDbRow::Gap {
            from: at(70 * day_ms),
            to: at(70 * day_ms + 7_000),
            cause: GapCause::Down,
        },
        transition(280, 40 * DAY_S + 7, AgentStatus::unreachable(Reason::Silent)),
    ] {
        let opened = OpenStore { anchor, ..open(dir.path()) };
        opened.record([late]);
        opened.store.close();
        assert!(timelines() == from_strips());
    }
    assert!(!usable(), "40 days are too few");
    // The next day that is over finds them.
    conn.execute("DELETE FROM state_days WHERE day = (SELECT max(day) FROM state_days)", [])
        .unwrap();
    pack_days(&dir);
    assert!(usable(), "all are packed again");
    let [packed, ..] = timelines();
    for day in 0..DAYS as usize - 2 {
        // So few agents are read each from its own strips, late events included.
        let rows = rows[1..=2].to_vec();
        let from_ms = from_ms + day as i64 * day_ms;
        let query = TimelineQuery { from_ms, cell_ms: day_ms, cells: 1, rows };
        let alone = reader(&dir).timeline(&query, now_ms).unwrap();
        for (packed, alone) in packed.rows[1..].iter().zip(&alone.rows) {
            assert_eq!(packed.cells().nth(day), alone.cells().next(), "day {day}");
        }
    }
}

/// What is later in the month of a moment says nothing of what was before it.
#[test]
fn a_quiet_agent_is_what_it_was_months_ago() {
    let late = AgentStatus::degraded(Reason::Late);
    let rows = vec![
        transition(1, 60, AgentStatus::HEALTHY),
        transition(1, 52 * DAY_S, late),
        transition(1, 52 * DAY_S + 60, AgentStatus::HEALTHY),
    ];
    let recorded = Recorded { rows, changes: vec![Vec::new(); 1], gaps: Vec::new() };
    let dir = recorded.store();
    let query = TimelineQuery {
        from_ms: ZERO_MS + 50 * DAY_S * SECOND_MS,
        cell_ms: DAY_S * SECOND_MS,
        cells: 2,
        rows: vec![vec![AgentRowId(1)]],
    };
    let timeline = reader(&dir).timeline(&query, ZERO_MS + 60 * DAY_S * SECOND_MS).unwrap();
    let up_ms: Vec<u64> = timeline.rows[0].cells().map(|cell| cell.up_ms).collect();
    assert_eq!(up_ms, [86_400_000; 2]);
}

/// The clock is set while no collector runs: the first commit of the next one says so.
#[test]
fn a_clock_that_was_set_is_an_event_with_its_size() {
    let recorded = Recorded {
        rows: vec![transition(1, 60, AgentStatus::HEALTHY)],
        changes: vec![Vec::new(); 1],
        gaps: Vec::new(),
    };
    let dir = recorded.store();
    let conn = Connection::open(path(&dir, "history.db")).unwrap();
    let set = |by_ms: i64| {
        let sql = "UPDATE meta SET value = value + ?1 WHERE key = 'clock_offset_ms'";
        assert_eq!(conn.execute(sql, [by_ms]).unwrap(), 1);
        let opened = open(dir.path());
        opened.record([transition(1, 120, AgentStatus::degraded(Reason::Late))]);
        opened.store.close();
    };
    set(0);
    set(-5_000);
    set(3_600_000);
    let mut reader = reader(&dir);
    let query = TimelineQuery { cell_ms: 1_000, cells: 1, ..TimelineQuery::default() };
    let steps = reader.timeline(&query, ZERO_MS).unwrap().clock_steps;
    let by_ms: Vec<i64> = steps.iter().map(|step| (step.by_ms + 500).div_euclid(1_000)).collect();
    assert_eq!(by_ms, [-3_600, 5], "the newest first, in seconds");
    assert!(steps.iter().all(|step| step.at_ms.abs_diff(wall_ms()) < 60_000), "{steps:?}");
    // They are events of the collector, which those of any agent tell of.
    for agent in [None, Some("agent-1".to_owned())] {
        let query = EventQuery { limit: 10, agent, ..EventQuery::default() };
        let (events, _) = reader.events(&query).unwrap();
        let found = events.iter().filter(|it| matches!(it.kind, EventKind::ClockStep { .. }));
        assert_eq!(found.count(), 2);
    }
}

#[test]
fn a_moment_says_what_is_known_of_it() {
    let recorded = Recorded {
        rows: vec![
            transition(1, 60, AgentStatus::HEALTHY),
            HistoryDbRow::Gap { from: at(90_000), to: at(100_000), cause: GapCause::Down },
        ],
        changes: vec![Vec::new(); 3],
        gaps: Vec::new(),
    };
    let dir = recorded.store();
    let moment = |second: i64| reader(&dir).moment(ZERO_MS + second * SECOND_MS).unwrap();
    assert_eq!((moment(95).agents, moment(95).gap.map(|gap| gap.cause)), (3, Some(GapCause::Down)));
    assert_eq!((moment(80).agents, moment(80).gap), (3, None));
    let before = moment(-1);
    assert_eq!((before.agents, before.first_ms), (0, Some(ZERO_MS)));
}
