//! Rows about agents: who is there, who they are, how far they have obeyed.

use heartline_fleet::ControlDbRow;

use heartline_protocol::limits::INTERVAL_DEFAULT_MS;
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, Transaction, params};

use crate::clock::WallClockAnchor;
use crate::store::{column, identity};

/// Writes one row that is no command.
pub(super) fn write(
    tx: &Transaction<'_>,
    row: &ControlDbRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<()> {
    match row {
        ControlDbRow::Registered { id, agent, at } => {
            insert(tx, *id, agent, anchor.wall_ms(*at))?;
        }
        ControlDbRow::Profile { id, interval_ms, identity } => {
            let bytes = identity.as_ref().map(identity::encode);
            tx.prepare_cached("UPDATE agents SET interval_ms = ?2, identity = ?3 WHERE id = ?1")?
                .execute(params![id.0, interval_ms, bytes])?;
        }
        ControlDbRow::Forgotten { id, at, by } => {
            let sql = "UPDATE agents SET forgotten_ms = ?2, forgotten_by = ?3 WHERE id = ?1";
            tx.prepare_cached(sql)?.execute(params![id.0, anchor.wall_ms(*at), by])?;
        }
        ControlDbRow::Progress { id, generation, delivered_ms, obeyed_ms } => {
            let sql = "UPDATE desired SET delivered_ms = ?3, obeyed_ms = ?4 \
                       WHERE agent_id = ?1 AND generation = ?2";
            let obeyed_ms = obeyed_ms.map(column::count);
            tx.prepare_cached(sql)?.execute(params![
                id.0,
                column::count(*generation),
                column::count(*delivered_ms),
                obeyed_ms
            ])?;
        }
        ControlDbRow::Command(_) => {}
    }
    Ok(())
}

fn insert(conn: &Connection, id: AgentRowId, agent: &str, at_ms: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO agents (id, name, first_seen_ms, interval_ms) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (id) DO NOTHING";
    conn.prepare_cached(sql)?.execute(params![id.0, agent, at_ms, INTERVAL_DEFAULT_MS])?;
    Ok(())
}

/// Forgets agents of which only `history.db` knows that they were forgotten, and when.
pub(crate) fn forget(conn: &mut Connection, agents: &[(AgentRowId, i64)]) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for (id, at_ms) in agents {
        let sql = "UPDATE agents SET forgotten_ms = ?2 WHERE id = ?1";
        tx.prepare_cached(sql)?.execute(params![id.0, at_ms])?;
    }
    tx.commit()
}

/// Takes agents in that only `history.db` knows: those that came after the copy from which
/// `control.db` was restored.
pub(crate) fn adopt(
    conn: &mut Connection,
    agents: &[(AgentRowId, Box<str>, i64)],
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for (id, agent, first_seen_ms) in agents {
        insert(&tx, *id, agent, *first_seen_ms)?;
    }
    tx.commit()
}
