//! The rows of `history.db` that a start needs, each table in one pass.

use heartline_fleet::QualityRecord;
use heartline_vocabulary::{AgentRowId, AgentStatus, SessionEnd, WorkTotals};
use rusqlite::Connection;

use crate::store::history::{AgentRecord, StatusCode};
use crate::store::sql;

/// The agents and sessions of `history.db`, by ascending id.
#[derive(Debug, Default)]
pub(crate) struct HistoryDbState {
    pub(super) agents: Vec<HistoryAgentRow>,
    pub(super) sessions: Vec<SessionRow>,
}

/// The default is an agent of which history knows nothing.
#[derive(Debug)]
pub(super) struct HistoryAgentRow {
    pub(super) agent: AgentRecord,
    pub(super) status: AgentStatus,
    pub(super) since_ms: Option<i64>,
    pub(super) last_beat_ms: Option<i64>,
    pub(super) starts: u32,
    pub(super) disobeyed_generation: u64,
    pub(super) totals: WorkTotals,
    pub(super) has_identity: bool,
    pub(super) quality: QualityRecord,
}

#[derive(Debug)]
pub(super) struct SessionRow {
    pub(super) agent_id: AgentRowId,
    pub(super) session: u64,
    pub(super) started_ms: i64,
    pub(super) starts: u32,
    pub(super) applied_segment: u64,
    pub(super) ended: Option<SessionEnd>,
}

impl Default for HistoryAgentRow {
    fn default() -> Self {
        Self {
            agent: AgentRecord::default(),
            status: AgentStatus::UNKNOWN,
            since_ms: None,
            last_beat_ms: None,
            starts: 0,
            disobeyed_generation: 0,
            totals: WorkTotals::default(),
            has_identity: false,
            quality: QualityRecord::default(),
        }
    }
}

impl HistoryDbState {
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { agents: read_agents(conn)?, sessions: read_sessions(conn)? })
    }
}

fn read_agents(conn: &Connection) -> rusqlite::Result<Vec<HistoryAgentRow>> {
    let sql = format!(
        "SELECT {}, status, since_ms, last_beat_ms, starts, disobeyed_generation, ok, failed, \
            cost_nano_usd, tokens_in, tokens_out, identity IS NOT NULL, quality FROM agents ORDER BY id",
        AgentRecord::COLUMNS
    );
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let StatusCode(status) = row.get(4)?;
        let count = |column| row.get(column).map(sql::from_count);
        Ok(HistoryAgentRow {
            agent: AgentRecord::read(row)?,
            status,
            since_ms: row.get(5)?,
            last_beat_ms: row.get(6)?,
            starts: row.get(7)?,
            disobeyed_generation: count(8)?,
            totals: WorkTotals {
                ok: count(9)?,
                failed: count(10)?,
                cost_nano_usd: count(11)?,
                tokens_in: count(12)?,
                tokens_out: count(13)?,
            },
            has_identity: row.get(14)?,
            quality: QualityRecord::from_bytes(row.get_ref(15)?.as_blob()?),
        })
    })?;
    rows.collect()
}

fn read_sessions(conn: &Connection) -> rusqlite::Result<Vec<SessionRow>> {
    let mut statement = conn.prepare(
        "SELECT agent_id, session, started_ms, starts, applied_segment, ended FROM sessions \
         ORDER BY agent_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(SessionRow {
            agent_id: AgentRowId(row.get(0)?),
            session: sql::from_bits(row.get(1)?),
            started_ms: row.get(2)?,
            starts: row.get(3)?,
            applied_segment: sql::from_count(row.get(4)?),
            ended: sql::read_named_or_null(row, 5, SessionEnd::from_name)?,
        })
    })?;
    rows.collect()
}
