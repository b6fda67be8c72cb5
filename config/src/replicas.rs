//! `[[group]]`: groups of which so many agents must run.

use std::time::Duration;

use heartline_fleet::ReplicaRule;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use crate::budget_value::GroupName;
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, CountVisitor, DurationSetting};

/// Most tables `[[group]]`.
pub(crate) const GROUPS_MAX: usize = 200;

/// How long too few must run, where it is not set.
const HOLD: Duration = Duration::from_secs(60);

/// `[[group]]`, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct GroupSection {
    pub name: Spanned<ConfigString<GroupName>>,
    pub expect: ReplicaCount,
    pub alert_below: Spanned<ReplicaCount>,
    pub hold: Option<ConfigString<DurationSetting<0>>>,
}

/// A number of agents of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReplicaCount(pub u32);

/// Most agents that are expected of a group.
const REPLICAS_MAX: u32 = 1_000_000;

impl<'de> Deserialize<'de> for ReplicaCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "a number of agents from 1 to 1000000";
        CountVisitor::read(from, expected, |it| (1..=REPLICAS_MAX).contains(&it)).map(Self)
    }
}

impl GroupSection {
    /// Checks all sections: there is one for a group, and `alert_below` is not above what is expected.
    pub(crate) fn check_all(sections: &[Self], text: &ConfigText) -> Result<(), ConfigError> {
        if let Some(section) = sections.get(GROUPS_MAX) {
            let message = format!("expected at most {GROUPS_MAX} tables [[group]]");
            return Err(text.error_at(section.name.span().start, &message));
        }
        for (place, section) in sections.iter().enumerate() {
            let name = section.name.get_ref();
            if sections[..place].iter().any(|other| other.name.get_ref() == name) {
                let message =
                    format!("there is another table [[group]] with the name {:?}", name.0.0);
                return Err(text.error_at(section.name.span().start, &message));
            }
            let (below, expect) = (*section.alert_below.get_ref(), section.expect);
            if below > expect {
                let message =
                    format!("expected alert_below <= expect, found {} and {}", below.0, expect.0);
                return Err(text.error_at(section.alert_below.span().start, &message));
            }
        }
        Ok(())
    }

    /// Returns the rule for the core.
    pub(crate) fn rule(&self) -> ReplicaRule {
        ReplicaRule {
            expect: self.expect.0,
            alert_below: self.alert_below.get_ref().0,
            hold: self.hold.as_ref().map_or(HOLD, |it| it.0.0),
        }
    }
}
