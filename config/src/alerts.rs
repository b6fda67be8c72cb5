//! Alerts: `[alerts]` with the times of alerting, and all that goes with it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use heartline_fleet::{AlertRules, FlappingRule, StormRule};
use serde::{Deserialize, Serialize};

use crate::expected::ExpectedSection;
use crate::replicas::GroupSection;
use crate::route::{ROUTES_MAX, RouteSection};
use crate::secret::SecretError;
use crate::sink::{SINKS_MAX, SinkConfig, SinkSection};
use crate::sink_value::SinkType;
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting};
use crate::window::{WINDOWS_MAX, WindowSection};

/// `[alerts]`, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct AlertsSection {
    pub recovery_hold: Option<ConfigString<DurationSetting<0>>>,
    pub group_hold_max: Option<ConfigString<DurationSetting<0>>>,
    pub update_every: Option<ConfigString<DurationSetting<10>>>,
    /// What operators write behind `heartline --ssh` to come here; it stands in notices.
    pub ssh: Option<String>,
    pub storm: StormSection,
    pub flapping: FlappingSection,
}

/// `storm` of `[alerts]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct StormSection {
    pub after: Option<std::num::NonZero<u32>>,
    #[serde(rename = "in")]
    pub within: Option<ConfigString<DurationSetting<1>>>,
    pub digest_every: Option<ConfigString<DurationSetting<10>>>,
}

/// `flapping` of `[alerts]`, in outages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct FlappingSection {
    pub half_life: Option<ConfigString<DurationSetting<60>>>,
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub cap: Option<f64>,
}

/// Everything that alerts go by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertsConfig {
    pub section: AlertsSection,
    pub routes: Vec<RouteSection>,
    pub windows: Vec<WindowSection>,
    pub groups: Vec<GroupSection>,
    pub expected: Vec<ExpectedSection>,
    /// Where alerts are sent to; [`AlertsConfig::read_sinks`] reads their secrets.
    pub sinks: Vec<SinkSection>,
}

impl AlertsConfig {
    /// Returns the rules for the core.
    pub fn rules(&self) -> AlertRules {
        let traits = |sink: &SinkSection| {
            let traits = sink.kind.get_ref().0.traits();
            (sink.name.get_ref().0.0.as_str().into(), traits)
        };
        AlertRules {
            routes: self.routes.iter().filter_map(RouteSection::route).collect(),
            sinks: self.sinks.iter().map(traits).collect(),
            groups: self
                .groups
                .iter()
                .map(|it| (it.name.get_ref().0.0.as_str().into(), it.rule()))
                .collect(),
            expected: self.expected.iter().flat_map(ExpectedSection::agents).collect(),
            ..self.section.rules()
        }
    }

    /// Reads the secrets of the sinks; `variable` looks up an environment variable.
    ///
    /// # Errors
    /// [`SecretError`] names the file or variable that can't be read.
    pub fn read_sinks(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Vec<SinkConfig>, SecretError> {
        self.sinks.iter().map(|sink| sink.read(&variable)).collect()
    }

    /// Checks what no single table shows.
    pub(crate) fn check(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let names = self.check_sinks(text)?;
        if let Some(flaw) = self.section.flaw() {
            return Err(text.error_at(0, &flaw));
        }
        if let Some(route) = self.routes.get(ROUTES_MAX) {
            let message = format!("expected at most {ROUTES_MAX} tables [[route]]");
            return Err(text.error_at(route.to.span().start, &message));
        }
        if let Some(window) = self.windows.get(WINDOWS_MAX) {
            let message = format!("expected at most {WINDOWS_MAX} tables [[window]]");
            return Err(text.error_at(window.filter.span().start, &message));
        }
        let is_bell = |sink: &&SinkSection| sink.kind.get_ref().0 == SinkType::Bell;
        let bells = self.sinks.iter().filter(is_bell).map(|sink| &*sink.name.get_ref().0.0);
        let bells: BTreeSet<&str> = bells.collect();
        self.routes.iter().try_for_each(|route| route.check(&names, &bells, text))?;
        GroupSection::check_all(&self.groups, text)?;
        ExpectedSection::check_all(&self.expected, text)?;
        self.windows.iter().try_for_each(|window| window.check(text))
    }

    /// Checks the sinks; returns their names.
    fn check_sinks(&self, text: &ConfigText) -> Result<BTreeSet<&str>, ConfigError> {
        let mut names = BTreeSet::new();
        for (count, sink) in (1..).zip(&self.sinks) {
            let (name, at) = (&*sink.name.get_ref().0.0, sink.name.span().start);
            if count > SINKS_MAX {
                let message = format!("expected at most {SINKS_MAX} tables [[sink]]");
                return Err(text.error_at(at, &message));
            }
            if !names.insert(name) {
                let message = format!("there is another sink with the name {name:?}");
                return Err(text.error_at(at, &message));
            }
            sink.check(text)?;
        }
        Ok(names)
    }
}

impl AlertsSection {
    /// Returns the rules without routes.
    pub(crate) fn rules(&self) -> AlertRules {
        let (default, storm, flapping) =
            (AlertRules::default(), StormRule::default(), FlappingRule::default());
        AlertRules {
            recovery_hold: or(&self.recovery_hold, default.recovery_hold),
            group_hold_max: or(&self.group_hold_max, default.group_hold_max),
            update_every: or(&self.update_every, default.update_every),
            storm: StormRule {
                after: self.storm.after.map_or(storm.after, std::num::NonZero::get),
                within: or(&self.storm.within, storm.within),
                digest_every: or(&self.storm.digest_every, storm.digest_every),
            },
            flapping: FlappingRule {
                half_life: or(&self.flapping.half_life, flapping.half_life),
                start: self.flapping.start.unwrap_or(flapping.start),
                end: self.flapping.end.unwrap_or(flapping.end),
                cap: self.flapping.cap.unwrap_or(flapping.cap),
            },
            ..default
        }
    }

    /// Returns the same with every default written down.
    pub(crate) fn in_force(&self) -> Self {
        let AlertRules { recovery_hold, group_hold_max, update_every, storm, flapping, .. } =
            self.rules();
        Self {
            recovery_hold: Some(written(recovery_hold)),
            group_hold_max: Some(written(group_hold_max)),
            update_every: Some(written(update_every)),
            storm: StormSection {
                after: std::num::NonZero::new(storm.after),
                within: Some(written(storm.within)),
                digest_every: Some(written(storm.digest_every)),
            },
            flapping: FlappingSection {
                half_life: Some(written(flapping.half_life)),
                start: Some(flapping.start),
                end: Some(flapping.end),
                cap: Some(flapping.cap),
            },
            ssh: self.ssh.clone(),
        }
    }

    /// Returns what is wrong with the limits of flapping.
    pub(crate) fn flaw(&self) -> Option<String> {
        let FlappingRule { start, end, cap, .. } = self.rules().flapping;
        let is_right = 0.0 < end && end < start && start <= cap && cap <= 1_000.0;
        (!is_right).then(|| {
            format!(
                "expected 0 < end < start <= cap <= 1000 for flapping, found end = {end}, \
                 start = {start}, cap = {cap}"
            )
        })
    }
}

fn written<const MIN_S: u64>(duration: Duration) -> ConfigString<DurationSetting<MIN_S>> {
    ConfigString(DurationSetting(duration))
}

fn or<const MIN_S: u64>(
    setting: &Option<ConfigString<DurationSetting<MIN_S>>>,
    default: Duration,
) -> Duration {
    setting.as_ref().map_or(default, |it| it.0.0)
}
