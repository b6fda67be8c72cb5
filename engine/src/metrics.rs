//! Metrics that beats carry, and where the engine reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_protocol::Phase;
use heartline_protocol::body::COUNT_MAX;
use heartline_vocabulary::ProcessUsage;

use crate::segment::SegmentBuilder;
use crate::time::MonoNanos;

/// Source of the metrics that an engine sends; read once for each message.
pub trait MetricsSource {
    /// Returns the agent's vitals.
    fn vitals(&mut self, now: MonoNanos) -> BeatVitals;

    /// Moves work into `segment`, which is empty; returns whether there was any. What does not fit
    /// stays for the next call. What was taken must never be returned again.
    fn take(&mut self, segment: &mut SegmentBuilder) -> bool;
}

/// Vitals of an agent, as a beat reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatVitals {
    pub phase: Phase,
    /// Tasks begun and not ended.
    pub in_flight: u32,
    /// Time for which the task in flight that has been quiet for longest has been so: since it began,
    /// or took its last step.
    pub oldest_in_flight: Option<Duration>,
    /// Time since a task last began or ended, or a step was taken; `None`: never.
    pub progress_age: Option<Duration>,
    /// Length of the backlog.
    pub queue: Option<u32>,
    /// Name of the current step; cut to 64 bytes.
    pub step: Option<String>,
    /// Observations that could not be counted.
    pub lost_observations: u64,
    /// Time without progress after which the agent counts as stalled; `None`: that of the engine's
    /// configuration.
    pub stall_after: Option<Duration>,
    /// What a supervisor sees of the process.
    pub process: Option<ProcessUsage>,
}

/// Metrics in plain fields, for simulations and for programs that count on one thread.
#[derive(Clone, Debug, Default)]
pub struct InMemoryMetrics {
    pub vitals: BeatVitals,
    /// Sums not taken yet; its latencies stay empty.
    pub open: SegmentBuilder,
    /// Latencies not taken yet, as counts by bucket.
    pub latency: BTreeMap<u16, u64>,
}

impl MetricsSource for InMemoryMetrics {
    fn vitals(&mut self, _now: MonoNanos) -> BeatVitals {
        self.vitals.clone()
    }

    fn take(&mut self, segment: &mut SegmentBuilder) -> bool {
        let sums = [
            (&mut self.open.ok, &mut segment.ok),
            (&mut self.open.failed, &mut segment.failed),
            (&mut self.open.cost_nano_usd, &mut segment.cost_nano_usd),
            (&mut self.open.tokens_in, &mut segment.tokens_in),
            (&mut self.open.tokens_out, &mut segment.tokens_out),
        ];
        let mut any = false;
        for (open, taken) in sums {
            *taken = (*open).min(COUNT_MAX);
            *open -= *taken;
            any |= *taken > 0;
        }
        while let Some((&bucket, &count)) = self.latency.first_key_value() {
            if !segment.push_latency(bucket, count) {
                break;
            }
            self.latency.pop_first();
            any = true;
        }
        any
    }
}
