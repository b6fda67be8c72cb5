//! The rules by which the agents of the year are judged.

use std::time::Duration;

use heartline_fleet::{
    AgentHealthRule, Expectation, ExpectedHours, HealthRules, HealthThresholds, IdleRule,
    LatencyLimit,
};

use super::collector::at;
use super::site::{DAY_MS, HOUR_MS, OFFICE_HOURS, is_working_day};

/// Which rules there are beside the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum YearRules {
    /// None.
    Default,
    /// What is expected of groups whose pauses are long.
    Expecting,
}

/// Of agents with a task an hour, or in bursts.
const EVERY_DAY: u16 = 0;
/// Of agents with office hours.
const IN_OFFICE_HOURS: u16 = 1;

impl YearRules {
    /// Returns the default rules of judgement, with the test of tasks that end too soon, which is off by default.
    pub(super) fn health(self) -> HealthRules {
        let fleet = HealthThresholds { fast: LatencyLimit::OwnPast, ..HealthThresholds::default() };
        let rules = HealthRules { fleet, ..HealthRules::default() };
        if self == Self::Default {
            return rules;
        }
        let rule = |pattern: &str, expectation| AgentHealthRule {
            pattern: pattern.into(),
            idle: Some(IdleRule::Expected(expectation)),
            ..AgentHealthRule::default()
        };
        let expectation = |hours: u64, during: Option<&str>| Expectation {
            at_least: 1,
            within: Duration::from_secs(hours * 3_600),
            during: during.map(Into::into),
        };
        HealthRules {
            agents: vec![
                rule("report.*", EVERY_DAY),
                rule("crawl.*", EVERY_DAY),
                rule("desk.*", IN_OFFICE_HOURS),
            ],
            expectations: vec![expectation(24, None), expectation(1, Some("weekdays 09:00–17:00"))],
            ..rules
        }
    }

    /// Returns the hours of each expectation that last at a time, or come next.
    pub(super) fn hours(self, now_ms: u64) -> Vec<(u16, ExpectedHours)> {
        if self == Self::Default {
            return Vec::new();
        }
        let today = now_ms / DAY_MS;
        let days = (today..today + 7).filter(|&day| is_working_day(day));
        let [from, until] = OFFICE_HOURS;
        let spans = days.map(|day| [from, until].map(|hour| day * DAY_MS + hour * HOUR_MS));
        let next = spans.filter(|[_, until]| *until > now_ms).min();
        let office = next.map(|[from, until]| ExpectedHours { from: at(from), until: at(until) });
        let office = office.map(|hours| (IN_OFFICE_HOURS, hours));
        std::iter::once((EVERY_DAY, ExpectedHours::ALWAYS)).chain(office).collect()
    }
}
