//! What `history.db` keeps of each agent and of each of its sessions.

use heartline_vocabulary::{AgentRowId, AgentStatus, SessionEnd};
use rusqlite::{Connection, Transaction, params};

use crate::store::column;
use crate::store::rollup::Sums;

/// Puts an agent's name into a row that may be there already.
pub(super) fn register(
    tx: &Transaction<'_>,
    id: AgentRowId,
    name: &str,
    at_ms: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, ?2, ?3) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    )?
    .execute(params![id.0, name, at_ms])?;
    Ok(())
}

/// Gives every agent of `control.db` that `history.db` does not know a row with its name, so that
/// its rows can be read when it has been forgotten.
pub(crate) fn name_all<'a>(
    conn: &mut Connection,
    agents: impl Iterator<Item = (AgentRowId, &'a str, i64)>,
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for (id, name, first_seen_ms) in agents {
        register(&tx, id, name, first_seen_ms)?;
    }
    tx.commit()
}

pub(super) fn forget(tx: &Transaction<'_>, id: AgentRowId, at_ms: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE agents SET forgotten_ms = ?2 WHERE id = ?1")?
        .execute(params![id.0, at_ms])?;
    Ok(())
}

pub(super) fn stand(
    tx: &Transaction<'_>,
    id: AgentRowId,
    to: AgentStatus,
    at_ms: i64,
) -> rusqlite::Result<()> {
    let reason = to.reason.map(heartline_vocabulary::Reason::name);
    tx.prepare_cached("UPDATE agents SET state = ?2, reason = ?3, since_ms = ?4 WHERE id = ?1")?
        .execute(params![id.0, to.state.name(), reason, at_ms])?;
    Ok(())
}

pub(super) fn disobeyed(
    tx: &Transaction<'_>,
    id: AgentRowId,
    generation: u64,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE agents SET disobeyed_generation = ?2 WHERE id = ?1")?
        .execute(params![id.0, column::count(generation)])?;
    Ok(())
}

/// A session became current.
pub(super) fn begin_session(
    tx: &Transaction<'_>,
    id: AgentRowId,
    session: u64,
    at_ms: i64,
    starts: u32,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO sessions (agent_id, session, started_ms, starts, last_beat_ms) \
         VALUES (?1, ?2, ?3, ?4, ?3) \
         ON CONFLICT (agent_id, session) DO UPDATE SET starts = excluded.starts, ended = NULL, \
            ended_ms = NULL, last_beat_ms = max(coalesce(last_beat_ms, 0), excluded.last_beat_ms)",
    )?
    .execute(params![id.0, column::bits(session), at_ms, starts])?;
    tx.prepare_cached("UPDATE agents SET starts = ?2 WHERE id = ?1")?
        .execute(params![id.0, starts])?;
    beat(tx, id, at_ms)
}

pub(super) fn end_session(
    tx: &Transaction<'_>,
    id: AgentRowId,
    session: u64,
    at_ms: i64,
    end: SessionEnd,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO sessions (agent_id, session, started_ms, ended_ms, ended) \
         VALUES (?1, ?2, ?3, ?3, ?4) \
         ON CONFLICT (agent_id, session) \
         DO UPDATE SET ended_ms = excluded.ended_ms, ended = excluded.ended",
    )?
    .execute(params![id.0, column::bits(session), at_ms, end.name()])?;
    Ok(())
}

/// The last live beat, of a session and of its agent.
pub(super) fn last_beat(
    tx: &Transaction<'_>,
    id: AgentRowId,
    session: u64,
    at_ms: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE sessions SET last_beat_ms = max(coalesce(last_beat_ms, 0), ?3) \
         WHERE agent_id = ?1 AND session = ?2",
    )?
    .execute(params![id.0, column::bits(session), at_ms])?;
    beat(tx, id, at_ms)
}

fn beat(tx: &Transaction<'_>, id: AgentRowId, at_ms: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE agents SET last_beat_ms = max(coalesce(last_beat_ms, 0), ?2) WHERE id = ?1",
    )?
    .execute(params![id.0, at_ms])?;
    Ok(())
}

/// Adds a parameter to a column, and stays at the largest integer rather than turn over.
macro_rules! add_capped {
    ($column:literal, $parameter:literal) => {
        concat!(
            $column,
            " = CASE WHEN ",
            $column,
            " > 9223372036854775807 - ",
            $parameter,
            " THEN 9223372036854775807 ELSE ",
            $column,
            " + ",
            $parameter,
            " END, "
        )
    };
}

const ADD_TOTALS: &str = concat!(
    "UPDATE agents SET ",
    add_capped!("beats", "?2"),
    add_capped!("lost", "?3"),
    add_capped!("ok", "?4"),
    add_capped!("failed", "?5"),
    add_capped!("cost_nano_usd", "?6"),
    add_capped!("tokens_in", "?7"),
    add_capped!("tokens_out", "?8"),
    "last_beat_ms = max(coalesce(last_beat_ms, 0), ?9) WHERE id = ?1"
);

/// Adds to an agent's totals; `heard_ms` is when its newest segment came.
pub(super) fn add_totals(
    tx: &Transaction<'_>,
    id: i64,
    heard_ms: i64,
    sums: &Sums,
) -> rusqlite::Result<()> {
    let [beats, lost, ok, failed, cost, tokens_in, tokens_out] = sums.columns();
    let mut add = tx.prepare_cached(ADD_TOTALS)?;
    let row = params![id, beats, lost, ok, failed, cost, tokens_in, tokens_out, heard_ms];
    if add.execute(row)? == 0 {
        // Its registration was lost with a file that was set aside; the next start names it.
        let sql = "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, '', ?2)";
        tx.execute(sql, params![id, heard_ms])?;
        add.execute(row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::open;

    #[test]
    fn totals_stay_at_the_largest_integer() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let tx = conn.transaction().unwrap();
        let sums = Sums { ok: i64::MAX as u64 - 1, failed: 1, ..Sums::default() };
        for _ in 0..3 {
            add_totals(&tx, 7, 1_000, &sums).unwrap();
        }
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (ok, failed, heard): (i64, i64, i64) = tx
            .query_row("SELECT ok, failed, last_beat_ms FROM agents WHERE id = 7", [], read)
            .unwrap();
        assert_eq!((ok, failed, heard), (i64::MAX, 3, 1_000));
    }
}
