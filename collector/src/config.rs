//! The collector's configuration: flags, environment and file are raw; [`Config`] is what they
//! come to. Order of precedence: flags, environment, file, defaults.

mod check;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartline_fleet::{AgentRule, Limits, Rules};
use serde::Deserialize;

use crate::store::Retention;
use check::Wrong;

/// Where agents send to unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4327";

/// The file, as it stands there. Unknown keys are errors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// Addresses to receive beats on.
    pub listen: Option<Vec<String>>,
    /// Where the databases and keys are.
    pub data_dir: Option<PathBuf>,
    /// Where the sockets for operators are.
    pub socket_dir: Option<PathBuf>,
    /// How agents are judged.
    pub health: FileHealth,
    /// How some of them are judged.
    pub agent: Vec<FileAgent>,
    /// How long history is kept.
    pub retention: FileRetention,
    /// Who may look, and who may act.
    pub access: FileAccess,
    /// The terminal app's part of a shared file; read by `heartline`.
    pub tui: Option<toml::Table>,
    /// The terminal app's keys; read by `heartline`.
    pub keys: Option<BTreeMap<String, toml::Value>>,
}

/// `[health]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileHealth {
    /// Intervals without a live beat until degraded.
    pub late_factor: Option<f64>,
    /// Intervals without a live beat until unreachable.
    pub unreachable_factor: Option<f64>,
    /// Time without progress until degraded.
    pub stall_after: Option<Span>,
}

/// `[[agent]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAgent {
    /// Glob over agent ids.
    #[serde(rename = "match")]
    pub pattern: String,
    /// See [`FileHealth`].
    pub late_factor: Option<f64>,
    /// See [`FileHealth`].
    pub unreachable_factor: Option<f64>,
    /// See [`FileHealth`].
    pub stall_after: Option<Span>,
}

/// `[retention]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileRetention {
    /// Rollups by minute.
    pub minutes: Option<Span>,
    /// Rollups by hour.
    pub hours: Option<Span>,
}

/// `[access]`: unix users, or groups with an `@` before them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct FileAccess {
    /// Who may look; absent: the collector's own user and root.
    pub view: Option<Vec<String>>,
    /// Who may act; absent: the collector's own user and root.
    pub control: Option<Vec<String>>,
}

/// A length of time as people write it: `90s`, `5m`, `48h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_span(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "expected a duration such as \"90s\", \"5m\" or \"48h\", found \"{text}\""
            ))
        })
    }
}

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
    pub rules: Rules,
    /// How long history is kept.
    pub retention: Retention,
    /// Who may look, and who may act.
    pub access: FileAccess,
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listen: Vec<String> = self.listen.iter().map(|it| format!("\"{it}\"")).collect();
        let Limits { late_factor, unreachable_factor, stall_after } = self.rules.fleet;
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

/// Why there is no configuration to run with. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the config file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what is expected; names the line and what was expected.
    #[error("{path}, line {line}, column {column}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// A value is out of its range.
    #[error("{0}")]
    BadValue(String),
    /// There is no home to keep data in.
    #[error("{0}")]
    NoDirectory(String),
}

impl FileConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line, and what was expected.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`], with the place.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            check::malformed(text, path, at, error.message().replace('\n', "; "))
        })?;
        // As `resolve` does, but here it is known where each value stands.
        file.check().map_err(|wrong| wrong.placed(text, path))?;
        Ok(file)
    }

    fn check(&self) -> Result<(), Wrong> {
        self.listen.as_deref().map_or(Ok(()), |texts| check::listen(texts).map(drop))?;
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
    pub fn rules(&self) -> Result<Rules, ConfigError> {
        self.checked_rules().map_err(Wrong::anywhere)
    }

    fn checked_rules(&self) -> Result<Rules, Wrong> {
        let fleet = Limits::default();
        let health = &self.health;
        let fleet = Limits {
            late_factor: health.late_factor.unwrap_or(fleet.late_factor),
            unreachable_factor: health.unreachable_factor.unwrap_or(fleet.unreachable_factor),
            stall_after: health.stall_after.map_or(fleet.stall_after, |span| span.0),
        };
        let agents = self.agent.iter().map(|rule| AgentRule {
            pattern: rule.pattern.clone(),
            late_factor: rule.late_factor,
            unreachable_factor: rule.unreachable_factor,
            stall_after: rule.stall_after.map(|span| span.0),
        });
        let rules = Rules { fleet, agents: agents.collect() };
        check::limits(None, rules.fleet)?;
        for (nth, rule) in rules.agents.iter().enumerate() {
            let limits = Limits {
                late_factor: rule.late_factor.unwrap_or(fleet.late_factor),
                unreachable_factor: rule.unreachable_factor.unwrap_or(fleet.unreachable_factor),
                stall_after: rule.stall_after.unwrap_or(fleet.stall_after),
            };
            check::limits(Some((nth, &rule.pattern)), limits)?;
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

/// Reads a length of time: a whole number and one of `ms s m h d`.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(unit_ms)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        FileConfig::parse(text, Path::new("heartline.toml"))
            .and_then(|file| file.resolve(&Overrides::default(), Default::default()))
            .unwrap_err()
            .to_string()
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
    fn values_out_of_range_are_found_in_the_file() {
        let places = [
            ("[health]\nlate_factor = 20", "line 2, column 1"),
            ("\nlisten = [\"nowhere\"]", "line 2, column 1"),
            ("[retention]\n\n  hours = \"1h\"", "line 3, column 3"),
            ("[[agent]]\nmatch = \"a\"\n[[agent]]\nmatch = \"b\"\nstall_after = \"5ms\"", "line 5"),
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
        let file = FileConfig::parse(text, Path::new("example.toml")).unwrap();
        let config = file.resolve(&Overrides::default(), Default::default()).unwrap();
        assert_eq!(config.rules.limits("mail.3").stall_after, Duration::from_secs(1_200));
        assert_eq!(config.access.control, Some(vec!["@ops".to_owned()]));
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = FileConfig::parse("listen = [\"0.0.0.0:1\"]", Path::new("x")).unwrap();
        let flags = Overrides { listen: vec!["127.0.0.1:2".into()], ..Overrides::default() };
        let config = file.resolve(&flags, Default::default()).unwrap();
        assert_eq!(config.listen, ["127.0.0.1:2".parse().unwrap()]);
    }
}
