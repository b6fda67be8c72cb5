//! Timelines, compared with a painter that looks at every second.

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{TimelineCell, TimelineQuery, precedence};
use heartline_vocabulary::{AgentStatus, GapCause};

use super::*;

const SECOND_MS: i64 = 1_000;
/// Length of what is recorded: more than a slot of the strips.
const END_S: i64 = 33 * 86_400;
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
    fn random(seed: u64, agents: i64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut recorded = Self::default();
        let mut events: Vec<(i64, i64, Option<AgentStatus>)> = Vec::new();
        for agent in 1..=agents {
            let mut second = rng.i64(1..200_000);
            while second < END_S {
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
            let from = rng.i64(0..END_S);
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
        let dir = tempfile::tempdir().unwrap();
        let opened = open(dir.path());
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
    let recorded = Recorded::random(0x5eed, AGENTS);
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
    let recorded = Recorded::random(7, AGENTS);
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

/// What is later in the month of a moment says nothing of what was before it.
#[test]
fn a_quiet_agent_is_what_it_was_months_ago() {
    const DAY_S: i64 = 86_400;
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
