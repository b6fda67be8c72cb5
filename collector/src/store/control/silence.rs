//! Silences: of which agents nobody is told for a while, who said so, and why.

use std::path::PathBuf;

use heartline_operator::message::Silence;
use rusqlite::{Connection, Transaction, params};

use crate::store::disk;
use crate::store::sql::execute;

/// A silence that an operator began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSilence {
    pub id: i64,
    pub filter: String,
    pub from_ms: i64,
    pub until_ms: i64,
    /// `user@host`
    pub by: String,
    /// Scrubbed.
    pub reason: String,
}

impl From<StoredSilence> for Silence {
    fn from(stored: StoredSilence) -> Self {
        let StoredSilence { id, filter, from_ms, until_ms, by, reason } = stored;
        Self { id: Some(id), filter, from_ms, until_ms, by, reason }
    }
}

/// A change of silences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SilenceChange {
    /// Its id is given when it is stored.
    Begin(StoredSilence),
    /// It ends now.
    End { id: i64, at_ms: i64, by: String },
}

/// The reason why a change of silences is not stored.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    #[error("{}", disk::failure_message("store the silence in", path, source))]
    Write { path: PathBuf, source: rusqlite::Error },
    #[error("there is no silence {0} that goes on: `heartline silence` lists them")]
    Unknown(i64),
    /// The store is closed.
    #[error("the collector is shutting down")]
    Closed,
}

/// Writes a change; returns the number of the silence, `None` where there is none to end.
pub(super) fn write(tx: &Transaction<'_>, change: &SilenceChange) -> rusqlite::Result<Option<i64>> {
    match change {
        SilenceChange::Begin(silence) => {
            execute(
                tx,
                "INSERT INTO silences (filter, from_ms, until_ms, \"by\", reason) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    silence.filter,
                    silence.from_ms,
                    silence.until_ms,
                    silence.by,
                    silence.reason
                ],
            )?;
            Ok(Some(tx.last_insert_rowid()))
        }
        SilenceChange::End { id, at_ms, by } => {
            let sql = "UPDATE silences SET until_ms = ?2, ended_by = ?3 \
                       WHERE id = ?1 AND until_ms > ?2";
            let ended = execute(tx, sql, params![id, at_ms, by])?;
            Ok((ended > 0).then_some(*id))
        }
    }
}

/// Returns the silences that end after a time, those that end first first.
pub(crate) fn read(conn: &Connection, after_ms: i64) -> rusqlite::Result<Vec<StoredSilence>> {
    read_between(conn, after_ms, i64::MAX)
}

/// Returns the silences that end after a time and begin before another one, those that end first first.
pub(crate) fn read_between(
    conn: &Connection,
    after_ms: i64,
    before_ms: i64,
) -> rusqlite::Result<Vec<StoredSilence>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, filter, from_ms, until_ms, \"by\", reason FROM silences \
         WHERE until_ms > ?1 AND from_ms < ?2 ORDER BY until_ms, id",
    )?;
    let rows = statement.query_map([after_ms, before_ms], |row| {
        Ok(StoredSilence {
            id: row.get(0)?,
            filter: row.get(1)?,
            from_ms: row.get(2)?,
            until_ms: row.get(3)?,
            by: row.get(4)?,
            reason: row.get(5)?,
        })
    })?;
    rows.collect()
}
