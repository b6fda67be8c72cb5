//! Reading of what was counted since the last segment.

use heartline_engine::SegmentBuilder;
use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::BUCKETS;

use super::{CounterId, Counters};

/// Reader of differences: the counters only grow, and this holds how much of them was taken. What a
/// full segment has no room for stays for the next one.
pub(crate) struct CounterDeltaReader {
    taken: [u64; 5],
    latency_taken: Box<[u64; BUCKETS]>,
    latency_now: Box<[u64; BUCKETS]>,
}

const TAKEN: [CounterId; 5] = [
    CounterId::Ok,
    CounterId::Failed,
    CounterId::CostNanoUsd,
    CounterId::TokensIn,
    CounterId::TokensOut,
];

impl CounterDeltaReader {
    pub(crate) fn new() -> Self {
        Self {
            taken: [0; 5],
            latency_taken: Box::new([0; BUCKETS]),
            latency_now: Box::new([0; BUCKETS]),
        }
    }

    /// Moves what was not taken yet into `segment`, as far as it fits; returns whether there was any.
    pub(crate) fn take(&mut self, counters: &Counters, segment: &mut SegmentBuilder) -> bool {
        let mut any = false;
        for (counter, taken) in TAKEN.into_iter().zip(&mut self.taken) {
            let open = counters.total(counter).wrapping_sub(*taken).min(COUNT_MAX);
            *taken = taken.wrapping_add(open);
            *field_mut(segment, counter) = open;
            any |= open > 0;
        }
        self.latency_now.fill(0);
        counters.add_latencies_to(&mut self.latency_now);
        let buckets = self.latency_now.iter().zip(self.latency_taken.iter_mut());
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

fn field_mut(segment: &mut SegmentBuilder, counter: CounterId) -> &mut u64 {
    match counter {
        CounterId::Ok => &mut segment.ok,
        CounterId::Failed => &mut segment.failed,
        CounterId::CostNanoUsd => &mut segment.cost_nano_usd,
        CounterId::TokensIn => &mut segment.tokens_in,
        _ => &mut segment.tokens_out,
    }
}
