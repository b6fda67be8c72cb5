//! What has been taken from the counters already.

use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::BUCKETS;

use super::{Counters, Sum};
use crate::engine::Work;

/// The sender's side of the counters: they only grow, and the ledger holds how much of them is
/// accounted for. Taking less than there is (because a datagram is full) means moving the ledger
/// less far.
pub(crate) struct Ledger {
    taken: [u64; 5],
    latency_taken: Box<[u64; BUCKETS]>,
    latency_now: Box<[u64; BUCKETS]>,
}

const SUMS: [Sum; 5] = [Sum::Ok, Sum::Failed, Sum::CostNanoUsd, Sum::TokensIn, Sum::TokensOut];

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            taken: [0; 5],
            latency_taken: Box::new([0; BUCKETS]),
            latency_now: Box::new([0; BUCKETS]),
        }
    }

    /// Moves what is not accounted for yet into `work`, as far as it fits. Says whether there was
    /// anything.
    pub(crate) fn take(&mut self, counters: &Counters, work: &mut Work) -> bool {
        let mut any = false;
        for (sum, taken) in SUMS.into_iter().zip(&mut self.taken) {
            let open = counters.total(sum).wrapping_sub(*taken).min(COUNT_MAX);
            *taken = taken.wrapping_add(open);
            *field(work, sum) = open;
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
            if !work.push_latency(bucket as u16, open) {
                break;
            }
            *taken = *now;
            any = true;
        }
        any
    }
}

fn field(work: &mut Work, sum: Sum) -> &mut u64 {
    match sum {
        Sum::Ok => &mut work.ok,
        Sum::Failed => &mut work.failed,
        Sum::CostNanoUsd => &mut work.cost_nano_usd,
        Sum::TokensIn => &mut work.tokens_in,
        _ => &mut work.tokens_out,
    }
}
