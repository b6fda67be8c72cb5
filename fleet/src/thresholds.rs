//! The thresholds by which agents are judged, for the fleet and for patterns of agent ids.

use std::time::Duration;

use heartline_vocabulary::text::glob_matches;

use crate::cusum::CusumWeights;
use crate::expectation::{Expectation, ExpectedHours};
use crate::latency_limit::LatencyLimit;

/// The thresholds by which an agent is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthThresholds {
    /// Intervals without a live beat until degraded.
    pub late_factor: f64,
    /// Intervals without a live beat until unreachable.
    pub unreachable_factor: f64,
    /// Time without progress, while there is work, until degraded; for agents that declare none.
    pub stall_after: Duration,
    /// Restarts without a goodbye within [`Self::crash_loop_within`] until degraded; 0: never.
    pub crash_loop_restarts: u32,
    /// Time in which restarts count, and without one until the crash loop is over.
    pub crash_loop_within: Duration,
    /// Share of failed tasks above which the agent is failing, below 1; 0: never.
    pub failing_rate: f64,
    /// Failed tasks in a row that suffice whatever the share; 0: only the share counts.
    pub failing_in_a_row: u32,
    /// Whether the agent can be idle.
    pub idle: IdleRule,
    /// Latency above which a task is slow.
    pub slow: LatencyLimit,
    /// Latency below which a task is too fast to be true.
    pub fast: LatencyLimit,
}

/// How it is judged whether an agent is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleRule {
    /// By the pauses that it made in the last days.
    #[default]
    ByPauses,
    /// By what is expected of it: the one of that number among [`HealthRules::expectations`].
    Expected(u16),
    /// Never.
    Off,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        Self {
            late_factor: 3.0,
            unreachable_factor: 10.0,
            stall_after: Duration::from_secs(300),
            crash_loop_restarts: 5,
            crash_loop_within: Duration::from_secs(600),
            failing_rate: 0.25,
            failing_in_a_row: 0,
            idle: IdleRule::ByPauses,
            slow: LatencyLimit::OwnPast,
            fast: LatencyLimit::Off,
        }
    }
}

/// Thresholds for the agents that a pattern matches; `None` leaves one to the rules after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentHealthRule {
    /// Glob over agent ids: `*` any run of characters, `?` any one.
    pub pattern: String,
    /// See [`HealthThresholds::late_factor`].
    pub late_factor: Option<f64>,
    /// See [`HealthThresholds::unreachable_factor`].
    pub unreachable_factor: Option<f64>,
    /// See [`HealthThresholds::stall_after`].
    pub stall_after: Option<Duration>,
    /// See [`HealthThresholds::crash_loop_restarts`].
    pub crash_loop_restarts: Option<u32>,
    /// See [`HealthThresholds::crash_loop_within`].
    pub crash_loop_within: Option<Duration>,
    /// See [`HealthThresholds::failing_rate`].
    pub failing_rate: Option<f64>,
    /// See [`HealthThresholds::failing_in_a_row`].
    pub failing_in_a_row: Option<u32>,
    /// See [`HealthThresholds::idle`].
    pub idle: Option<IdleRule>,
    /// See [`HealthThresholds::slow`].
    pub slow: Option<LatencyLimit>,
    /// See [`HealthThresholds::fast`].
    pub fast: Option<LatencyLimit>,
}

/// All thresholds of a fleet: for each, the first matching rule that sets it wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthRules {
    /// Thresholds where no rule matches.
    pub fleet: HealthThresholds,
    /// Rules for patterns of agents, in order.
    pub agents: Vec<AgentHealthRule>,
    /// What rules say is expected of agents.
    pub expectations: Vec<Expectation>,
}

impl HealthRules {
    /// Returns the thresholds of one agent, as long as it declares none of its own.
    pub fn thresholds(&self, agent: &str) -> HealthThresholds {
        let fleet = &self.fleet;
        HealthThresholds {
            late_factor: self.first(agent, |it| it.late_factor, fleet.late_factor),
            unreachable_factor: self.first(
                agent,
                |it| it.unreachable_factor,
                fleet.unreachable_factor,
            ),
            stall_after: self.stall_after_rule(agent).unwrap_or(fleet.stall_after),
            crash_loop_restarts: self.first(
                agent,
                |it| it.crash_loop_restarts,
                fleet.crash_loop_restarts,
            ),
            crash_loop_within: self.first(
                agent,
                |it| it.crash_loop_within,
                fleet.crash_loop_within,
            ),
            failing_rate: self.first(agent, |it| it.failing_rate, fleet.failing_rate),
            failing_in_a_row: self.first(agent, |it| it.failing_in_a_row, fleet.failing_in_a_row),
            idle: self.first(agent, |it| it.idle, fleet.idle),
            slow: self.first(agent, |it| it.slow, fleet.slow),
            fast: self.first(agent, |it| it.fast, fleet.fast),
        }
    }

    /// Returns what the first rule that matches and sets it says, or else `fleet`.
    fn first<T>(&self, agent: &str, get: impl Fn(&AgentHealthRule) -> Option<T>, fleet: T) -> T {
        self.matching(agent).find_map(get).unwrap_or(fleet)
    }

    fn stall_after_rule(&self, agent: &str) -> Option<Duration> {
        self.matching(agent).find_map(|rule| rule.stall_after)
    }

    fn matching(&self, agent: &str) -> impl Iterator<Item = &AgentHealthRule> {
        self.agents.iter().filter(move |rule| glob_matches(&rule.pattern, agent))
    }
}

/// The thresholds of one agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AgentThresholds {
    pub(crate) health: HealthThresholds,
    /// [`HealthThresholds::stall_after`], where a rule for the agent sets it: it wins over what the
    /// agent declares.
    pub(crate) stall_after_rule: Option<Duration>,
    /// Weights of the test of [`HealthThresholds::failing_rate`]; `None`: there is none.
    pub(crate) failing_weights: Option<CusumWeights>,
}

impl AgentThresholds {
    fn new(health: HealthThresholds, stall_after_rule: Option<Duration>) -> Self {
        let is_share = health.failing_rate > 0.0 && health.failing_rate < 1.0;
        let failing_weights = is_share.then(|| CusumWeights::tolerating(health.failing_rate));
        Self { health, stall_after_rule, failing_weights }
    }
}

/// The few different thresholds that a fleet's agents have, so that an agent keeps only a number.
#[derive(Debug)]
pub(crate) struct ThresholdTable {
    rules: HealthRules,
    distinct: Vec<AgentThresholds>,
    /// Of each expectation, the hours that last or come next, once they are known.
    hours: Vec<Option<ExpectedHours>>,
}

impl ThresholdTable {
    pub(crate) fn new(rules: HealthRules) -> Self {
        let fleet = AgentThresholds::new(rules.fleet, None);
        let hours = vec![None; rules.expectations.len()];
        Self { distinct: vec![fleet], rules, hours }
    }

    pub(crate) fn intern(&mut self, agent: &str) -> u16 {
        if self.rules.agents.is_empty() {
            return 0;
        }
        let rule = self.rules.stall_after_rule(agent);
        let thresholds = AgentThresholds::new(self.rules.thresholds(agent), rule);
        let known = self.distinct.iter().position(|&known| known == thresholds);
        let number = known.unwrap_or_else(|| {
            self.distinct.push(thresholds);
            self.distinct.len() - 1
        });
        u16::try_from(number).unwrap_or(0)
    }

    /// Returns what is expected of agents with these thresholds, and the hours in which it is.
    pub(crate) fn expected(
        &self,
        thresholds: &AgentThresholds,
    ) -> Option<(&Expectation, Option<ExpectedHours>)> {
        match thresholds.health.idle {
            IdleRule::Expected(number) => {
                let number = usize::from(number);
                Some((self.rules.expectations.get(number)?, *self.hours.get(number)?))
            }
            IdleRule::ByPauses | IdleRule::Off => None,
        }
    }

    pub(crate) fn set_hours(&mut self, expectation: u16, hours: Option<ExpectedHours>) {
        if let Some(place) = self.hours.get_mut(usize::from(expectation)) {
            *place = hours;
        }
    }

    pub(crate) fn get(&self, number: u16) -> &AgentThresholds {
        &self.distinct[usize::from(number)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_wins_for_what_it_sets() {
        let rules = HealthRules {
            agents: vec![
                AgentHealthRule {
                    pattern: "mail.*".into(),
                    stall_after: Some(Duration::from_secs(1_200)),
                    ..AgentHealthRule::default()
                },
                AgentHealthRule {
                    pattern: "*".into(),
                    late_factor: Some(5.0),
                    stall_after: Some(Duration::from_secs(60)),
                    ..AgentHealthRule::default()
                },
            ],
            ..HealthRules::default()
        };
        let thresholds = rules.thresholds("mail.3");
        assert_eq!((thresholds.late_factor, thresholds.stall_after.as_secs()), (5.0, 1_200));
        assert_eq!(thresholds.unreachable_factor, 10.0);
        assert_eq!(rules.thresholds("web").stall_after.as_secs(), 60);
    }
}
