//! Rows about agents: registrations, identities, and how far they obey.

use heartline_fleet::ControlDbRow;
use heartline_protocol::limits::INTERVAL_DEFAULT_MS;
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, Transaction, params};

use crate::clock::WallClockAnchor;
use crate::store::history::AgentRecord;
use crate::store::sql::{self, execute};

/// Writes one row that is not a command.
pub(super) fn write(
    tx: &Transaction<'_>,
    row: &ControlDbRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<usize> {
    match row {
        ControlDbRow::Registered { id, agent, at } => insert(tx, *id, agent, anchor.wall_ms(*at)),
        ControlDbRow::Profile { id, interval_ms, identity } => {
            let sql = "UPDATE agents SET interval_ms = ?2, identity = ?3 WHERE id = ?1";
            let identity = identity.as_ref().map(sql::encode_identity);
            execute(tx, sql, params![id.0, interval_ms, identity])
        }
        ControlDbRow::Forgotten { id, at, by } => {
            let sql = "UPDATE agents SET forgotten_ms = ?2, forgotten_by = ?3 WHERE id = ?1";
            execute(tx, sql, params![id.0, anchor.wall_ms(*at), by])
        }
        ControlDbRow::Progress { id, generation, delivered_ms, obeyed_ms } => {
            let sql = "UPDATE desired SET delivered_ms = ?3, obeyed_ms = ?4 \
                       WHERE agent_id = ?1 AND generation = ?2";
            let (generation, delivered_ms) =
                (sql::to_count(*generation), sql::to_count(*delivered_ms));
            execute(tx, sql, params![id.0, generation, delivered_ms, obeyed_ms.map(sql::to_count)])
        }
        ControlDbRow::Command(_) => Ok(0),
    }
}

fn insert(conn: &Connection, id: AgentRowId, agent: &str, at_ms: i64) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO agents (id, name, first_seen_ms, interval_ms) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (id) DO NOTHING";
    execute(conn, sql, params![id.0, agent, at_ms, INTERVAL_DEFAULT_MS])
}

/// Forgets agents that were forgotten according to `history.db` alone, at the given times.
pub(crate) fn forget_agents(
    conn: &mut Connection,
    agents: &[(AgentRowId, i64)],
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for (id, at_ms) in agents {
        let sql = "UPDATE agents SET forgotten_ms = ?2 WHERE id = ?1";
        execute(&tx, sql, params![id.0, at_ms])?;
    }
    tx.commit()
}

/// Inserts agents that only `history.db` has: those that came after the copy from which
/// `control.db` was restored.
pub(crate) fn insert_agents(
    conn: &mut Connection,
    agents: &[&AgentRecord],
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for agent in agents {
        insert(&tx, agent.id, &agent.name, agent.first_seen_ms)?;
    }
    tx.commit()
}
