//! The agent's metrics, as the engine reads them.

use std::sync::Arc;

use heartline_engine::{BeatVitals, MetricsSource, MonoNanos, SegmentBuilder};
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::BUCKETS;

use crate::counters::{CounterId, Counters};
use crate::shared::SharedState;

/// Reads vitals and work out of the state shared with the agent's threads.
pub(super) struct SharedMetrics {
    shared: Arc<SharedState>,
    deltas: CounterDeltaReader,
    done: u64,
    /// Time of the last beat that found new work: reporting reads no clock.
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
        let done = self.shared.work_done();
        self.shared.record_counted(done);
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
            oldest_in_flight: counters.quietest_task().map(|begun| now.since(begun)),
            progress_age: last_progress.map(|at| now.since(at)),
            queue: self.shared.activity.queue(),
            step,
            lost_observations: counters.total(CounterId::Lost),
            ..BeatVitals::default()
        }
    }

    fn take(&mut self, segment: &mut SegmentBuilder) -> bool {
        self.deltas.take(&self.shared.counters, segment)
    }
}

/// Reader of differences: the counters only grow, and this holds how much of them was taken. What a
/// full segment has no room for stays for the next one.
pub(crate) struct CounterDeltaReader {
    taken: [u64; 5],
    latency_taken: Box<[u64; BUCKETS]>,
}

impl CounterDeltaReader {
    pub(crate) fn new() -> Self {
        Self { taken: [0; 5], latency_taken: Box::new([0; BUCKETS]) }
    }

    /// Moves what was not taken yet into `segment`, as far as it fits; returns whether there was
    /// any.
    pub(crate) fn take(&mut self, counters: &Counters, segment: &mut SegmentBuilder) -> bool {
        let mut any = false;
        let sums = [
            (CounterId::Ok, &mut segment.ok),
            (CounterId::Failed, &mut segment.failed),
            (CounterId::CostNanoUsd, &mut segment.cost_nano_usd),
            (CounterId::TokensIn, &mut segment.tokens_in),
            (CounterId::TokensOut, &mut segment.tokens_out),
        ];
        for ((counter, sum), taken) in sums.into_iter().zip(&mut self.taken) {
            let open = counters.total(counter).wrapping_sub(*taken).min(COUNT_MAX);
            *taken = taken.wrapping_add(open);
            *sum = open;
            any |= open > 0;
        }
        let mut latency_now = [0; BUCKETS];
        counters.add_latencies_to(&mut latency_now);
        let buckets = latency_now.iter().zip(self.latency_taken.iter_mut());
        for (bucket, (now, taken)) in buckets.enumerate() {
            let open = now.wrapping_sub(*taken);
            if open == 0 {
                continue;
            }
            if !segment.push_latency(bucket as u16, open) {
                break;
            }
            *taken = *now;
            any = true;
        }
        any
    }
}
