//! An agent's work and states over a range of time, in steps.

use heartline_vocabulary::AgentStatus;
use serde::{Deserialize, Serialize};

use super::agent::LatencyQuantiles;
use super::fleet_history::OutageFigures;

/// Most steps in one answer.
pub const STEPS_MAX: usize = 5_000;
/// Most steps, and most cells of states, for a chart: more than a terminal has columns.
pub const CHART_STEPS_MAX: u32 = 1_000;
/// Most bands of latencies for a chart.
pub const BANDS_MAX: u32 = 16;

/// Asks for an agent's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHistoryQuery {
    pub agent: String,
    /// Begin of the range; `None`: the first record. The answer begins at the step that holds it.
    pub since_ms: Option<i64>,
    /// End of the range. The answer ends with the step that holds it.
    pub until_ms: i64,
    /// Length of a step: whole minutes that divide a day, or whole days; `None`: one that makes some 60
    /// steps.
    pub step_ms: Option<i64>,
    /// `Some`: for a chart, which changes the answer as [`AgentChartQuery`] says.
    pub chart: Option<AgentChartQuery>,
}

/// Asks for what a chart draws besides the steps.
///
/// The answer is of the range alone, to the minute, or to the hour where minutes are not kept any more:
/// its first and its last step are cut, and `from_ms` and `to_ms` say where. Without a
/// [`step_ms`](AgentHistoryQuery::step_ms) the steps are the shortest that are kept and of which there
/// are not too many. Of a range of fewer than 12 of the slots that are kept, work is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentChartQuery {
    /// Most steps, 2 to [`CHART_STEPS_MAX`].
    pub steps: u32,
    /// Most bands of latencies, up to [`BANDS_MAX`].
    pub bands: u32,
    /// Most cells of states, up to [`CHART_STEPS_MAX`].
    pub cells: u32,
}

/// An agent's history in steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentHistory {
    pub agent: String,
    /// Begin of the first step, and end of the last one, which is cut by now.
    pub from_ms: i64,
    pub to_ms: i64,
    pub step_ms: i64,
    pub steps: Vec<HistoryStep>,
    /// All steps together.
    pub total: HistoryStep,
    /// For an [`AgentHistoryQuery::chart`].
    pub chart: Option<AgentChart>,
}

/// What a chart draws besides the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentChart {
    /// Edges of the bands of latencies in microseconds, ascending: one more than there are bands, or none
    /// without any task. A band holds what is at least its lower edge, and less than its upper one. The
    /// edges are those of latency buckets, so that counts are exact, next to round numbers (off by 1.6 %
    /// at most); the bands are the finest that fit, from the fastest task of the range to the slowest.
    pub band_edges_us: Vec<u64>,
    /// Tasks in each band, of every step; empty for a step without any.
    pub step_bands: Vec<Vec<u64>>,
    /// Tasks in each band, of all steps.
    pub total_bands: Vec<u64>,
    /// Begin and length of the first cell of states; the others follow it. Cells begin at multiples of
    /// their length. What is not in the range is in no cell.
    pub cells_from_ms: i64,
    pub cell_ms: i64,
    pub cells: Vec<StateTimes>,
    pub outages: OutageFigures,
    /// Work of so short a range is kept from this moment on only; there are no steps.
    pub work_kept_from_ms: Option<i64>,
}

/// What an agent did, and was, in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryStep {
    pub at_ms: i64,
    /// Beats that arrived, and that were lost, as of the work that came with them.
    pub beats: u64,
    pub lost: u64,
    /// Tasks that succeeded, and that failed.
    pub ok: u64,
    pub failed: u64,
    /// `None` without any task.
    pub latency: Option<LatencyQuantiles>,
    pub cost_nano_usd: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub state_ms: StateTimes,
    /// Outages that began in it; not counted in the history of one agent.
    pub outages: u64,
}

/// Time in each state, in ms. Before an agent was known there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateTimes {
    pub healthy: u64,
    pub degraded: u64,
    pub unreachable: u64,
    pub killed: u64,
    pub stopped: u64,
    pub unknown: u64,
    /// The collector did not observe it: neither up nor down.
    pub unobserved: u64,
}

impl HistoryStep {
    /// Returns the share of tasks that succeeded; `None` without any.
    pub fn success_rate(&self) -> Option<f64> {
        heartline_vocabulary::success_rate(self.ok, self.failed)
    }
}

impl StateTimes {
    /// Adds time in a status.
    pub fn add(&mut self, status: AgentStatus, ms: u64) {
        let sum = match status.count_name() {
            "healthy" => &mut self.healthy,
            "degraded" => &mut self.degraded,
            "unreachable" => &mut self.unreachable,
            "killed" => &mut self.killed,
            "stopped" => &mut self.stopped,
            _ => &mut self.unknown,
        };
        *sum = sum.saturating_add(ms);
    }

    /// Adds other times.
    pub fn add_all(&mut self, other: &Self) {
        let add = |sum: &mut u64, ms: u64| *sum = sum.saturating_add(ms);
        add(&mut self.healthy, other.healthy);
        add(&mut self.degraded, other.degraded);
        add(&mut self.unreachable, other.unreachable);
        add(&mut self.killed, other.killed);
        add(&mut self.stopped, other.stopped);
        add(&mut self.unknown, other.unknown);
        add(&mut self.unobserved, other.unobserved);
    }

    /// Returns the time in which the agent was known, observed or not, in ms.
    pub fn known_ms(&self) -> u64 {
        let Self { healthy, degraded, unreachable, killed, stopped, unknown, unobserved } = *self;
        let all = [healthy, degraded, unreachable, killed, stopped, unknown, unobserved];
        all.into_iter().fold(0, u64::saturating_add)
    }

    /// Returns the share of the time in which it should have run and was observed that it was healthy;
    /// `None` where there was no such time. A killed or stopped agent need not run.
    pub fn availability(&self) -> Option<f64> {
        let up_or_down =
            self.healthy.saturating_add(self.degraded).saturating_add(self.unreachable);
        (up_or_down > 0).then(|| self.healthy as f64 / up_or_down as f64)
    }

    /// Returns the share of the time in which it was known that was observed; `None` where there was none.
    pub fn observed(&self) -> Option<f64> {
        let known = self.known_ms();
        (known > 0).then(|| known.saturating_sub(self.unobserved) as f64 / known as f64)
    }
}
