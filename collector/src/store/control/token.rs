//! Tokens: which were made, which are revoked, and the audit of their changes.

use std::path::PathBuf;

use rusqlite::{Transaction, params};

use crate::store::disk;
use crate::store::sql::execute;

/// A change of a scope's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenChange {
    pub kind: TokenChangeKind,
    pub scope: String,
    /// The key epoch.
    pub epoch: u8,
    /// The time, in ms of Unix time.
    pub at_ms: i64,
    /// The operator: `user@host`.
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenChangeKind {
    /// The token was made. If it is made again, the first time counts.
    Made,
    Revoked {
        reason: String,
    },
    Reinstated,
}

/// The reason why a change of tokens is not stored.
#[derive(Debug, thiserror::Error)]
pub enum TokenChangeError {
    #[error("{}", disk::failure_message("store the change of tokens in", path, source))]
    Write { path: PathBuf, source: rusqlite::Error },
    /// The store is closed.
    #[error("the collector is shutting down")]
    Closed,
}

/// Writes the new status of a scope's token, and the change itself.
pub(super) fn write(tx: &Transaction<'_>, change: &TokenChange) -> rusqlite::Result<()> {
    let TokenChange { kind, scope, epoch, at_ms, by } = change;
    let (kind, reason) = match kind {
        TokenChangeKind::Made => {
            let sql = "INSERT INTO tokens (scope, epoch, made_ms, made_by) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT DO UPDATE SET made_by = coalesce(made_by, excluded.made_by), \
                          made_ms = coalesce(made_ms, excluded.made_ms)";
            execute(tx, sql, params![scope, epoch, at_ms, by])?;
            ("made", None)
        }
        TokenChangeKind::Revoked { reason } => {
            let sql = "INSERT INTO tokens (scope, epoch, revoked_ms, revoked_by, revoked_reason) \
                       VALUES (?1, ?2, ?3, ?4, ?5) \
                       ON CONFLICT DO UPDATE SET revoked_ms = excluded.revoked_ms, \
                          revoked_by = excluded.revoked_by, revoked_reason = excluded.revoked_reason";
            execute(tx, sql, params![scope, epoch, at_ms, by, reason])?;
            ("revoked", Some(reason))
        }
        TokenChangeKind::Reinstated => {
            let sql = "UPDATE tokens SET revoked_ms = NULL, revoked_by = NULL, \
                          revoked_reason = NULL WHERE scope = ?1 AND epoch = ?2";
            execute(tx, sql, params![scope, epoch])?;
            ("reinstated", None)
        }
    };
    let sql = "INSERT INTO token_changes (at_ms, kind, scope, epoch, \"by\", reason) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    execute(tx, sql, params![at_ms, kind, scope, epoch, by, reason])?;
    Ok(())
}
