//! Identities of then.

use std::collections::HashMap;
use std::sync::Arc;

use heartline_vocabulary::{Identity, SharedIdentity};
use rusqlite::{Connection, OptionalExtension as _};

/// Reads identities; each that agents share once.
#[derive(Default)]
pub(super) struct IdentityReader(HashMap<i64, Arc<SharedIdentity>>);

impl IdentityReader {
    /// Returns the identity that an agent had when the event at a cursor was stored.
    pub(super) fn at_cursor(
        &mut self,
        conn: &Connection,
        agent: i64,
        cursor: i64,
    ) -> rusqlite::Result<Identity> {
        let found = conn
            .prepare_cached(
                "SELECT was, value FROM events WHERE agent_id = ?1 AND kind = 11 AND cursor <= ?2 \
                 ORDER BY cursor DESC LIMIT 1",
            )?
            .query_row([agent, cursor], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // Where there is no event any more, nothing has changed since it was removed.
        let found = match found {
            Some(found) => Some(found),
            None => conn
                .prepare_cached(
                    "SELECT pid, identity FROM agents WHERE id = ?1 AND NOT EXISTS \
                     (SELECT 1 FROM events WHERE agent_id = ?1 AND kind = 11)",
                )?
                .query_row([agent], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?,
        };
        let (pid, id) = found.unwrap_or((None, None));
        self.get(conn, pid, id)
    }

    /// Returns an identity by its number.
    pub(super) fn get(
        &mut self,
        conn: &Connection,
        pid: Option<u32>,
        id: Option<i64>,
    ) -> rusqlite::Result<Identity> {
        let Some(id) = id else { return Ok(Identity { pid, ..Identity::default() }) };
        if let Some(shared) = self.0.get(&id) {
            return Ok(Identity { pid, shared: Arc::clone(shared) });
        }
        let body: Option<Vec<u8>> = conn
            .prepare_cached("SELECT body FROM identities WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let shared = body.and_then(|body| rmp_serde::from_slice(&body).ok());
        let shared: Arc<SharedIdentity> = Arc::new(shared.unwrap_or_default());
        self.0.insert(id, Arc::clone(&shared));
        Ok(Identity { pid, shared })
    }
}
