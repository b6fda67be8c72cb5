//! Values of a config file that are out of their range, and which keys of the file they are.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use heartline_fleet::{AgentHealthRule, HealthThresholds};

use super::{ConfigError, ConfigText, Place};

/// Most addresses to listen on.
const LISTEN_MAX: usize = 16;

/// Most tables `[[agent]]`.
const RULES_MAX: usize = 1_000;

/// Longest span of any kind: a hundred years.
const SPAN_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// A value that is out of its range.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The keys that it might be: the first that the file has.
    places: Vec<Place<'static>>,
    /// What was expected.
    message: String,
}

impl Wrong {
    fn new(table: &'static str, nth: usize, keys: &[&'static str], message: String) -> Self {
        let places = keys.iter().map(|&key| Place { table, nth, key }).collect();
        Self { places, message }
    }

    /// The error, where nobody knows of a file.
    pub(super) fn anywhere(self) -> ConfigError {
        ConfigError::BadValue(self.message)
    }

    /// The error, with the place of the value in its file.
    pub(super) fn placed(self, file: &ConfigText) -> ConfigError {
        file.wrong(&self.places, self.message)
    }
}

/// The limits of `[health]`.
pub(super) fn health(found: HealthThresholds) -> Result<(), Wrong> {
    limits(found)
        .map_err(|(keys, message)| Wrong::new("health", 0, keys, format!("[health]: {message}")))
}

/// The `nth` `[[agent]]`, with the limits that it comes to.
pub(super) fn agent(
    nth: usize,
    rule: &AgentHealthRule,
    found: HealthThresholds,
) -> Result<(), Wrong> {
    let pattern = &rule.pattern;
    let wrong = |keys: &[&'static str], message: String| {
        let keys: Vec<_> = keys.iter().copied().chain(["match"]).collect();
        Wrong::new("agent", nth, &keys, message)
    };
    if nth >= RULES_MAX {
        return Err(wrong(&[], format!("expected at most {RULES_MAX} tables [[agent]]")));
    }
    let may_match = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-*?".contains(c);
    if pattern.is_empty() || !pattern.chars().all(may_match) {
        let message = format!(
            "expected a pattern of agent ids, of a-z 0-9 . _ - and the wildcards * and ?, found \
             {pattern:?}"
        );
        return Err(wrong(&[], message));
    }
    limits(found).map_err(|(keys, message)| {
        wrong(keys, format!("[[agent]] match = \"{pattern}\": {message}"))
    })
}

/// The keys that may be meant, and what was expected of them.
type OutOfRange = (&'static [&'static str], String);

fn limits(found: HealthThresholds) -> Result<(), OutOfRange> {
    let HealthThresholds { late_factor: late, unreachable_factor: unreachable, stall_after } =
        found;
    let is_factor = |factor: f64| (1.0..=10_000.0).contains(&factor);
    if !is_factor(late) || !is_factor(unreachable) || unreachable <= late {
        let message = format!(
            "expected 1 <= late_factor < unreachable_factor <= 10000, found {late} and \
             {unreachable}"
        );
        return Err((&["late_factor", "unreachable_factor"], message));
    }
    if !(Duration::from_secs(1)..=SPAN_MAX).contains(&stall_after) {
        let message = "expected stall_after of at least \"1s\" and at most \"36500d\"".to_owned();
        return Err((&["stall_after"], message));
    }
    Ok(())
}

/// A span of `[retention]`.
pub(super) fn kept(key: &'static str, span: Duration, least_hours: u64) -> Result<(), Wrong> {
    if (Duration::from_secs(least_hours * 3_600)..=SPAN_MAX).contains(&span) {
        return Ok(());
    }
    let message =
        format!("[retention] {key}: expected at least \"{least_hours}h\" and at most \"36500d\"");
    Err(Wrong::new("retention", 0, &[key], message))
}

/// The addresses of `listen`.
pub(super) fn listen(texts: &[String]) -> Result<Vec<SocketAddr>, Wrong> {
    let wrong = |message| Wrong::new("", 0, &["listen"], message);
    if texts.is_empty() || texts.len() > LISTEN_MAX {
        let found = texts.len();
        return Err(wrong(format!("listen: expected 1 to {LISTEN_MAX} addresses, found {found}")));
    }
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            wrong(format!(
                "listen: expected ADDRESS:PORT such as 127.0.0.1:4327 or [::]:4327, found {text:?}"
            ))
        })
    };
    texts.iter().map(parse).collect()
}

/// A directory of the file.
pub(super) fn directory(key: &'static str, path: Option<&Path>) -> Result<(), Wrong> {
    match path {
        Some(path) if path.as_os_str().is_empty() => {
            let message = format!("{key}: expected the path of a directory, found \"\"");
            Err(Wrong::new("", 0, &[key], message))
        }
        _ => Ok(()),
    }
}

/// A list of `[access]`.
pub(super) fn access(key: &'static str, who: Option<&[String]>) -> Result<(), Wrong> {
    let is_name = |one: &&String| !one.trim_start_matches('@').trim().is_empty();
    match who.unwrap_or_default().iter().find(|one| !is_name(one)) {
        Some(one) => {
            let message = format!(
                "[access] {key}: expected unix users, or groups as \"@ops\", found {one:?}"
            );
            Err(Wrong::new("access", 0, &[key], message))
        }
        None => Ok(()),
    }
}
