//! The collector's configuration: flags, environment and file are raw; [`Config`] is what they
//! come to. Order of precedence: flags, environment, file, defaults.

mod check;
mod error;
mod file;
mod span;
mod text;
mod words;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartline_fleet::{AgentHealthRule, HealthRules, HealthThresholds};

use crate::store::Retention;
use check::Wrong;

pub use error::ConfigError;
pub use file::{FileAccess, FileAgent, FileConfig, FileHealth, FileRetention};
pub use span::{Span, parse_span};
pub use text::{ConfigText, Place};

/// Where agents send to unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4327";

/// What flags and environment say; `None`: nothing.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`
    pub listen: Vec<String>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--socket-dir`
    pub socket_dir: Option<PathBuf>,
}

/// What a collector runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to receive beats on.
    pub listen: Vec<SocketAddr>,
    /// Where the databases and keys are.
    pub data_dir: PathBuf,
    /// Where the sockets for operators are.
    pub socket_dir: PathBuf,
    /// How agents are judged.
    pub rules: HealthRules,
    /// How long history is kept.
    pub retention: Retention,
    /// Who may look, and who may act.
    pub access: FileAccess,
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listen: Vec<String> = self.listen.iter().map(|it| format!("\"{it}\"")).collect();
        let HealthThresholds { late_factor, unreachable_factor, stall_after } = self.rules.fleet;
        writeln!(f, "listen = [{}]", listen.join(", "))?;
        writeln!(f, "data_dir = {:?}", self.data_dir)?;
        writeln!(f, "socket_dir = {:?}", self.socket_dir)?;
        writeln!(f, "[health]\nlate_factor = {late_factor}")?;
        writeln!(f, "unreachable_factor = {unreachable_factor}")?;
        writeln!(f, "stall_after = \"{}s\"", stall_after.as_secs())?;
        for rule in &self.rules.agents {
            writeln!(f, "[[agent]]\nmatch = {:?}", rule.pattern)?;
            let factors = [
                ("late_factor", rule.late_factor),
                ("unreachable_factor", rule.unreachable_factor),
            ];
            for (name, factor) in factors {
                factor.map_or(Ok(()), |factor| writeln!(f, "{name} = {factor}"))?;
            }
            if let Some(stall_after) = rule.stall_after {
                writeln!(f, "stall_after = \"{}s\"", stall_after.as_secs())?;
            }
        }
        let hours = |span: Duration| span.as_secs() / 3_600;
        let Retention { minutes, hours: kept } = self.retention;
        writeln!(f, "[retention]\nminutes = \"{}h\"", hours(minutes))?;
        writeln!(f, "hours = \"{}h\"", hours(kept))?;
        let doors = [("view", &self.access.view), ("control", &self.access.control)];
        if doors.iter().any(|(_, who)| who.is_some()) {
            writeln!(f, "[access]")?;
        }
        for (door, who) in doors {
            who.as_ref().map_or(Ok(()), |who| writeln!(f, "{door} = {who:?}"))?;
        }
        Ok(())
    }
}

impl FileConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line, and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::of(&ConfigText::read(path)?)
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`], with the place and what was expected.
    pub fn of(text: &ConfigText) -> Result<Self, ConfigError> {
        let file: Self = text.parse()?;
        // As `resolve` does, but here it is known where each value stands.
        file.check().map_err(|wrong| wrong.placed(text))?;
        Ok(file)
    }

    fn check(&self) -> Result<(), Wrong> {
        self.listen.as_deref().map_or(Ok(()), |texts| check::listen(texts).map(drop))?;
        check::directory("data_dir", self.data_dir.as_deref())?;
        check::directory("socket_dir", self.socket_dir.as_deref())?;
        check::access("view", self.access.view.as_deref())?;
        check::access("control", self.access.control.as_deref())?;
        self.checked_rules()?;
        self.checked_retention().map(drop)
    }

    /// What file, flags and environment come to. `directories` are the data and socket directory
    /// that flags, environment and defaults give when the file is silent.
    ///
    /// # Errors
    /// [`ConfigError::BadValue`] names the value and what was expected.
    pub fn resolve(
        self,
        overrides: &Overrides,
        directories: (PathBuf, PathBuf),
    ) -> Result<Config, ConfigError> {
        let listen = if overrides.listen.is_empty() {
            self.listen.clone().unwrap_or_else(|| vec![DEFAULT_LISTEN.to_owned()])
        } else {
            overrides.listen.clone()
        };
        let listen = check::listen(&listen).map_err(Wrong::anywhere)?;
        let retention = self.checked_retention().map_err(Wrong::anywhere)?;
        Ok(Config {
            listen,
            rules: self.rules()?,
            retention,
            access: self.access,
            data_dir: directories.0,
            socket_dir: directories.1,
        })
    }

    /// How agents are judged.
    ///
    /// # Errors
    /// [`ConfigError::BadValue`] names the value and what was expected.
    pub fn rules(&self) -> Result<HealthRules, ConfigError> {
        self.checked_rules().map_err(Wrong::anywhere)
    }

    fn checked_rules(&self) -> Result<HealthRules, Wrong> {
        let fleet = HealthThresholds::default();
        let health = &self.health;
        let fleet = HealthThresholds {
            late_factor: health.late_factor.unwrap_or(fleet.late_factor),
            unreachable_factor: health.unreachable_factor.unwrap_or(fleet.unreachable_factor),
            stall_after: health.stall_after.map_or(fleet.stall_after, |span| span.0),
        };
        let agents = self.agent.iter().map(|rule| AgentHealthRule {
            pattern: rule.pattern.clone(),
            late_factor: rule.late_factor,
            unreachable_factor: rule.unreachable_factor,
            stall_after: rule.stall_after.map(|span| span.0),
        });
        let rules = HealthRules { fleet, agents: agents.collect() };
        check::health(rules.fleet)?;
        for (nth, rule) in rules.agents.iter().enumerate() {
            let limits = HealthThresholds {
                late_factor: rule.late_factor.unwrap_or(fleet.late_factor),
                unreachable_factor: rule.unreachable_factor.unwrap_or(fleet.unreachable_factor),
                stall_after: rule.stall_after.unwrap_or(fleet.stall_after),
            };
            check::agent(nth, rule, limits)?;
        }
        Ok(rules)
    }

    fn checked_retention(&self) -> Result<Retention, Wrong> {
        let default = Retention::default();
        let kept = Retention {
            minutes: self.retention.minutes.map_or(default.minutes, |span| span.0),
            hours: self.retention.hours.map_or(default.hours, |span| span.0),
        };
        check::kept("minutes", kept.minutes, 2)?;
        check::kept("hours", kept.hours, 48)?;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FileConfig, ConfigError> {
        FileConfig::of(&ConfigText::of(Path::new("heartline.toml"), text.to_owned()))
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_place_and_what_was_expected() {
        let unknown = error("[health]\nlate = 3\n");
        assert!(unknown.starts_with("heartline.toml, line 2, column 1:"), "{unknown}");
        assert!(unknown.contains("late_factor"), "{unknown}");
        let span = error("[health]\nstall_after = \"soon\"\n");
        assert!(span.contains("line 2") && span.contains("\"5m\""), "{span}");
        assert!(error("listen = [\"localhost\"]").contains("127.0.0.1:4327"));
        assert!(error("[health]\nlate_factor = 20").contains("late_factor < unreachable_factor"));
        assert!(error("listen = [").contains("line 1"));
        assert!(error("[retention]\nminutes = \"5m\"").contains("2h"));
    }

    #[test]
    fn every_kind_of_mistake_has_its_place_and_what_was_expected() {
        let table = [
            ("a = 1\n", "line 1, column 1: unknown key `a`, expected one of `listen`"),
            (
                "[health]\nlate_factor = \"x\"\n",
                "line 2, column 15: expected a number, found string",
            ),
            ("listen = \"x\"\n", "line 1, column 10: expected a list, found string"),
            ("health = 3\n", "line 1, column 10: expected a table, found integer"),
            ("data_dir = 3\n", "line 1, column 12: expected a path"),
            ("[retention]\nhours = 90\n", "line 2, column 9: expected a duration such as"),
            ("listen = []\n\nlisten = []\n", "line 3, column 1: duplicate key `listen`"),
            ("[[agent]]\nlate_factor = 2\n", "line 1, column 1: expected a key `match`"),
            ("[health\n", "line 1, column 8"),
        ];
        for (text, said) in table {
            let error = error(text);
            assert!(error.starts_with(&format!("heartline.toml, {said}")), "{error}");
        }
    }

    #[test]
    fn values_out_of_range_are_found_in_the_file() {
        let places = [
            ("[health]\nlate_factor = 20", "line 2, column 1"),
            ("\nlisten = [\"nowhere\"]", "line 2, column 1"),
            ("[retention]\n\n  hours = \"1h\"", "line 3, column 3"),
            ("[[agent]]\nmatch = \"a\"\n[[agent]]\nmatch = \"b\"\nstall_after = \"5ms\"", "line 5"),
            ("[[agent]]\nmatch = \"Mail(\"", "line 2, column 1: expected a pattern"),
            ("[health]\nstall_after = \"99999999d\"", "line 2, column 1"),
            ("[health]\nunreachable_factor = nan", "line 2, column 1"),
            ("data_dir = \"\"", "line 1, column 1: data_dir"),
            ("[access]\nview = []\ncontrol = [\"@\"]", "line 3, column 1: [access] control"),
        ];
        for (text, place) in places {
            let error = error(text);
            assert!(error.starts_with(&format!("heartline.toml, {place}")), "{error}");
        }
    }

    #[test]
    fn the_documented_example_is_valid() {
        let text = r#"
            listen = ["0.0.0.0:4327"]
            [health]
            late_factor = 3
            unreachable_factor = 10
            stall_after = "5m"
            [[agent]]
            match = "mail.*"
            stall_after = "20m"
            [retention]
            minutes = "48h"
            hours = "90d"
            [access]
            view = ["@ops", "@dev"]
            control = ["@ops"]
        "#;
        let file = parse(text).unwrap();
        let config = file.resolve(&Overrides::default(), Default::default()).unwrap();
        assert_eq!(config.rules.limits("mail.3").stall_after, Duration::from_secs(1_200));
        assert_eq!(config.access.control, Some(vec!["@ops".to_owned()]));
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = parse("listen = [\"0.0.0.0:1\"]").unwrap();
        let flags = Overrides { listen: vec!["127.0.0.1:2".into()], ..Overrides::default() };
        let config = file.resolve(&flags, Default::default()).unwrap();
        assert_eq!(config.listen, ["127.0.0.1:2".parse().unwrap()]);
    }
}
