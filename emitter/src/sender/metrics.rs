//! The agent's metrics, as the engine reads them.

use std::sync::Arc;

use heartline_engine::{BeatVitals, MetricsSource, MonoNanos, SegmentBuilder};

use crate::counters::{CounterDeltaReader, CounterId};
use crate::shared::SharedState;

/// Reads vitals and work out of the state shared with the agent's threads.
pub(super) struct SharedMetrics {
    shared: Arc<SharedState>,
    deltas: CounterDeltaReader,
    done: u64,
    /// When reported work was last found. Reporting reads no clock, so the beat that finds it dates it.
    last_report: Option<MonoNanos>,
}

impl SharedMetrics {
    pub(super) fn new(shared: Arc<SharedState>) -> Self {
        Self { shared, deltas: CounterDeltaReader::new(), done: 0, last_report: None }
    }
}

impl MetricsSource for SharedMetrics {
    fn vitals(&mut self, now: MonoNanos) -> BeatVitals {
        let counters = &self.shared.counters;
        let done = counters.total(CounterId::Ok).wrapping_add(counters.total(CounterId::Failed));
        let last_progress = counters.last_progress();
        if done != self.done {
            self.done = done;
            // The end of a task is dated by the task; this only ever dates it later.
            self.last_report = Some(now);
        }
        let last_progress = last_progress.max(self.last_report);
        let in_flight = counters.in_flight();
        let (phase, step) = self.shared.activity.phase_and_step(in_flight, last_progress);
        BeatVitals {
            phase,
            in_flight,
            oldest_in_flight: counters.oldest().map(|begun| now.since(begun)),
            progress_age: last_progress.map(|at| now.since(at)),
            queue: self.shared.activity.queue(),
            step,
            lost_observations: counters.total(CounterId::Lost),
        }
    }

    fn take(&mut self, segment: &mut SegmentBuilder) -> bool {
        self.deltas.take(&self.shared.counters, segment)
    }
}
