//! The rows of `control.db` that a start needs, each table in one pass.

use heartline_fleet::IdentityInterner;
use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentRowId, Identity, Reason};
use rusqlite::Connection;

use super::TokenRevocation;
use crate::store::history::AgentRecord;
use crate::store::sql;

/// The agents and desired states of `control.db`, by ascending id.
#[derive(Debug)]
pub(crate) struct ControlDbState {
    /// The series that generations belong to.
    pub(crate) control: ControlId,
    pub(super) agents: Vec<ControlAgentRow>,
    pub(super) desired: Vec<DesiredStateRow>,
}

#[derive(Debug)]
pub(super) struct ControlAgentRow {
    pub(super) agent: AgentRecord,
    pub(super) interval_ms: u32,
    pub(super) identity: Option<Identity>,
}

#[derive(Debug)]
pub(super) struct DesiredStateRow {
    pub(super) agent_id: AgentRowId,
    pub(super) generation: u64,
    pub(super) killed: bool,
    pub(super) cause: Reason,
    pub(super) by: Box<str>,
    pub(super) reason: Box<str>,
    pub(super) at_ms: i64,
    pub(super) delivered_ms: Option<u64>,
    pub(super) obeyed_ms: Option<u64>,
    pub(super) lifts: Option<ControlId>,
}

impl ControlDbState {
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let control = conn.query_row("SELECT control_id FROM control", [], |row| row.get(0))?;
        Ok(Self {
            control: ControlId::new(sql::from_bits(control))
                .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, control))?,
            agents: read_agents(conn)?,
            desired: read_desired(conn)?,
        })
    }
}

fn read_agents(conn: &Connection) -> rusqlite::Result<Vec<ControlAgentRow>> {
    let mut identities = IdentityInterner::default();
    let columns = AgentRecord::COLUMNS;
    let sql = format!("SELECT {columns}, interval_ms, identity FROM agents ORDER BY id");
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let identity = row.get_ref(5)?.as_blob_or_null()?;
        Ok(ControlAgentRow {
            agent: AgentRecord::read(row)?,
            interval_ms: row.get(4)?,
            identity: identity.and_then(|bytes| sql::decode_identity(bytes, &mut identities)),
        })
    })?;
    rows.collect()
}

fn read_desired(conn: &Connection) -> rusqlite::Result<Vec<DesiredStateRow>> {
    let mut statement = conn.prepare(
        "SELECT agent_id, generation, killed, cause, \"by\", reason, at_ms, delivered_ms, obeyed_ms, \
         lifts          FROM desired ORDER BY agent_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(DesiredStateRow {
            agent_id: AgentRowId(row.get(0)?),
            generation: sql::from_count(row.get(1)?),
            killed: row.get(2)?,
            cause: sql::read_named(row, 3, Reason::from_name)?,
            by: row.get(4)?,
            reason: row.get(5)?,
            at_ms: row.get(6)?,
            delivered_ms: row.get::<_, Option<i64>>(7)?.map(sql::from_count),
            obeyed_ms: row.get::<_, Option<i64>>(8)?.map(sql::from_count),
            lifts: row.get::<_, Option<i64>>(9)?.map(sql::from_bits).and_then(ControlId::new),
        })
    })?;
    rows.collect()
}

/// Reads the scopes whose tokens are revoked.
pub(crate) fn read_revocations(conn: &Connection) -> rusqlite::Result<Vec<TokenRevocation>> {
    let mut statement =
        conn.prepare("SELECT scope, epoch FROM tokens WHERE revoked_ms IS NOT NULL")?;
    let rows = statement
        .query_map([], |row| Ok(TokenRevocation { scope: row.get(0)?, epoch: row.get(1)? }))?;
    rows.collect()
}
