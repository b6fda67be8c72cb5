//! What `control.db` says, each table in one pass.

use heartline_fleet::IdentityInterner;

use heartline_vocabulary::{AgentRowId, Identity, Reason};
use rusqlite::Connection;

use super::OfAgent;
use crate::store::column;
use crate::store::config::Revocation;
use crate::store::identity;

#[derive(Debug)]
pub(super) struct RosterRow {
    pub(super) id: AgentRowId,
    pub(super) name: Box<str>,
    pub(super) first_seen_ms: i64,
    pub(super) interval_ms: u32,
    pub(super) identity: Option<Identity>,
    pub(super) forgotten: bool,
}

#[derive(Debug)]
pub(super) struct DesiredRow {
    id: AgentRowId,
    pub(super) generation: u64,
    pub(super) killed: bool,
    pub(super) cause: Reason,
    pub(super) by: Box<str>,
    pub(super) reason: Box<str>,
    pub(super) at_ms: i64,
    pub(super) delivered_ms: Option<u64>,
    pub(super) obeyed_ms: Option<u64>,
}

impl OfAgent for RosterRow {
    fn agent(&self) -> AgentRowId {
        self.id
    }
}

impl OfAgent for DesiredRow {
    fn agent(&self) -> AgentRowId {
        self.id
    }
}

pub(super) fn agents(
    conn: &Connection,
    identities: &mut IdentityInterner,
) -> rusqlite::Result<Vec<RosterRow>> {
    let mut statement = conn.prepare(
        "SELECT id, name, first_seen_ms, interval_ms, identity, forgotten_ms IS NOT NULL \
         FROM agents ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let identity = row
            .get_ref(4)?
            .as_blob_or_null()?
            .and_then(|bytes| identity::decode(bytes, identities));
        Ok(RosterRow {
            id: AgentRowId(row.get(0)?),
            name: row.get(1)?,
            first_seen_ms: row.get(2)?,
            interval_ms: row.get(3)?,
            identity,
            forgotten: row.get(5)?,
        })
    })?;
    rows.collect()
}

pub(super) fn desired(conn: &Connection) -> rusqlite::Result<Vec<DesiredRow>> {
    let mut statement = conn.prepare(
        "SELECT agent_id, generation, killed, cause, \"by\", reason, at_ms, delivered_ms, obeyed_ms \
         FROM desired ORDER BY agent_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(DesiredRow {
            id: AgentRowId(row.get(0)?),
            generation: column::from_count(row.get(1)?),
            killed: row.get(2)?,
            cause: column::named(row, 3, Reason::from_name)?,
            by: row.get(4)?,
            reason: row.get(5)?,
            at_ms: row.get(6)?,
            delivered_ms: row.get::<_, Option<i64>>(7)?.map(column::from_count),
            obeyed_ms: row.get::<_, Option<i64>>(8)?.map(column::from_count),
        })
    })?;
    rows.collect()
}

/// Scopes whose keys are refused.
pub(crate) fn revocations(conn: &Connection) -> rusqlite::Result<Vec<Revocation>> {
    let mut statement =
        conn.prepare("SELECT scope, epoch FROM tokens WHERE revoked_ms IS NOT NULL")?;
    let rows =
        statement.query_map([], |row| Ok(Revocation { scope: row.get(0)?, epoch: row.get(1)? }))?;
    rows.collect()
}
