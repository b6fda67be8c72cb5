//! What `history.db` says of agents, each table in one pass.

use heartline_vocabulary::{AgentRowId, AgentStatus, Reason, SessionEnd, State, WorkTotals};
use rusqlite::Connection;

use super::OfAgent;
use crate::store::column;

#[derive(Debug)]
pub(super) struct PastAgent {
    pub(super) id: AgentRowId,
    pub(super) name: Box<str>,
    pub(super) first_seen_ms: i64,
    pub(super) forgotten_ms: Option<i64>,
    pub(super) status: AgentStatus,
    pub(super) since_ms: Option<i64>,
    pub(super) last_beat_ms: Option<i64>,
    pub(super) starts: u32,
    pub(super) disobeyed_generation: u64,
    pub(super) totals: WorkTotals,
}

#[derive(Debug)]
pub(super) struct PastSession {
    agent: AgentRowId,
    pub(super) session: u64,
    pub(super) started_ms: i64,
    pub(super) starts: u32,
    pub(super) applied_segment: u64,
    pub(super) ended: Option<SessionEnd>,
}

impl PastAgent {
    /// An agent of which history knows nothing.
    pub(super) fn unheard() -> Self {
        Self {
            id: AgentRowId(0),
            name: Box::default(),
            first_seen_ms: 0,
            forgotten_ms: None,
            status: AgentStatus::UNKNOWN,
            since_ms: None,
            last_beat_ms: None,
            starts: 0,
            disobeyed_generation: 0,
            totals: WorkTotals::default(),
        }
    }
}

impl OfAgent for PastAgent {
    fn agent(&self) -> AgentRowId {
        self.id
    }
}

impl OfAgent for PastSession {
    fn agent(&self) -> AgentRowId {
        self.agent
    }
}

pub(super) fn agents(conn: &Connection) -> rusqlite::Result<Vec<PastAgent>> {
    let mut statement = conn.prepare(
        "SELECT id, name, first_seen_ms, forgotten_ms, state, reason, since_ms, \
            last_beat_ms, starts, disobeyed_generation, ok, failed, cost_nano_usd, tokens_in, \
            tokens_out \
         FROM agents ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let state = column::named(row, 4, State::from_name)?;
        let reason = column::named_if_any(row, 5, Reason::from_name)?;
        let count = |column| row.get(column).map(column::from_count);
        Ok(PastAgent {
            id: AgentRowId(row.get(0)?),
            name: row.get(1)?,
            first_seen_ms: row.get(2)?,
            forgotten_ms: row.get(3)?,
            status: AgentStatus { state, reason },
            since_ms: row.get(6)?,
            last_beat_ms: row.get(7)?,
            starts: row.get(8)?,
            disobeyed_generation: count(9)?,
            totals: WorkTotals {
                ok: count(10)?,
                failed: count(11)?,
                cost_nano_usd: count(12)?,
                tokens_in: count(13)?,
                tokens_out: count(14)?,
            },
        })
    })?;
    rows.collect()
}

pub(super) fn sessions(conn: &Connection) -> rusqlite::Result<Vec<PastSession>> {
    let mut statement = conn.prepare(
        "SELECT agent_id, session, started_ms, starts, applied_segment, ended FROM sessions \
         ORDER BY agent_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(PastSession {
            agent: AgentRowId(row.get(0)?),
            session: column::from_bits(row.get(1)?),
            started_ms: row.get(2)?,
            starts: row.get(3)?,
            applied_segment: column::from_count(row.get(4)?),
            ended: column::named_if_any(row, 5, SessionEnd::from_name)?,
        })
    })?;
    rows.collect()
}
