//! The latencies beyond which a task counts as slow, or as too fast.

use std::num::NonZero;
use std::time::Duration;

use heartline_protocol::bucket;

use crate::agent::Agent;
use crate::thresholds::AgentThresholds;

/// What a task's latency is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatencyLimit {
    /// The agent's own past, as [`crate::Input::Baseline`] tells it.
    #[default]
    OwnPast,
    /// The same for all times.
    Fixed(Duration),
    /// Nothing.
    Off,
}

/// The limits of an agent's latencies, as buckets ([`heartline_protocol::bucket`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyLimits {
    /// The last bucket of tasks that are not slow; `None`: there is none, or it is not known yet.
    pub slow_above: Option<NonZero<u16>>,
    /// The first bucket of tasks that are not too fast; `None`: there is none, or it is not known yet.
    pub fast_below: Option<NonZero<u16>>,
}

impl LatencyLimit {
    /// Returns the bucket that is the limit, where the agent's own past says `own`.
    fn bucket(self, own: Option<NonZero<u16>>) -> Option<NonZero<u16>> {
        match self {
            Self::OwnPast => own,
            Self::Fixed(_) => NonZero::new(bucket::index(self.limit_us(None))),
            Self::Off => None,
        }
    }

    /// Returns the limit in microseconds, where the agent's own past says `own`; 0 without one.
    pub(crate) fn limit_us(self, own: Option<NonZero<u16>>) -> u64 {
        match self {
            Self::OwnPast => own.map_or(0, |bucket| bucket::midpoint(bucket.get())),
            Self::Fixed(limit) => u64::try_from(limit.as_micros()).unwrap_or(u64::MAX),
            Self::Off => 0,
        }
    }

    /// Returns whether it is to come from the agent's own past, which does not say it yet.
    pub(crate) fn is_being_learned(self, own: Option<NonZero<u16>>) -> bool {
        self == Self::OwnPast && own.is_none()
    }
}

impl LatencyLimits {
    pub(crate) fn are_set(self) -> bool {
        self.slow_above.is_some() || self.fast_below.is_some()
    }

    pub(crate) fn is_slow(self, bucket: u16) -> bool {
        self.slow_above.is_some_and(|limit| bucket > limit.get())
    }

    pub(crate) fn is_fast(self, bucket: u16) -> bool {
        self.fast_below.is_some_and(|limit| bucket < limit.get())
    }
}

impl Agent {
    /// Returns the limits that hold for it.
    pub(crate) fn latency_limits(&self, thresholds: &AgentThresholds) -> LatencyLimits {
        LatencyLimits {
            slow_above: thresholds.health.slow.bucket(self.own_latency_limits.slow_above),
            fast_below: thresholds.health.fast.bucket(self.own_latency_limits.fast_below),
        }
    }
}
