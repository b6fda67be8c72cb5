//! Notes of operators on outages, and acknowledgements.

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use crate::store::sql::execute;

/// A note on an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// Number of the outage.
    pub outage: i64,
    pub at_ms: i64,
    /// `user@host`
    pub by: String,
    /// It acknowledges the outage.
    pub acknowledges: bool,
    /// The operator's words; may be empty where it acknowledges. Scrubbed.
    pub words: String,
}

/// The reason why a note was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("there is no outage #{0}: `heartline outages` lists them")]
    UnknownOutage(i64),
    #[error("the note can't be stored: {0}")]
    Write(String),
    #[error("the collector is shutting down")]
    Closed,
}

/// A note that is waited for.
pub(crate) type NoteWrite = (NewNote, oneshot::Sender<Result<(), NoteError>>);

/// Stores a note, durably; returns false where there is no such outage.
pub(super) fn write(conn: &Connection, note: &NewNote) -> rusqlite::Result<bool> {
    let NewNote { outage, at_ms, by, acknowledges, words } = note;
    let known = conn
        .prepare_cached("SELECT 1 FROM outages WHERE cursor = ?1")?
        .query_row([outage], |_| Ok(()))
        .optional()?;
    if known.is_none() {
        return Ok(false);
    }
    let sql = "INSERT INTO notes (outage, at_ms, \"by\", acknowledges, words) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    execute(conn, sql, params![outage, at_ms, by, acknowledges, words])?;
    Ok(true)
}
