//! Incident files: an excerpt of history in one file, for other people on other machines. It has no keys, no
//! tokens, and nothing of `control.db`.
//!
//! Whoever opens one may have it from a stranger: [`IncidentFile::open`] takes nothing for granted.

mod check;
mod open;
mod write;

use rusqlite::{Connection, OptionalExtension as _, params};

pub use open::{IncidentFile, IncidentFileError};
pub use write::{IncidentError, IncidentJob};

/// What an incident file is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentInfo {
    /// Its begin.
    pub since_ms: i64,
    /// The first moment behind it.
    pub until_ms: i64,
    pub made_ms: i64,
    pub is_redacted: bool,
    /// Version of the program that made it.
    pub version: String,
    /// Host of the collector.
    pub host: String,
}

/// Key of the digest of everything else, in the table `incident`.
const DIGEST: &str = "sha256";

impl IncidentInfo {
    fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        for (key, value) in [
            ("since_ms", self.since_ms.to_string()),
            ("until_ms", self.until_ms.to_string()),
            ("made_ms", self.made_ms.to_string()),
            ("is_redacted", u8::from(self.is_redacted).to_string()),
            ("version", self.version.clone()),
            ("host", self.host.clone()),
        ] {
            set(conn, key, &value)?;
        }
        Ok(())
    }

    /// Reads it; `None` where something is missing or makes no sense.
    fn read(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        let number = |key| -> rusqlite::Result<Option<i64>> {
            Ok(get(conn, key)?.and_then(|value| value.parse().ok()))
        };
        let (Some(since_ms), Some(until_ms), Some(made_ms)) =
            (number("since_ms")?, number("until_ms")?, number("made_ms")?)
        else {
            return Ok(None);
        };
        let (Some(version), Some(host)) = (get(conn, "version")?, get(conn, "host")?) else {
            return Ok(None);
        };
        let is_redacted = number("is_redacted")? == Some(1);
        let is_sane = (0..check::TIME_MAX_MS).contains(&since_ms)
            && (since_ms + 1..check::TIME_MAX_MS).contains(&until_ms)
            && (0..check::TIME_MAX_MS).contains(&made_ms);
        let info = Self { since_ms, until_ms, made_ms, is_redacted, version, host };
        Ok(is_sane.then_some(info))
    }
}

/// Writes the digest of whatever is in a file, as whoever forges one does; returns whether its values are sane.
#[cfg(test)]
pub(super) fn seal(conn: &Connection) -> bool {
    let digest = check::digest(conn).unwrap();
    digest.is_ok_and(|digest| set(conn, DIGEST, &digest).is_ok())
}

fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM incident WHERE key = ?1";
    conn.query_row(sql, [key], |row| row.get(0)).optional()
}

fn set(conn: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO incident (key, value) VALUES (?1, ?2)";
    conn.execute(sql, params![key, value]).map(drop)
}
