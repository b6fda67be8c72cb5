//! The fleet as it was at a moment.

use std::collections::BTreeMap;

use heartline_operator::message::{PastAgent, PastFleet, PastWork, RecentWork};
use heartline_operator::text::natural_order;
use heartline_vocabulary::{AgentRowId, AgentStatus};
use rusqlite::Connection;

use super::identity::IdentityReader;
use super::{ReadError, StoreReader, gap, work};
use crate::store::history::{StatusCode, checkpoint};

/// The fleet at a moment, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum PastReading {
    Fleet(PastFleet),
    /// Nothing is known so early: the first record is of this time; `None`: there is none.
    BeforeFirst(Option<i64>),
}

impl StoreReader {
    /// Returns every agent that was known at a moment, as it was then. Work takes longer than all the rest.
    ///
    /// # Errors [`ReadError`]
    pub fn past(&mut self, at_ms: i64, with_work: bool) -> Result<PastReading, ReadError> {
        self.history.read("the fleet at a moment", |conn| read(conn, at_ms, with_work))
    }
}

fn read(conn: &Connection, at_ms: i64, with_work: bool) -> rusqlite::Result<PastReading> {
    let first_ms = checkpoint::first_record_ms(conn)?;
    if first_ms.is_none_or(|first_ms| at_ms < first_ms) {
        return Ok(PastReading::BeforeFirst(first_ms));
    }
    let fleet = checkpoint::fleet_at(conn, at_ms)?;
    let (mut work, idle, of) = match with_work {
        true => {
            let (work, of) = work::until(conn, at_ms)?;
            (work, RecentWork { window_ms: 3_600_000, ..RecentWork::default() }, of)
        }
        false => (BTreeMap::new(), RecentWork::default(), PastWork::NotRead),
    };
    let names = names(conn)?;
    let mut identities = IdentityReader::default();
    let agents = fleet.into_iter().map(|(id, agent)| {
        let status = StatusCode::from_code(agent.status).map_or(AgentStatus::UNKNOWN, |it| it.0);
        Ok(PastAgent {
            id: AgentRowId(id),
            agent: names.get(&id).cloned().unwrap_or_default(),
            identity: identities.get(conn, agent.pid, agent.identity)?,
            status,
            since_ms: agent.since_ms,
            starts: agent.starts,
            work: work.remove(&AgentRowId(id)).unwrap_or_else(|| idle.clone()),
        })
    });
    let mut agents: Vec<PastAgent> = agents.collect::<rusqlite::Result<_>>()?;
    agents.sort_unstable_by(|one, other| natural_order(&one.agent, &other.agent));
    Ok(PastReading::Fleet(PastFleet { at_ms, gap: gap::at(conn, at_ms)?, work: of, agents }))
}

fn names(conn: &Connection) -> rusqlite::Result<BTreeMap<i64, String>> {
    let mut statement = conn.prepare_cached("SELECT id, name FROM agents")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
