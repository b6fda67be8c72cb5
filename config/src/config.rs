//! The settings in force.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use heartline_fleet::{HealthRules, IdleRule, RegistrationLimits};
use toml::Spanned;

use crate::alerts::AlertsConfig;
use crate::budget::{BudgetSection, BudgetSetting};
use crate::expectation::ExpectSection;
use crate::file::{AccessLists, ConfigFile, LimitsSection, RetentionSection};
use crate::health::{AgentSection, HealthSection};
use crate::value::{
    AgentPattern, ConfigString, DurationSetting, FailingRate, FailureCount, IntervalFactor,
    RestartCount,
};
use crate::watchdog::WatchdogSection;

/// What a collector runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Addresses to receive beats on.
    pub listen: Vec<SocketAddr>,
    /// Keys and databases.
    pub data_dir: PathBuf,
    /// The sockets for operators.
    pub socket_dir: PathBuf,
    pub rules: HealthRules,
    /// Those of [`HealthRules::expectations`], with their hours.
    pub expectations: Vec<ExpectSection>,
    pub budgets: Vec<BudgetSetting>,
    pub retention: Retention,
    pub registration: RegistrationLimits,
    pub access: AccessLists,
    pub alerts: AlertsConfig,
    pub watchdog: WatchdogSection,
}

/// How long history is kept. Totals, desired states and tokens stay for as long as their agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Rollups by minute.
    pub minutes: Duration,
    /// Rollups by hour, and ended sessions.
    pub hours: Duration,
    /// Rollups by day.
    pub days: Duration,
    /// Events, and the audit of commands and tokens.
    pub events: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            minutes: Duration::from_secs(48 * 3_600),
            hours: Duration::from_secs(90 * 24 * 3_600),
            days: Duration::from_secs(3_650 * 24 * 3_600),
            events: Duration::from_secs(365 * 24 * 3_600),
        }
    }
}

impl Config {
    fn expect_of(&self, rule: IdleRule) -> Option<ExpectSection> {
        match rule {
            IdleRule::Expected(number) => self.expectations.get(usize::from(number)).cloned(),
            IdleRule::ByPauses | IdleRule::Off => None,
        }
    }

    /// The config file that brings these settings about.
    pub fn to_file<T, K>(&self) -> ConfigFile<T, K> {
        let fleet = &self.rules.fleet;
        let agent = self.rules.agents.iter().map(|rule| AgentSection {
            pattern: unplaced(ConfigString(AgentPattern(rule.pattern.clone()))),
            late_factor: rule.late_factor.map(IntervalFactor).map(unplaced),
            unreachable_factor: rule.unreachable_factor.map(IntervalFactor).map(unplaced),
            stall_after: rule.stall_after.map(duration),
            crash_loop_restarts: rule.crash_loop_restarts.map(RestartCount),
            crash_loop_within: rule.crash_loop_within.map(duration),
            failing_rate: rule.failing_rate.map(FailingRate),
            failing_in_a_row: rule.failing_in_a_row.map(FailureCount),
            idle: rule.idle.and_then(is_idle_judged),
            slow: rule.slow.map(ConfigString),
            fast: rule.fast.map(ConfigString),
            expect: rule.idle.and_then(|idle| self.expect_of(idle)).map(unplaced),
        });
        ConfigFile {
            listen: Some(unplaced(self.listen.iter().copied().map(ConfigString).collect())),
            data_dir: Some(ConfigString(self.data_dir.clone())),
            socket_dir: Some(ConfigString(self.socket_dir.clone())),
            health: HealthSection {
                late_factor: Some(unplaced(IntervalFactor(fleet.late_factor))),
                unreachable_factor: Some(unplaced(IntervalFactor(fleet.unreachable_factor))),
                stall_after: Some(duration(fleet.stall_after)),
                crash_loop_restarts: Some(RestartCount(fleet.crash_loop_restarts)),
                crash_loop_within: Some(duration(fleet.crash_loop_within)),
                failing_rate: Some(FailingRate(fleet.failing_rate)),
                failing_in_a_row: Some(FailureCount(fleet.failing_in_a_row)),
                idle: is_idle_judged(fleet.idle),
                slow: Some(ConfigString(fleet.slow)),
                fast: Some(ConfigString(fleet.fast)),
            },
            agent: agent.collect(),
            budget: self.budgets.iter().map(BudgetSection::from).collect(),
            retention: RetentionSection {
                minutes: Some(duration(self.retention.minutes)),
                hours: Some(duration(self.retention.hours)),
                days: Some(duration(self.retention.days)),
                events: Some(duration(self.retention.events)),
                agents: Some(duration(self.registration.retention)),
            },
            limits: LimitsSection {
                new_agents_per_minute: NonZero::new(self.registration.new_agents_per_minute),
            },
            access: self.access.clone(),
            alerts: self.alerts.section.clone(),
            sink: self.alerts.sinks.clone(),
            route: self.alerts.routes.clone(),
            window: self.alerts.windows.clone(),
            watchdog: self.watchdog.in_force(),
            group: self.alerts.groups.clone(),
            expected: self.alerts.expected.clone(),
            tui: None,
            keys: None,
        }
    }
}

/// Returns the setting `idle` of a rule; none where something is expected instead.
fn is_idle_judged(rule: IdleRule) -> Option<bool> {
    match rule {
        IdleRule::ByPauses => Some(true),
        IdleRule::Expected(_) => None,
        IdleRule::Off => Some(false),
    }
}

/// A value that stands nowhere in a text yet.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn duration<const MIN_S: u64>(duration: Duration) -> ConfigString<DurationSetting<MIN_S>> {
    ConfigString(DurationSetting(duration))
}
