//! Values of a config file that are out of their range, and where in the file they stand.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use heartline_fleet::Limits;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// A value that is out of its range.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Its table; empty: none.
    table: &'static str,
    /// Which of the tables of that name.
    nth: usize,
    /// The keys that it might be: the first that is there.
    keys: &'static [&'static str],
    /// What was expected.
    message: String,
}

impl Wrong {
    /// The error, where nobody knows of a file.
    pub(super) fn anywhere(self) -> ConfigError {
        ConfigError::BadValue(self.message)
    }

    /// The error, with the place of the value in the text of its file.
    pub(super) fn placed(self, text: &str, path: &Path) -> ConfigError {
        let offset = self.offset(text).unwrap_or(0);
        malformed(text, path, offset, self.message)
    }

    fn offset(&self, text: &str) -> Option<usize> {
        let document = DeTable::parse(text).ok()?;
        let root = document.get_ref();
        let table = match self.table {
            "" => root,
            name => match root.get(name)?.get_ref() {
                DeValue::Table(table) => table,
                DeValue::Array(tables) => match tables.get(self.nth)?.get_ref() {
                    DeValue::Table(table) => table,
                    _ => return None,
                },
                _ => return None,
            },
        };
        let (key, _) = self.keys.iter().find_map(|&key| table.get_key_value(key))?;
        Some(key.span().start)
    }
}

/// [`ConfigError::Malformed`] at a byte of the text.
pub(super) fn malformed(text: &str, path: &Path, offset: usize, message: String) -> ConfigError {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ConfigError::Malformed {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
    }
}

/// The limits of `[health]` (`rule`: `None`), or those that one `[[agent]]` comes to.
pub(super) fn limits(rule: Option<(usize, &str)>, limits: Limits) -> Result<(), Wrong> {
    let (table, nth, place) = match rule {
        None => ("health", 0, "[health]".to_owned()),
        Some((nth, pattern)) => ("agent", nth, format!("[[agent]] match = \"{pattern}\"")),
    };
    let wrong = |keys, message| Err(Wrong { table, nth, keys, message });
    let Limits { late_factor: late, unreachable_factor: unreachable, stall_after } = limits;
    let is_factor = |factor: f64| (1.0..=10_000.0).contains(&factor);
    if !is_factor(late) || !is_factor(unreachable) || unreachable <= late {
        let message = format!(
            "{place}: expected 1 <= late_factor < unreachable_factor <= 10000, found {late} and \
             {unreachable}"
        );
        return wrong(&["late_factor", "unreachable_factor", "match"], message);
    }
    if stall_after < Duration::from_secs(1) {
        let message = format!("{place}: expected stall_after of at least 1s");
        return wrong(&["stall_after", "match"], message);
    }
    Ok(())
}

/// A span of `[retention]`.
pub(super) fn kept(key: &'static str, span: Duration, least_hours: u64) -> Result<(), Wrong> {
    if span >= Duration::from_secs(least_hours * 3_600) {
        return Ok(());
    }
    let message = format!("[retention] {key}: expected at least \"{least_hours}h\"");
    let keys: &[&str] = if key == "minutes" { &["minutes"] } else { &["hours"] };
    Err(Wrong { table: "retention", nth: 0, keys, message })
}

/// Most addresses to listen on.
const LISTEN_MAX: usize = 16;

/// The addresses of `listen`.
pub(super) fn listen(texts: &[String]) -> Result<Vec<SocketAddr>, Wrong> {
    let wrong = |message| Wrong { table: "", nth: 0, keys: &["listen"], message };
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
