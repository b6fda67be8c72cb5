//! Flapping of alerts: an agent that falls into trouble again and again is told once, and again when it has come
//! to rest.
//!
//! Each fall adds a penalty that decays, as routers damp routes (RFC 2439): what counts is events in time, and not
//! the share of checks that failed. `fleet/src/flapping.rs` is something else: it bounds the changes of state that
//! are shown and stored.

use std::time::Duration;

use crate::time::MonoTime;

/// When an agent counts as flapping. Penalties are in outages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlappingRule {
    /// Time in which a penalty falls to half.
    pub half_life: Duration,
    /// It flaps from this penalty on…
    pub start: f64,
    /// …until it is below this one, and its state has stood for [`FlappingRule::STOOD`].
    pub end: f64,
    /// No penalty is higher.
    pub cap: f64,
}

impl FlappingRule {
    /// How long a state must have stood for its agent to be at rest.
    pub const STOOD: Duration = Duration::from_secs(600);
}

impl Default for FlappingRule {
    /// Outages every two or five minutes flap at the third, every ten at the fourth, every twenty at the sixth, and
    /// every half an hour never.
    fn default() -> Self {
        Self { half_life: Duration::from_secs(1_800), start: 2.5, end: 0.8, cap: 5.0 }
    }
}

/// The penalty of one agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Penalty {
    value: f64,
    at: MonoTime,
    /// Falls since it was last at rest, and the time of the first.
    pub(crate) outages: u32,
    pub(crate) is_flapping: bool,
}

impl Penalty {
    pub(crate) const fn new(at: MonoTime) -> Self {
        Self { value: 0.0, at, outages: 0, is_flapping: false }
    }

    /// Returns the penalty of an agent that was flapping when the collector before this one ended.
    pub(crate) fn restored(rule: &FlappingRule, outages: u32, at: MonoTime) -> Self {
        Self { value: rule.start, at, outages, is_flapping: true }
    }

    /// Counts a fall; returns whether flapping has begun with it.
    pub(crate) fn fall(&mut self, rule: &FlappingRule, at: MonoTime) -> bool {
        self.value = (self.value_at(rule, at) + 1.0).min(rule.cap);
        self.at = at;
        self.outages = self.outages.saturating_add(1);
        let has_begun = !self.is_flapping && self.value >= rule.start;
        self.is_flapping |= has_begun;
        has_begun
    }

    /// Returns when the agent is at rest, if its state stands since `since`.
    pub(crate) fn rests_at(&self, rule: &FlappingRule, since: MonoTime) -> MonoTime {
        let half_lives = (self.value / rule.end).log2().max(0.0);
        // A little longer, so that rounding does not leave it just above.
        let decayed = self.at + rule.half_life.mul_f64(half_lives) + Duration::from_secs(1);
        decayed.max(since + FlappingRule::STOOD)
    }

    /// Returns whether nothing of it is left to be kept.
    pub(crate) fn is_spent(&self, rule: &FlappingRule, at: MonoTime) -> bool {
        !self.is_flapping && self.value_at(rule, at) < 0.05
    }

    fn value_at(&self, rule: &FlappingRule, at: MonoTime) -> f64 {
        let half_lives = at.since(self.at).as_secs_f64() / rule.half_life.as_secs_f64();
        self.value * (-half_lives).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns at which of many outages so many minutes apart an agent flaps.
    fn flaps_at(every_min: i64) -> Option<u32> {
        let rule = FlappingRule::default();
        let mut penalty = Penalty::new(MonoTime::from_millis(0));
        (0..500).find_map(|n| {
            let at = MonoTime::from_millis(n * every_min * 60_000);
            penalty.fall(&rule, at).then_some(penalty.outages)
        })
    }

    #[test]
    fn frequent_outages_flap_and_rare_ones_are_each_told() {
        let found = [2, 5, 10, 20, 30, 120].map(flaps_at);
        assert_eq!(found, [Some(3), Some(3), Some(4), Some(6), None, None]);
    }

    #[test]
    fn it_is_at_rest_after_79_minutes_at_most() {
        let (rule, start) = (FlappingRule::default(), MonoTime::from_millis(0));
        let mut penalty = Penalty::new(start);
        for _ in 0..100 {
            penalty.fall(&rule, start);
        }
        let rests_at = penalty.rests_at(&rule, start);
        assert_eq!(rests_at.since(start).as_secs() / 60, 79);
        assert!(penalty.value_at(&rule, rests_at) < rule.end);
        let later = start + Duration::from_secs(100 * 60);
        assert_eq!(penalty.rests_at(&rule, later).since(later), FlappingRule::STOOD);
    }
}
