//! Identities over time: each that agents have reported, once, by number. An event says when an agent
//! took which one.

use heartline_vocabulary::SharedIdentity;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::code::EventCode;
use super::event::EventRow;
use crate::store::sql;

/// Returns the number of an identity, which gets one when it is new.
pub(super) fn intern(conn: &Connection, identity: &SharedIdentity) -> rusqlite::Result<i64> {
    intern_encoded(conn, &sql::encode(identity))
}

/// Gives an event of another database the number that its identity has in this one.
pub(super) fn translate(
    from: &Connection,
    into: &Connection,
    event: &mut EventRow,
) -> rusqlite::Result<()> {
    let Some(id) = event.value.filter(|_| event.kind == EventCode::Identity) else { return Ok(()) };
    let body: Vec<u8> = from
        .prepare_cached("SELECT body FROM identities WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    event.value = Some(intern_encoded(into, &body)?);
    Ok(())
}

fn intern_encoded(conn: &Connection, body: &[u8]) -> rusqlite::Result<i64> {
    let found = conn
        .prepare_cached("SELECT id FROM identities WHERE body = ?1")?
        .query_row([body], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO identities (body) VALUES (?1)")?.execute(params![body])?;
    Ok(conn.last_insert_rowid())
}
