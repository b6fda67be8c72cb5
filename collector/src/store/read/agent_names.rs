//! Names of agents, and since when they are known.

use heartline_operator::message::{AGENT_NAMES_MAX, AgentNamesQuery};
use heartline_vocabulary::AgentRowId;
use rusqlite::{OptionalExtension as _, params};

use super::{ReadError, StoreReader};

impl StoreReader {
    /// Returns when an agent was first seen; `None` if it is not known.
    ///
    /// # Errors [`ReadError`]
    pub fn first_seen_ms(&mut self, id: AgentRowId) -> Result<Option<i64>, ReadError> {
        self.history.read("an agent", |conn| {
            let sql = "SELECT first_seen_ms FROM agents WHERE id = ?1";
            conn.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()
        })
    }

    /// Returns one page of the names of agents that were known in a range of time, in the order of their bytes,
    /// and whether others follow.
    ///
    /// # Errors [`ReadError`]
    pub fn agent_names(
        &mut self,
        query: &AgentNamesQuery,
    ) -> Result<(Vec<String>, bool), ReadError> {
        let limit = query.limit.clamp(1, AGENT_NAMES_MAX) as usize;
        self.history.read("names of agents", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT DISTINCT name FROM agents WHERE name > ?1 AND first_seen_ms < ?3 \
                    AND (forgotten_ms IS NULL OR forgotten_ms >= ?2) ORDER BY name LIMIT ?4",
            )?;
            let AgentNamesQuery { after, since_ms, until_ms, .. } = query;
            // One more shows that there are others.
            let parameters = params![after, since_ms, until_ms, limit as i64 + 1];
            let rows = statement.query_map(parameters, |row| row.get(0))?;
            let mut names: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
            let has_more = names.len() > limit;
            names.truncate(limit);
            Ok((names, has_more))
        })
    }
}
