//! `[[budget]]`: limits to what agents may do in an hour or a day.

use std::num::NonZero;

use heartline_fleet::{BudgetRule, BudgetScope};
use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::budget_value::{BudgetCost, BudgetName, GroupName};
use crate::text::{ConfigError, ConfigText};
use crate::value::{AgentPattern, ConfigString};
use crate::window::ZoneName;

/// A budget, and the zone in which its windows begin.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetSetting {
    pub rule: BudgetRule,
    pub zone: TimeZone,
}

/// `[[budget]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct BudgetSection {
    pub name: Spanned<ConfigString<BudgetName>>,
    /// Each agent by itself; or else a group, or the fleet.
    #[serde(rename = "match")]
    pub pattern: Option<ConfigString<AgentPattern>>,
    pub group: Option<ConfigString<GroupName>>,
    pub fleet: Option<bool>,
    pub cost: Option<ConfigString<BudgetCost>>,
    pub tasks: Option<NonZero<u64>>,
    pub tokens: Option<NonZero<u64>>,
    pub per: ConfigString<BudgetPeriod>,
    pub zone: Option<ConfigString<ZoneName>>,
    pub at_limit: Option<ConfigString<AtLimit>>,
    pub resume: Option<ConfigString<BudgetResume>>,
}

impl BudgetSection {
    /// Checks all sections: names are unique, and each says for whom it is and what it limits.
    pub(crate) fn check_all(sections: &[Self], text: &ConfigText) -> Result<(), ConfigError> {
        for (place, section) in sections.iter().enumerate() {
            let name = section.name.get_ref();
            let error = |message: &str| text.error_at(section.name.span().start, message);
            if sections[..place].iter().any(|other| other.name.get_ref() == name) {
                return Err(error(&format!("expected another name than \"{}\"", name.0.0)));
            }
            if section.scope().is_none() {
                return Err(error("expected one of match, group and fleet = true"));
            }
            if section.limit().is_none() {
                return Err(error("expected one of cost, tasks and tokens"));
            }
        }
        Ok(())
    }

    fn scope(&self) -> Option<BudgetScope> {
        match (&self.pattern, &self.group, self.fleet.unwrap_or(false)) {
            (Some(pattern), None, false) => {
                Some(BudgetScope::Each { pattern: pattern.0.0.as_str().into() })
            }
            (None, Some(group), false) => {
                Some(BudgetScope::Group { name: group.0.0.as_str().into() })
            }
            (None, None, true) => Some(BudgetScope::Fleet),
            _ => None,
        }
    }

    fn limit(&self) -> Option<(BudgetUnit, u64)> {
        match (&self.cost, self.tasks, self.tokens) {
            (Some(cost), None, None) => Some((BudgetUnit::Cost, cost.0.0)),
            (None, Some(tasks), None) => Some((BudgetUnit::Tasks, tasks.get())),
            (None, None, Some(tokens)) => Some((BudgetUnit::Tokens, tokens.get())),
            _ => None,
        }
    }

    /// Returns the setting; `None` for a section that was not checked.
    pub(crate) fn setting(&self) -> Option<BudgetSetting> {
        let (unit, limit) = self.limit()?;
        let rule = BudgetRule {
            name: self.name.get_ref().0.0.as_str().into(),
            scope: self.scope()?,
            unit,
            limit,
            period: self.per.0,
            at_limit: self.at_limit.as_ref().map_or(AtLimit::Warn, |it| it.0),
            resume: self.resume.as_ref().map_or(BudgetResume::Never, |it| it.0),
        };
        let zone = self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.0.clone());
        Some(BudgetSetting { rule, zone })
    }
}

impl From<&BudgetSetting> for BudgetSection {
    fn from(setting: &BudgetSetting) -> Self {
        let BudgetSetting { rule, zone } = setting;
        let only = |unit| (rule.unit == unit).then_some(rule.limit);
        let (pattern, group) = match &rule.scope {
            BudgetScope::Each { pattern } => (Some(pattern), None),
            BudgetScope::Group { name } => (None, Some(name)),
            BudgetScope::Fleet => (None, None),
        };
        let is_fleet = rule.scope == BudgetScope::Fleet;
        Self {
            name: Spanned::new(0..0, ConfigString(BudgetName(rule.name.to_string()))),
            pattern: pattern.map(|it| ConfigString(AgentPattern(it.to_string()))),
            group: group.map(|it| ConfigString(GroupName(it.to_string()))),
            fleet: is_fleet.then_some(true),
            cost: only(BudgetUnit::Cost).map(|nano| ConfigString(BudgetCost(nano))),
            tasks: only(BudgetUnit::Tasks).and_then(NonZero::new),
            tokens: only(BudgetUnit::Tokens).and_then(NonZero::new),
            per: ConfigString(rule.period),
            zone: Some(ConfigString(ZoneName(zone.clone()))),
            at_limit: Some(ConfigString(rule.at_limit)),
            resume: Some(ConfigString(rule.resume)),
        }
    }
}
