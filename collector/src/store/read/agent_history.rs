//! An agent's work and states over a range of time.

use heartline_operator::message::{
    AgentChart, AgentHistory, AgentHistoryQuery, BANDS_MAX, CHART_STEPS_MAX, HistoryStep,
    StateTimes,
};
use rusqlite::Connection;

use super::history_plan::{HistoryRange, KeptFrom, LAST_MS, StepPlan};
use super::history_range::HistoryReading;
use super::latency_band::LatencyBands;
use super::range::agent_ids;
use super::state_time::StateReader;
use super::work::latency_quantiles;
use super::work_sum::{self, WorkReader};
use super::{ReadError, StoreReader, outage};
use crate::store::history::{FoldCursors, checkpoint};
use crate::store::rollup::Rollup;

/// What the length of a cell of states is a multiple of.
const CELL_MS: i64 = 100;

impl StoreReader {
    /// Returns an agent's history in whole steps, as far as `now_ms`.
    ///
    /// # Errors [`ReadError`]
    pub fn agent_history(
        &mut self,
        query: &AgentHistoryQuery,
        now_ms: i64,
    ) -> Result<HistoryReading<AgentHistory>, ReadError> {
        self.history.read("an agent's history", |conn| read(conn, query, now_ms))
    }
}

fn read(
    conn: &Connection,
    query: &AgentHistoryQuery,
    now_ms: i64,
) -> rusqlite::Result<HistoryReading<AgentHistory>> {
    let ids = agent_ids(conn, &query.agent)?;
    if ids.is_empty() {
        return Ok(HistoryReading::UnknownAgent);
    }
    // A client may ask for anything: there are no steps outside of the years that can be written.
    let until_ms = query.until_ms.clamp(0, LAST_MS);
    let first_ms = checkpoint::first_record_ms(conn)?.unwrap_or(until_ms);
    let since_ms = query.since_ms.unwrap_or(first_ms).clamp(0, until_ms);
    let cursors = FoldCursors::read(conn)?;
    let kept_from = KeptFrom::read(conn, &cursors)?;
    let range = HistoryRange { since_ms, until_ms };
    let plan = match &query.chart {
        None => StepPlan::of_whole_steps(range, query.step_ms, &kept_from, now_ms),
        Some(chart) => StepPlan::of_chart(range, query.step_ms, chart.steps, &kept_from),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(refusal) => return Ok(HistoryReading::Refused(refusal)),
    };
    let work = WorkReader { conn, cursors };
    let states = StateReader::new(conn, &ids, plan.states.since_ms, plan.states.until_ms)?;
    let (mut steps, mut total) = (Vec::new(), Rollup::default());
    let mut latencies = Vec::new();
    for at in 0..plan.count {
        let start_ms = plan.first_ms + at * plan.step_ms;
        let end_ms = start_ms + plan.step_ms;
        let mut rollup = Rollup::default();
        let range = plan.work.cut(start_ms, end_ms);
        for id in &ids {
            work.visit_agent(*id, range, |counts, latency| rollup.add(counts, latency))?;
        }
        let (from_ms, to_ms) = plan.states.cut(start_ms, end_ms);
        total.add(&rollup.counts, &rollup.latency.pack());
        steps.push(step(start_ms, &rollup, states.times(from_ms, to_ms)));
        latencies.push(rollup.latency);
    }
    let chart = match &query.chart {
        None => None,
        Some(wanted) => {
            let bands =
                LatencyBands::covering(&total.latency, wanted.bands.min(BANDS_MAX) as usize);
            let (cell_ms, cells_from_ms, cells) = state_cells(&states, range, wanted.cells);
            Some(AgentChart {
                band_edges_us: bands.edges_us(),
                step_bands: latencies.iter().map(|latency| bands.counts(latency)).collect(),
                total_bands: bands.counts(&total.latency),
                cells_from_ms,
                cell_ms,
                cells,
                outages: outage::figures(conn, &query.agent, since_ms, until_ms)?,
                work_kept_from_ms: plan.work_kept_from_ms,
            })
        }
    };
    let times = states.times(plan.states.since_ms, plan.states.until_ms);
    Ok(HistoryReading::History(Box::new(AgentHistory {
        agent: query.agent.clone(),
        from_ms: plan.from_ms,
        to_ms: plan.to_ms,
        step_ms: plan.step_ms,
        steps,
        total: step(plan.from_ms, &total, times),
        chart,
    })))
}

/// Returns the length and the begin of the first of at most so many cells, and the time in each state
/// in every one.
fn state_cells(
    states: &StateReader,
    range: HistoryRange,
    most: u32,
) -> (i64, i64, Vec<StateTimes>) {
    let most = i64::from(most.min(CHART_STEPS_MAX));
    let length_ms = range.until_ms - range.since_ms;
    if most < 2 || length_ms == 0 {
        return (0, range.since_ms, Vec::new());
    }
    // The range begins within a cell, and ends within another one.
    let shortest_ms = (length_ms + most - 2) / (most - 1);
    let cell_ms = (shortest_ms + CELL_MS - 1) / CELL_MS * CELL_MS;
    let first_ms = range.since_ms.div_euclid(cell_ms) * cell_ms;
    let starts = (0..).map(|at| first_ms + at * cell_ms);
    let starts = starts.take_while(|start_ms| *start_ms < range.until_ms);
    let cells = starts.map(|start_ms| {
        let (from_ms, to_ms) = range.cut(start_ms, start_ms + cell_ms);
        states.times(from_ms, to_ms)
    });
    (cell_ms, first_ms, cells.collect())
}

fn step(at_ms: i64, rollup: &Rollup, state_ms: StateTimes) -> HistoryStep {
    work_sum::step(at_ms, &rollup.counts, latency_quantiles(&rollup.latency), (state_ms, 0))
}
