//! Identities of then.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use heartline_vocabulary::{Identity, SharedIdentity};
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::history::EventCode;
use crate::store::history::checkpoint::{self, PastFleet};
use crate::store::history::strip::StripEntry;

/// An agent took an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdentityChange {
    pub(super) at_ms: i64,
    /// Its row of `identities`.
    pub(super) identity: Option<i64>,
}

impl IdentityChange {
    /// Returns those among the events of an agent.
    pub(super) fn among(entries: &[StripEntry]) -> Vec<Self> {
        let changes = entries.iter().filter(|entry| entry.kind == EventCode::Identity);
        changes.map(|it| Self { at_ms: it.at_ms, identity: it.identity }).collect()
    }

    /// Reads those of an agent between two moments, neither included, by their cursors, which are in a range.
    pub(super) fn read(
        conn: &Connection,
        agent: i64,
        cursors: &RangeInclusive<i64>,
        times_ms: (i64, i64),
    ) -> rusqlite::Result<Vec<Self>> {
        let sql = "SELECT at_ms, value FROM events WHERE kind = 11 AND agent_id = ?1 \
                   AND cursor BETWEEN ?2 AND ?3 AND at_ms > ?4 AND at_ms < ?5 ORDER BY cursor";
        let mut statement = conn.prepare_cached(sql)?;
        let range = [agent, *cursors.start(), *cursors.end(), times_ms.0, times_ms.1];
        let changes = statement
            .query_map(range, |row| Ok(Self { at_ms: row.get(0)?, identity: row.get(1)? }))?;
        changes.collect()
    }
}

/// Reads identities; each that agents share once, and that of an agent once for as long as it had it.
#[derive(Default)]
pub(super) struct IdentityReader {
    shared: HashMap<i64, Arc<SharedIdentity>>,
    /// By agent: what it was from one cursor until before another.
    of_agents: HashMap<i64, (Range<i64>, Identity)>,
    /// The checkpoint that history begins with, if that was needed.
    first: Option<(i64, PastFleet)>,
}

impl IdentityReader {
    /// Returns the identity that an agent had when the event at a cursor was stored.
    pub(super) fn at_cursor(
        &mut self,
        conn: &Connection,
        agent: i64,
        cursor: i64,
    ) -> rusqlite::Result<Identity> {
        if let Some((range, identity)) = self.of_agents.get(&agent)
            && range.contains(&cursor)
        {
            return Ok(identity.clone());
        }
        type Change = Option<(i64, Option<u32>, Option<i64>)>;
        let change = |sql: &str| -> rusqlite::Result<Change> {
            let mut statement = conn.prepare_cached(sql)?;
            let found = statement
                .query_row([agent, cursor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            found.optional()
        };
        let before = change(
            "SELECT cursor, was, value FROM events WHERE agent_id = ?1 AND kind = 11 \
                AND cursor <= ?2 ORDER BY cursor DESC LIMIT 1",
        )?;
        let next = change(
            "SELECT cursor, was, value FROM events WHERE agent_id = ?1 AND kind = 11 \
                AND cursor > ?2 ORDER BY cursor LIMIT 1",
        )?;
        let (first, pid, id) = match (before, next) {
            (Some(before), _) => before,
            // Where there is no event any more, nothing has changed since it was removed.
            (None, None) => change("SELECT 0, pid, identity FROM agents WHERE id = ?1 AND ?2 > 0")?
                .unwrap_or((0, None, None)),
            (None, Some((next, ..))) => self.first_of(conn, agent, next)?,
        };
        let identity = self.get(conn, pid, id)?;
        let until = next.map_or(i64::MAX, |(next, ..)| next);
        self.of_agents.insert(agent, (first..until, identity.clone()));
        Ok(identity)
    }

    /// Returns what an agent was when history began, where it changed first at the cursor `next`.
    fn first_of(
        &mut self,
        conn: &Connection,
        agent: i64,
        next: i64,
    ) -> rusqlite::Result<(i64, Option<u32>, Option<i64>)> {
        let (first, fleet) = match self.first.take() {
            Some(first) => first,
            None => checkpoint::first_fleet(conn)?,
        };
        // What came before that is what the checkpoint has.
        let known = fleet.get(&agent).filter(|_| next > first);
        let known = known.map_or((0, None, None), |agent| (0, agent.pid, agent.identity));
        self.first = Some((first, fleet));
        Ok(known)
    }

    /// Returns an identity by its number.
    pub(super) fn get(
        &mut self,
        conn: &Connection,
        pid: Option<u32>,
        id: Option<i64>,
    ) -> rusqlite::Result<Identity> {
        let Some(id) = id else { return Ok(Identity { pid, ..Identity::default() }) };
        if let Some(shared) = self.shared.get(&id) {
            return Ok(Identity { pid, shared: Arc::clone(shared) });
        }
        let body: Option<Vec<u8>> = conn
            .prepare_cached("SELECT body FROM identities WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let shared = body.and_then(|body| rmp_serde::from_slice(&body).ok());
        let shared: Arc<SharedIdentity> = Arc::new(shared.unwrap_or_default());
        self.shared.insert(id, Arc::clone(&shared));
        Ok(Identity { pid, shared })
    }
}
