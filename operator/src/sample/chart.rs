//! What the charts of a busy agent are drawn from.

use super::{HOUR, MINUTE, NOW_MS, SECOND};
use crate::message::{
    AgentChart, AgentHistory, AgentHistoryQuery, HistoryStep, LatencyQuantiles, OutageFigures,
    StateTimes,
};

/// Lengths of steps, as the collector chooses from.
const STEPS_MS: [i64; 8] =
    [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 24 * HOUR];
/// Next to 100, 200 and 500 ms, and 1, 2, 5 and 10 s.
const EDGES_US: [u64; 7] = [100_352, 200_704, 499_712, 999_424, 1_998_848, 4_980_736, 9_961_472];
/// Next to 100 and 300 ms, and 1, 3 and 10 s.
const FEW_EDGES_US: [u64; 5] = [100_352, 303_104, 999_424, 3_014_656, 9_961_472];

/// Returns the history of an agent that works without pause but while it is out: late from 20 minutes
/// ago on, unreachable two minutes later, and healthy after six. A minute of it, 40 minutes ago, was not
/// observed.
///
/// # Panics
/// The query is not for a chart, or has no begin.
pub fn agent_charts(query: &AgentHistoryQuery) -> AgentHistory {
    let wanted = query.chart.as_ref().expect("it is for a chart");
    let (since_ms, until_ms) = (query.since_ms.expect("it has a begin"), query.until_ms);
    let from_ms = since_ms.div_euclid(MINUTE) * MINUTE;
    let count = |step_ms: &i64| {
        u32::try_from((until_ms - 1).div_euclid(*step_ms) - from_ms.div_euclid(*step_ms) + 1)
    };
    let fits = |step_ms: &i64| count(step_ms).is_ok_and(|count| count <= wanted.steps);
    let step_ms = STEPS_MS.into_iter().find(fits).unwrap_or(24 * HOUR);
    let edges: &[u64] =
        if wanted.bands as usize >= EDGES_US.len() - 1 { &EDGES_US } else { &FEW_EDGES_US };
    let (mut steps, mut step_bands) = (Vec::new(), Vec::new());
    let mut total_bands = vec![0; edges.len() - 1];
    let mut total = HistoryStep { at_ms: from_ms, ..HistoryStep::default() };
    let first_ms = from_ms.div_euclid(step_ms) * step_ms;
    for start_ms in (first_ms..until_ms).step_by(step_ms.unsigned_abs() as usize) {
        let (begin_ms, end_ms) = (start_ms.max(from_ms), (start_ms + step_ms).min(until_ms));
        let bands = tasks_in_bands(begin_ms, end_ms, edges.len() - 1);
        let step = HistoryStep { at_ms: start_ms, ..step(&bands, begin_ms, end_ms) };
        total_bands.iter_mut().zip(&bands).for_each(|(sum, count)| *sum += count);
        total.ok += step.ok;
        total.failed += step.failed;
        total.beats += step.beats;
        total.cost_nano_usd += step.cost_nano_usd;
        total.tokens_in += step.tokens_in;
        total.tokens_out += step.tokens_out;
        steps.push(step);
        step_bands.push(bands);
    }
    total.state_ms = states(since_ms, until_ms);
    total.latency = Some(LatencyQuantiles {
        p50: 210_000,
        p90: 480_000,
        p95: 640_000,
        p99: 1_100_000,
        max: 9_800_000,
    });
    let cell_ms = (until_ms - since_ms) / i64::from(wanted.cells.saturating_sub(1).max(1)) + 1;
    let cell_ms = (cell_ms + SECOND - 1) / SECOND * SECOND;
    let cells_from_ms = since_ms.div_euclid(cell_ms) * cell_ms;
    let cells = (cells_from_ms..until_ms).step_by(cell_ms.unsigned_abs() as usize);
    let cells = cells.map(|at| states(at.max(since_ms), (at + cell_ms).min(until_ms)));
    let is_out = since_ms < NOW_MS - 14 * MINUTE && until_ms > NOW_MS - 14 * MINUTE;
    let out = u64::from(is_out);
    let chart = AgentChart {
        band_edges_us: edges.to_vec(),
        step_bands,
        total_bands,
        cells_from_ms,
        cell_ms,
        cells: cells.collect(),
        outages: OutageFigures {
            count: out,
            began: out,
            ended: out,
            repair_ms: out * 6 * MINUTE.unsigned_abs(),
        },
        work_kept_from_ms: None,
    };
    let agent = query.agent.clone();
    AgentHistory { agent, from_ms, to_ms: until_ms, step_ms, steps, total, chart: Some(chart) }
}

/// Returns the tasks of a stretch in so many bands, most of them in the second; none while it is out.
fn tasks_in_bands(from_ms: i64, to_ms: i64, bands: usize) -> Vec<u64> {
    let out = states(from_ms, to_ms);
    let worked_ms = (to_ms - from_ms).unsigned_abs() - out.unreachable - out.degraded;
    let minute = (NOW_MS - from_ms).div_euclid(MINUTE).unsigned_abs();
    let tasks = worked_ms * (38 + minute * 7 % 9) / MINUTE.unsigned_abs();
    if tasks == 0 {
        return Vec::new();
    }
    // A quarter of an hour of every hour is slow.
    let shares: [u64; 6] =
        if minute % 60 < 15 { [20, 30, 30, 14, 4, 2] } else { [62, 31, 5, 2, 0, 0] };
    let mut counts: Vec<u64> = shares.iter().map(|share| tasks * share / 100).collect();
    counts[1] += tasks - counts.iter().sum::<u64>();
    if bands == counts.len() {
        return counts;
    }
    vec![
        counts[0] + counts[1] / 2,
        counts[1] - counts[1] / 2 + counts[2],
        counts[3] + counts[4],
        counts[5],
    ]
}

fn step(bands: &[u64], from_ms: i64, to_ms: i64) -> HistoryStep {
    let tasks: u64 = bands.iter().sum();
    let slow = bands.get(3..).map_or(0, |slow| slow.iter().sum::<u64>());
    let quantiles = LatencyQuantiles {
        p50: if slow > 0 { 260_000 } else { 190_000 },
        p90: if slow > 0 { 980_000 } else { 420_000 },
        p95: if slow > 0 { 1_900_000 } else { 610_000 },
        p99: if slow > 0 { 4_100_000 } else { 1_000_000 },
        max: if slow > 0 { 9_800_000 } else { 1_600_000 },
    };
    HistoryStep {
        at_ms: from_ms,
        beats: (to_ms - from_ms).unsigned_abs() / 15_000,
        lost: 0,
        ok: tasks - slow / 4,
        failed: slow / 4,
        latency: (tasks > 0).then_some(quantiles),
        cost_nano_usd: tasks * 360_000,
        tokens_in: tasks * 444,
        tokens_out: tasks * 51,
        state_ms: states(from_ms, to_ms),
        outages: 0,
    }
}

/// Returns the states between two moments.
fn states(from_ms: i64, to_ms: i64) -> StateTimes {
    let within = |from: i64, to: i64| {
        let (from, to) = (NOW_MS - from * MINUTE, NOW_MS - to * MINUTE);
        (to.min(to_ms) - from.max(from_ms)).max(0).unsigned_abs()
    };
    let (degraded, unreachable, unobserved) = (within(20, 18), within(18, 14), within(40, 39));
    let all = (to_ms - from_ms).max(0).unsigned_abs();
    let healthy = all - degraded - unreachable - unobserved;
    StateTimes { healthy, degraded, unreachable, unobserved, ..StateTimes::default() }
}
