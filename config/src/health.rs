//! `[health]` and `[[agent]]`: the limits by which agents are judged.

use heartline_fleet::{AgentHealthRule, HealthThresholds, IdleRule, LatencyLimit};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::expectation::ExpectSection;
use crate::text::{ConfigError, ConfigText};
use crate::value::{
    AgentPattern, ConfigString, DurationSetting, FailingRate, FailureCount, IntervalFactor,
    RestartCount,
};

/// `[health]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct HealthSection {
    pub late_factor: Option<Spanned<IntervalFactor>>,
    pub unreachable_factor: Option<Spanned<IntervalFactor>>,
    pub stall_after: Option<ConfigString<DurationSetting<1>>>,
    pub crash_loop_restarts: Option<RestartCount>,
    pub crash_loop_within: Option<ConfigString<DurationSetting<1>>>,
    pub failing_rate: Option<FailingRate>,
    pub failing_in_a_row: Option<FailureCount>,
    pub idle: Option<bool>,
    pub slow: Option<ConfigString<LatencyLimit>>,
    pub fast: Option<ConfigString<LatencyLimit>>,
}

/// `[[agent]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AgentSection {
    #[serde(rename = "match")]
    pub pattern: Spanned<ConfigString<AgentPattern>>,
    pub late_factor: Option<Spanned<IntervalFactor>>,
    pub unreachable_factor: Option<Spanned<IntervalFactor>>,
    pub stall_after: Option<ConfigString<DurationSetting<1>>>,
    pub crash_loop_restarts: Option<RestartCount>,
    pub crash_loop_within: Option<ConfigString<DurationSetting<1>>>,
    pub failing_rate: Option<FailingRate>,
    pub failing_in_a_row: Option<FailureCount>,
    pub idle: Option<bool>,
    pub slow: Option<ConfigString<LatencyLimit>>,
    pub fast: Option<ConfigString<LatencyLimit>>,
    /// In place of `idle`.
    pub expect: Option<Spanned<ExpectSection>>,
}

impl HealthSection {
    pub(crate) fn limits(&self, inherited: HealthThresholds) -> HealthThresholds {
        let factor = |factor: &Spanned<IntervalFactor>| factor.get_ref().0;
        HealthThresholds {
            late_factor: self.late_factor.as_ref().map_or(inherited.late_factor, factor),
            unreachable_factor: { self.unreachable_factor.as_ref() }
                .map_or(inherited.unreachable_factor, factor),
            stall_after: self.stall_after.as_ref().map_or(inherited.stall_after, |it| it.0.0),
            crash_loop_restarts: self
                .crash_loop_restarts
                .map_or(inherited.crash_loop_restarts, |it| it.0),
            crash_loop_within: { self.crash_loop_within.as_ref() }
                .map_or(inherited.crash_loop_within, |it| it.0.0),
            failing_rate: self.failing_rate.map_or(inherited.failing_rate, |it| it.0),
            failing_in_a_row: self.failing_in_a_row.map_or(inherited.failing_in_a_row, |it| it.0),
            idle: self.idle.map_or(inherited.idle, idle_rule),
            slow: self.slow.as_ref().map_or(inherited.slow, |it| it.0),
            fast: self.fast.as_ref().map_or(inherited.fast, |it| it.0),
        }
    }

    /// Checks what no single value shows: that agents are late before they are unreachable.
    pub(crate) fn check(
        &self,
        inherited: HealthThresholds,
        text: &ConfigText,
    ) -> Result<(), ConfigError> {
        let HealthThresholds { late_factor, unreachable_factor, .. } = self.limits(inherited);
        if late_factor < unreachable_factor {
            return Ok(());
        }
        let in_file = self.late_factor.as_ref().or(self.unreachable_factor.as_ref());
        let message = format!(
            "expected late_factor < unreachable_factor, found {late_factor} and \
             {unreachable_factor}"
        );
        Err(text.error_at(in_file.map_or(0, |factor| factor.span().start), &message))
    }
}

impl AgentSection {
    pub(crate) fn health(&self) -> HealthSection {
        HealthSection {
            late_factor: self.late_factor.clone(),
            unreachable_factor: self.unreachable_factor.clone(),
            stall_after: self.stall_after.clone(),
            crash_loop_restarts: self.crash_loop_restarts,
            crash_loop_within: self.crash_loop_within.clone(),
            failing_rate: self.failing_rate,
            failing_in_a_row: self.failing_in_a_row,
            idle: self.idle,
            slow: self.slow.clone(),
            fast: self.fast.clone(),
        }
    }

    /// Checks what is expected of the agents.
    pub(crate) fn check_expect(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let Some(expect) = &self.expect else { return Ok(()) };
        if self.idle.is_some() {
            let message = "expected idle or expect in one table [[agent]], found both";
            return Err(text.error_at(expect.span().start, message));
        }
        expect.get_ref().check(text)
    }

    /// Returns the rule; `expectation` is the number of what it says is expected.
    pub(crate) fn rule(&self, expectation: Option<u16>) -> AgentHealthRule {
        let factor = |factor: &Spanned<IntervalFactor>| factor.get_ref().0;
        AgentHealthRule {
            pattern: self.pattern.get_ref().0.0.clone(),
            late_factor: self.late_factor.as_ref().map(factor),
            unreachable_factor: self.unreachable_factor.as_ref().map(factor),
            stall_after: self.stall_after.as_ref().map(|it| it.0.0),
            crash_loop_restarts: self.crash_loop_restarts.map(|it| it.0),
            crash_loop_within: self.crash_loop_within.as_ref().map(|it| it.0.0),
            failing_rate: self.failing_rate.map(|it| it.0),
            failing_in_a_row: self.failing_in_a_row.map(|it| it.0),
            idle: expectation.map(IdleRule::Expected).or(self.idle.map(idle_rule)),
            slow: self.slow.as_ref().map(|it| it.0),
            fast: self.fast.as_ref().map(|it| it.0),
        }
    }
}

fn idle_rule(is_judged: bool) -> IdleRule {
    if is_judged { IdleRule::ByPauses } else { IdleRule::Off }
}
