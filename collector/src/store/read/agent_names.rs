//! Pages of names of agents.

use heartline_operator::message::{AGENT_NAMES_MAX, AgentNamesQuery};
use rusqlite::params;

use super::{ReadError, StoreReader};

impl StoreReader {
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
