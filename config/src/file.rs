//! The config file, as it stands.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use heartline_fleet::{
    AgentHealthRule, BUDGETS_MAX, HealthRules, HealthThresholds, RegistrationLimits,
};
use heartline_operator::{CollectorDirectories, DirectoryOverrides, MissingDataDirectory};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table};

use crate::alerts::{AlertsConfig, AlertsSection};
use crate::budget::BudgetSection;
use crate::config::{Config, Retention};
use crate::expectation::ExpectSection;
use crate::expected::ExpectedSection;
use crate::health::{AgentSection, HealthSection};
use crate::replicas::GroupSection;
use crate::route::RouteSection;
use crate::sink::SinkSection;
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting, StringSetting as _, UserOrGroup};
use crate::watchdog::WatchdogSection;
use crate::window::WindowSection;

/// Where agents send to unless something else is set.
const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4_327);

/// Most addresses to listen on.
pub const LISTEN_MAX: usize = 16;

/// Most tables `[[agent]]`.
const AGENT_SECTIONS_MAX: usize = 1_000;

/// The file, as it stands; what is not set is `None`. `T` and `K` are what `[tui]` and `[keys]` are
/// read into: tables of anything where they belong to another program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ConfigFile<T = Table, K = Table> {
    pub listen: Option<Spanned<Vec<ConfigString<SocketAddr>>>>,
    pub data_dir: Option<ConfigString<PathBuf>>,
    pub socket_dir: Option<ConfigString<PathBuf>>,
    #[serde(default)]
    pub health: HealthSection,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<AgentSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budget: Vec<BudgetSection>,
    #[serde(default)]
    pub retention: RetentionSection,
    #[serde(default)]
    pub limits: LimitsSection,
    #[serde(default)]
    pub access: AccessLists,
    #[serde(default)]
    pub alerts: AlertsSection,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sink: Vec<SinkSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub window: Vec<WindowSection>,
    #[serde(default, skip_serializing_if = "WatchdogSection::is_empty")]
    pub watchdog: WatchdogSection,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<GroupSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<ExpectedSection>,
    pub tui: Option<T>,
    pub keys: Option<K>,
}

/// `[retention]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RetentionSection {
    /// At least the two hours that the last hour's work is read from.
    pub minutes: Option<ConfigString<DurationSetting<7_200>>>,
    /// At least the two days that today's cost is read from.
    pub hours: Option<ConfigString<DurationSetting<172_800>>>,
    pub days: Option<ConfigString<DurationSetting<172_800>>>,
    pub events: Option<ConfigString<DurationSetting<172_800>>>,
    /// At least an hour, so that a restart of a fleet forgets nothing.
    pub agents: Option<ConfigString<DurationSetting<3_600>>>,
}

/// `[limits]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct LimitsSection {
    pub new_agents_per_minute: Option<NonZero<u32>>,
}

/// `[access]`: the unix users, and groups with an `@` before them, that a collector serves beside its
/// own user and root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct AccessLists {
    pub view: Vec<ConfigString<UserOrGroup>>,
    /// These may view, too.
    pub control: Vec<ConfigString<UserOrGroup>>,
}

impl<T: DeserializeOwned, K: DeserializeOwned> ConfigFile<T, K> {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line, column and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&ConfigText::read(path)?)
    }

    /// Parses and checks the text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`].
    pub fn parse(text: &ConfigText) -> Result<Self, ConfigError> {
        let file: Self = text.parse()?;
        if let Some(listen) = &file.listen
            && !(1..=LISTEN_MAX).contains(&listen.get_ref().len())
        {
            let found = listen.get_ref().len();
            let message = format!("expected 1 to {LISTEN_MAX} addresses, found {found}");
            return Err(text.error_at(listen.span().start, &message));
        }
        if let Some(agent) = file.agent.get(AGENT_SECTIONS_MAX) {
            let message = format!("expected at most {AGENT_SECTIONS_MAX} tables [[agent]]");
            return Err(text.error_at(agent.pattern.span().start, &message));
        }
        if let Some(budget) = file.budget.get(BUDGETS_MAX) {
            let message = format!("expected at most {BUDGETS_MAX} tables [[budget]]");
            return Err(text.error_at(budget.name.span().start, &message));
        }
        BudgetSection::check_all(&file.budget, text)?;
        file.health.check(HealthThresholds::default(), text)?;
        let fleet = file.health.limits(HealthThresholds::default());
        file.agent.iter().try_for_each(|agent| agent.health().check(fleet, text))?;
        file.agent.iter().try_for_each(|agent| agent.check_expect(text))?;
        file.alerts().check(text)?;
        file.watchdog.check(text)?;
        Ok(file)
    }
}

impl<T, K> ConfigFile<T, K> {
    /// Returns everything that alerts go by.
    pub fn alerts(&self) -> AlertsConfig {
        AlertsConfig {
            section: self.alerts.in_force(),
            routes: self.route.clone(),
            windows: self.window.clone(),
            groups: self.group.clone(),
            expected: self.expected.clone(),
            sinks: self.sink.clone(),
        }
    }

    /// The directories that flags, the environment, this file and the defaults give, in this order.
    /// `variable` looks up an environment variable; a flag may be one that has been read already.
    ///
    /// # Errors
    /// [`MissingDataDirectory`] when none of them says where the data are.
    pub fn directories(
        &self,
        flags: DirectoryOverrides<'_>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<CollectorDirectories, MissingDataDirectory> {
        let is_unset = |name| variable(name).is_none_or(|value| value.is_empty());
        let data = self.data_dir.as_ref().filter(|_| is_unset("HEARTLINE_DATA_DIR"));
        let sockets = self.socket_dir.as_ref().filter(|_| is_unset("HEARTLINE_SOCKET_DIR"));
        let overrides = DirectoryOverrides {
            data: flags.data.or(data.map(|path| path.0.as_path())),
            sockets: flags.sockets.or(sockets.map(|path| path.0.as_path())),
        };
        CollectorDirectories::resolve(overrides, variable)
    }

    fn expect_sections(&self) -> impl Iterator<Item = &ExpectSection> {
        self.agent.iter().filter_map(|agent| agent.expect.as_ref()).map(Spanned::get_ref)
    }

    /// Returns the rules of `[[agent]]`, which number what they say is expected in their order.
    fn agent_rules(&self) -> Vec<AgentHealthRule> {
        let mut numbers = 0..;
        let rule = |agent: &AgentSection| {
            let expectation = agent.expect.as_ref().and_then(|_| numbers.next());
            agent.rule(expectation)
        };
        self.agent.iter().map(rule).collect()
    }

    /// The settings that come of this file, the addresses of flags where there are some, and the
    /// defaults.
    pub fn resolve(&self, listen: &[SocketAddr], directories: CollectorDirectories) -> Config {
        let in_file = || self.listen.as_ref().map(|list| list.get_ref().iter().map(|it| it.0));
        let listen = match listen {
            [] => in_file().map_or_else(|| vec![DEFAULT_LISTEN], Iterator::collect),
            flags => flags.to_owned(),
        };
        let fleet = self.health.limits(HealthThresholds::default());
        let (retention, registration) = (Retention::default(), RegistrationLimits::default());
        let expectations: Vec<ExpectSection> = self.expect_sections().cloned().collect();
        Config {
            listen,
            data_dir: directories.data,
            socket_dir: directories.sockets,
            rules: HealthRules {
                fleet,
                agents: self.agent_rules(),
                expectations: expectations.iter().map(ExpectSection::expectation).collect(),
            },
            expectations,
            budgets: self.budget.iter().filter_map(BudgetSection::setting).collect(),
            retention: Retention {
                minutes: self.retention.minutes.as_ref().map_or(retention.minutes, |it| it.0.0),
                hours: self.retention.hours.as_ref().map_or(retention.hours, |it| it.0.0),
                days: self.retention.days.as_ref().map_or(retention.days, |it| it.0.0),
                events: self.retention.events.as_ref().map_or(retention.events, |it| it.0.0),
            },
            registration: RegistrationLimits {
                new_agents_per_minute: (self.limits.new_agents_per_minute)
                    .map_or(registration.new_agents_per_minute, NonZero::get),
                retention: (self.retention.agents.as_ref())
                    .map_or(registration.retention, |it| it.0.0),
            },
            access: self.access.clone(),
            alerts: self.alerts(),
            watchdog: self.watchdog.clone(),
        }
    }
}

/// Returns a config file that has every setting with its default, commented out.
pub fn template(default: &CollectorDirectories) -> String {
    let quoted = |path: &PathBuf| toml::Value::String(path.print()).to_string();
    include_str!("template.toml")
        .replace("{data_dir}", &quoted(&default.data))
        .replace("{socket_dir}", &quoted(&default.sockets))
}

impl<T: Serialize, K: Serialize> ConfigFile<T, K> {
    /// Prints the file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers, lists and tables are TOML")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        ConfigFile::parse(&ConfigText::new(Path::new("heartline.toml"), text.to_owned()))
    }

    #[test]
    fn every_kind_of_mistake_has_its_place_and_what_was_expected() {
        let too_many = "[[agent]]\nmatch = \"a\"\n".repeat(1_001);
        let table = [
            ("a = 1\n", "line 1, column 1: unknown field `a`, expected one of `listen`"),
            ("[health]\nlate = 3\n", "line 2, column 1: unknown field `late`, expected one of"),
            ("health = 3\n", "line 1, column 10: invalid type: integer `3`, expected a table"),
            ("listen = []\n\nlisten = []\n", "line 3, column 1: duplicate key"),
            ("[[agent]]\nlate_factor = 2\n", "line 1, column 1: missing field `match`"),
            ("[health\n", "line 1, column 8: "),
            ("listen = [", "line 1, column 11: "),
            (
                "listen = \"x\"\n",
                "line 1, column 10: invalid type: string \"x\", expected a sequence",
            ),
            (
                "listen = [\"[::]:1\", \"there\"]",
                "line 1, column 21: invalid value: string \"there\", expected ADDRESS:PORT such as 127.0.0.1:4327",
            ),
            ("\nlisten = []", "line 2, column 10: expected 1 to 16 addresses, found 0"),
            ("data_dir = 3\n", "line 1, column 12: invalid type: integer `3`, expected a path"),
            ("data_dir = \"\"", "line 1, column 12: invalid value: string \"\", expected a path"),
            (
                "[health]\nlate_factor = \"x\"\n",
                "line 2, column 15: invalid type: string \"x\", expected a number",
            ),
            (
                "[health]\nlate_factor = 0",
                "line 2, column 15: invalid value: floating point `0.0`, expected a number, 1 <= late_factor",
            ),
            (
                "[health]\nunreachable_factor = nan",
                "line 2, column 22: invalid value: floating point `NaN`",
            ),
            (
                "[health]\nlate_factor = 20",
                "line 2, column 15: expected late_factor < unreachable_factor, found 20 and 10",
            ),
            (
                "[health]\nunreachable_factor = 3",
                "line 2, column 22: expected late_factor < unreachable_factor, found 3 and 3",
            ),
            (
                "[[agent]]\nmatch = \"a\"\n[[agent]]\nmatch = \"b\"\nlate_factor = 10",
                "line 5, column 15: expected late_factor <",
            ),
            (
                "[health]\nstall_after = \"soon\"\n",
                "line 2, column 15: invalid value: string \"soon\", expected a duration such as \"90s\", \"5m\"",
            ),
            (
                "[health]\nstall_after = \"-5m\"\n",
                "line 2, column 15: invalid value: string \"-5m\", expected a duration",
            ),
            (
                "[health]\nstall_after = \"99999d\"",
                "line 2, column 15: invalid value: string \"99999d\", expected a duration",
            ),
            ("[[agent]]\nmatch = \"b\"\nstall_after = \"5ms\"", "line 3, column 15: invalid value"),
            (
                "[[agent]]\nmatch = \"Mail(\"",
                "line 2, column 9: invalid value: string \"Mail(\", expected a pattern",
            ),
            (
                "[health]\ncrash_loop_restarts = 1",
                "line 2, column 23: invalid value: integer `1`, expected a whole number from 2 to 100, or 0",
            ),
            (
                "[[agent]]\nmatch = \"b\"\ncrash_loop_restarts = \"5\"",
                "line 3, column 23: invalid type: string \"5\", expected a whole number from 2",
            ),
            (
                "[health]\nfailing_rate = 25",
                "line 2, column 16: invalid value: floating point `25.0`, expected a share from 0.01 to 0.95, or 0",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nfailing_in_a_row = 1",
                "line 3, column 20: invalid value: integer `1`, expected a whole number from 2 to 100, or 0",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nexpect = { at_least = 0, in = \"1h\" }",
                "line 3, column 23: invalid value: integer `0`, expected a number of tasks from 1 to 1000000000",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nexpect = { at_least = 1, in = \"1h\", during = \"office\" }",
                "line 3, column 46: invalid value: string \"office\", expected days and hours such as",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nexpect = { at_least = 1, in = \"9h\", during = \"mon 09:00-17:00\" }",
                "line 3, column 31: expected a time that fits into mon 09:00–17:00, found \"9h\"",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nidle = true\nexpect = { at_least = 1, in = \"1h\" }",
                "line 4, column 10: expected idle or expect in one table [[agent]], found both",
            ),
            (
                "[health]\nidle = \"off\"",
                "line 2, column 8: invalid type: string \"off\", expected a boolean",
            ),
            (
                "[health]\nslow = \"often\"",
                "line 2, column 8: invalid value: string \"often\", expected \"own-past\", \"off\", or a latency",
            ),
            (
                "[[agent]]\nmatch = \"b\"\nfast = \"25h\"",
                "line 3, column 8: invalid value: string \"25h\", expected \"own-past\"",
            ),
            (&too_many, "line 2002, column 9: expected at most 1000 tables [[agent]]"),
            (
                "[retention]\nhours = 90\n",
                "line 2, column 9: invalid type: integer `90`, expected a duration such as",
            ),
            (
                "[retention]\n\n  hours = \"90\"",
                "line 3, column 11: invalid value: string \"90\", expected a duration such as",
            ),
            (
                "[retention]\nminutes = \"5m\"",
                "line 2, column 11: invalid value: string \"5m\", expected a duration such as \"90s\", \"5m\" or \"48h\", from \"2h\" to \"36500d\"",
            ),
            (
                "[[budget]]\nname = \"a\"\nfleet = true\ncost = \"50\"\nper = \"day\"",
                "line 4, column 8: invalid value: string \"50\", expected US dollars such as \"$50\"",
            ),
            (
                "[[budget]]\nname = \"a\"\ncost = \"$50\"\nper = \"day\"",
                "line 2, column 8: expected one of match, group and fleet = true",
            ),
            (
                "[[budget]]\nname = \"a\"\nfleet = true\ncost = \"$5\"\ntasks = 3\nper = \"day\"",
                "line 2, column 8: expected one of cost, tasks and tokens",
            ),
            (
                "[[budget]]\nname = \"a\"\nfleet = true\ntasks = 3\nper = \"week\"",
                "line 5, column 7: invalid value: string \"week\", expected \"hour\" or \"day\"",
            ),
            (
                "[[budget]]\nname = \"a\"\nmatch = \"*\"\ntasks = 0\nper = \"day\"",
                "line 4, column 9: invalid value: integer `0`, expected a nonzero u64",
            ),
            (
                "[[budget]]\nname = \"a\"\nmatch = \"*\"\ntasks = 1\nper = \"day\"\nzone = \"Mars\"",
                "line 6, column 8: invalid value: string \"Mars\", expected the name of a time zone such as",
            ),
            (
                "[[budget]]\nname = \"a\"\nmatch = \"*\"\ntasks = 1\nper = \"day\"\n\
                 [[budget]]\nname = \"a\"\nmatch = \"*\"\ntasks = 1\nper = \"day\"",
                "line 7, column 8: expected another name than \"a\"",
            ),
            (
                "[[group]]\nname = \"mail\"\nexpect = 12\nalert_below = 13",
                "line 4, column 15: expected alert_below <= expect, found 13 and 12",
            ),
            (
                "[[group]]\nname = \"mail\"\nexpect = 12\nalert_below = 0",
                "line 4, column 15: invalid value: integer `0`, expected a number of agents from 1 to",
            ),
            (
                "[[group]]\nname = \"\"\nexpect = 1\nalert_below = 1",
                "line 2, column 8: invalid value: string \"\", expected the name of a group",
            ),
            (
                "[[group]]\nname = \"mail\"\nexpect = 1\nalert_below = 1\nwithin = \"5m\"",
                "line 5, column 1: unknown field `within`, expected one of `name`",
            ),
            (
                "[[group]]\nname = \"mail\"\nexpect = 1",
                "line 1, column 1: missing field `alert_below`",
            ),
            (
                "[[group]]\nname = \"mail\"\nexpect = 1\nalert_below = 1\n\
                 [[group]]\nname = \"mail\"\nexpect = 2\nalert_below = 1",
                "line 6, column 8: there is another table [[group]] with the name \"mail\"",
            ),
            ("[[expected]]\nagents = []", "line 2, column 10: expected agent ids, found none"),
            (
                "[[expected]]\nagents = [\"a\", \"B\"]",
                "line 2, column 16: \"B\" is no agent id: byte 1 of the agent id (0x42) is not one of",
            ),
            (
                "[[expected]]\nagents = [\"a.{1..3}\"]\n[[expected]]\nagents = [\"a.2\"]",
                "line 4, column 11: a.2 is expected already",
            ),
            (
                "[[expected]]\nagents = [\"a\"]\nwithin = \"1s\"",
                "line 3, column 10: invalid value: string \"1s\", expected a duration",
            ),
            (
                "[access]\nview = []\ncontrol = [\"ann\", \"@\"]",
                "line 3, column 19: invalid value: string \"@\", expected a unix user",
            ),
        ];
        for (text, said) in table {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("heartline.toml, {said}")), "{error}");
        }
    }

    #[test]
    fn one_grammar_reads_durations_of_several_units() {
        let file =
            parse("[health]\nstall_after = \"1h30m\"\n[retention]\nminutes = \"2.5h\"").unwrap();
        let config =
            file.resolve(&[], CollectorDirectories { data: "/d".into(), sockets: "/s".into() });
        assert_eq!(config.rules.fleet.stall_after, Duration::from_secs(5_400));
        assert_eq!(config.retention.minutes, Duration::from_secs(9_000));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_flags_over_both() {
        let file = parse("data_dir = \"/file\"").unwrap();
        let data = |flag: Option<&str>, variables: &[(&str, &str)]| {
            let flags = DirectoryOverrides { data: flag.map(Path::new), sockets: None };
            let variable = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            };
            file.directories(flags, variable).unwrap().data.display().to_string()
        };
        let environment = [("HEARTLINE_DATA_DIR", "/env"), ("HOME", "/home/ann")];
        assert_eq!(data(Some("/flag"), &environment), "/flag");
        assert_eq!(data(None, &environment), "/env");
        assert_eq!(data(None, &[("HEARTLINE_DATA_DIR", "")]), "/file");
    }
}
