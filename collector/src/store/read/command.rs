//! Commands and tokens.

use heartline_operator::message::{CommandOutcome, TokenInfo};

use super::{ReadError, Reader};
use crate::store::control;

impl Reader {
    /// What became of the command of this number; `None` if it was never given.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn command(&mut self, request_id: u64) -> Result<Option<CommandOutcome>, ReadError> {
        self.control.read("a command", |conn| control::outcome(conn, request_id))
    }

    /// Tokens made and revoked, by scope and epoch.
    ///
    /// # Errors
    /// [`ReadError::Query`]
    pub fn tokens(&mut self) -> Result<Vec<TokenInfo>, ReadError> {
        self.control.read("the tokens", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT scope, epoch, made_ms, made_by, revoked_ms, revoked_reason FROM tokens \
                 ORDER BY scope, epoch",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(TokenInfo {
                    scope: row.get(0)?,
                    epoch: row.get(1)?,
                    made_ms: row.get(2)?,
                    made_by: row.get(3)?,
                    revoked_ms: row.get(4)?,
                    revoked_reason: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }
}
