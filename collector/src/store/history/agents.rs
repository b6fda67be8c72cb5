//! The agents of `history.db` and their sessions: what a restart needs to know.

use heartline_fleet::{HistoryDbRow, MonoTime, QualityRecord, Transition};
use heartline_vocabulary::AgentRowId;
use rusqlite::{CachedStatement, Connection, Row, Transaction, params};

use super::code::StatusCode;
use crate::clock::WallClockAnchor;
use crate::store::rollup::WorkCounts;
use crate::store::sql::{self, execute};

/// An agent as each database can learn of it from the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentRecord {
    pub(crate) id: AgentRowId,
    pub(crate) name: Box<str>,
    pub(crate) first_seen_ms: i64,
    pub(crate) forgotten_ms: Option<i64>,
}

impl AgentRecord {
    /// The columns of a record in either database.
    pub(crate) const COLUMNS: &str = "id, name, first_seen_ms, forgotten_ms";

    /// Reads the first columns of a result row.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (id, name) = (AgentRowId(row.get(0)?), row.get(1)?);
        Ok(Self { id, name, first_seen_ms: row.get(2)?, forgotten_ms: row.get(3)? })
    }
}

/// Inserts agents that `control.db` has. In rows that are there already it fills in the name and
/// when the agent was forgotten.
pub(crate) fn merge_agents<'a>(
    conn: &mut Connection,
    agents: impl Iterator<Item = &'a AgentRecord>,
) -> rusqlite::Result<()> {
    let tx = conn.transaction()?;
    for AgentRecord { id, name, first_seen_ms, forgotten_ms } in agents {
        insert_agent(&tx, *id, name, *first_seen_ms)?;
        let sql = "UPDATE agents SET forgotten_ms = coalesce(forgotten_ms, ?2) WHERE id = ?1";
        execute(&tx, sql, params![id.0, forgotten_ms])?;
    }
    tx.commit()
}

fn insert_agent(
    tx: &Transaction<'_>,
    id: AgentRowId,
    name: &str,
    first_seen_ms: i64,
) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    execute(tx, sql, params![id.0, name, first_seen_ms])
}

/// Returns the greatest id; 0 where there is no agent.
pub(crate) fn last_id(conn: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(id), 0) FROM agents";
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// Returns the statement that sets the status of an agent.
pub(super) fn prepare_status<'a>(tx: &'a Transaction<'_>) -> rusqlite::Result<CachedStatement<'a>> {
    tx.prepare_cached("UPDATE agents SET status = ?2, since_ms = ?3 WHERE id = ?1")
}

/// Keeps agents and sessions in step with an event.
pub(super) fn apply(
    tx: &Transaction<'_>,
    row: &HistoryDbRow,
    anchor: WallClockAnchor,
    set_status: &mut CachedStatement<'_>,
) -> rusqlite::Result<()> {
    let wall_ms = |at: &MonoTime| anchor.wall_ms(*at);
    match row {
        HistoryDbRow::Registered { id, agent, at } => {
            insert_agent(tx, *id, agent, wall_ms(at))?;
        }
        HistoryDbRow::Forgotten { id, at, .. } => {
            let sql = "UPDATE agents SET forgotten_ms = ?2 WHERE id = ?1";
            execute(tx, sql, params![id.0, wall_ms(at)])?;
        }
        HistoryDbRow::Session { id, session, at, starts } => {
            execute(
                tx,
                "INSERT INTO sessions (agent_id, session, started_ms, starts, last_beat_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?3) \
                 ON CONFLICT (agent_id, session) DO UPDATE SET starts = excluded.starts, \
                    ended = NULL, ended_ms = NULL, \
                    last_beat_ms = max(coalesce(last_beat_ms, 0), excluded.last_beat_ms)",
                params![id.0, sql::to_bits(*session), wall_ms(at), starts],
            )?;
            let sql = "UPDATE agents SET starts = ?2 WHERE id = ?1";
            execute(tx, sql, params![id.0, starts])?;
            set_last_beat(tx, *id, wall_ms(at))?;
        }
        HistoryDbRow::SessionEnded { id, session, at, end } => {
            execute(
                tx,
                "INSERT INTO sessions (agent_id, session, started_ms, ended_ms, ended) \
                 VALUES (?1, ?2, ?3, ?3, ?4) \
                 ON CONFLICT (agent_id, session) \
                 DO UPDATE SET ended_ms = excluded.ended_ms, ended = excluded.ended",
                params![id.0, sql::to_bits(*session), wall_ms(at), end.name()],
            )?;
        }
        HistoryDbRow::Transition(Transition { id, at, to, .. }) => {
            set_status.execute(params![id.0, StatusCode(*to).code(), wall_ms(at)])?;
        }
        HistoryDbRow::LastBeat { id, session, at } => {
            execute(
                tx,
                "UPDATE sessions SET last_beat_ms = max(coalesce(last_beat_ms, 0), ?3) \
                 WHERE agent_id = ?1 AND session = ?2",
                params![id.0, sql::to_bits(*session), wall_ms(at)],
            )?;
            set_last_beat(tx, *id, wall_ms(at))?;
        }
        HistoryDbRow::Disobeyed { id, generation, .. } => {
            let sql = "UPDATE agents SET disobeyed_generation = ?2 WHERE id = ?1";
            execute(tx, sql, params![id.0, sql::to_count(*generation)])?;
        }
        HistoryDbRow::Identity { .. }
        | HistoryDbRow::Commanded { .. }
        | HistoryDbRow::Obeyed { .. }
        | HistoryDbRow::Gap { .. }
        | HistoryDbRow::Incident(_)
        | HistoryDbRow::Notice(_)
        | HistoryDbRow::Budget(_)
        | HistoryDbRow::Work(_) => {}
    }
    Ok(())
}

fn set_last_beat(tx: &Transaction<'_>, id: AgentRowId, at_ms: i64) -> rusqlite::Result<usize> {
    let sql = "UPDATE agents SET last_beat_ms = max(coalesce(last_beat_ms, 0), ?2) WHERE id = ?1";
    execute(tx, sql, params![id.0, at_ms])
}

/// Each sum saturates at the largest integer.
const ADD_TOTALS: &str = "UPDATE agents SET \
        beats = min(beats, 9223372036854775807 - ?2) + ?2, \
        lost = min(lost, 9223372036854775807 - ?3) + ?3, \
        ok = min(ok, 9223372036854775807 - ?4) + ?4, \
        failed = min(failed, 9223372036854775807 - ?5) + ?5, \
        cost_nano_usd = min(cost_nano_usd, 9223372036854775807 - ?6) + ?6, \
        tokens_in = min(tokens_in, 9223372036854775807 - ?7) + ?7, \
        tokens_out = min(tokens_out, 9223372036854775807 - ?8) + ?8, \
        last_beat_ms = max(coalesce(last_beat_ms, 0), ?9), \
        quality = ?10 \
    WHERE id = ?1";

/// The work of an agent in one transaction.
#[derive(Debug, Default)]
pub(super) struct AgentWork {
    /// Time of its newest segment.
    pub(super) newest_ms: i64,
    pub(super) counts: WorkCounts,
    /// As its last segment left it.
    pub(super) quality: QualityRecord,
}

/// Adds to an agent's totals.
pub(super) fn add_totals(
    tx: &Transaction<'_>,
    id: i64,
    AgentWork { newest_ms, counts, quality }: &AgentWork,
) -> rusqlite::Result<()> {
    let [beats, lost, ok, failed, cost, tokens_in, tokens_out] = counts.columns();
    let quality = quality.to_bytes();
    let mut add = tx.prepare_cached(ADD_TOTALS)?;
    let row = params![id, beats, lost, ok, failed, cost, tokens_in, tokens_out, newest_ms, quality];
    if add.execute(row)? == 0 {
        // Its registration was lost with a file that was set aside; the next start names it.
        let sql = "INSERT INTO agents (id, name, first_seen_ms) VALUES (?1, '', ?2)";
        tx.execute(sql, params![id, newest_ms])?;
        add.execute(row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::open;

    #[test]
    fn totals_saturate() {
        let dir = tempfile::tempdir().unwrap();
        let (mut conn, _) = open::open(&dir.path().join("history.db"), 0).unwrap();
        let tx = conn.transaction().unwrap();
        let counts = WorkCounts { ok: i64::MAX as u64 - 1, failed: 1, ..WorkCounts::default() };
        let work = AgentWork { newest_ms: 1_000, counts, ..AgentWork::default() };
        for _ in 0..3 {
            add_totals(&tx, 7, &work).unwrap();
        }
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (ok, failed, last_beat): (i64, i64, i64) = tx
            .query_row("SELECT ok, failed, last_beat_ms FROM agents WHERE id = 7", [], read)
            .unwrap();
        assert_eq!((ok, failed, last_beat), (i64::MAX, 3, 1_000));
    }
}
