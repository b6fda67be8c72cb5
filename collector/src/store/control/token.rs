//! Tokens that were made, and scopes whose keys are refused.

use rusqlite::{Transaction, params};

use crate::store::config::{TokenChange, TokenChangeKind};

/// Writes how a scope stands now, and that it was changed.
pub(super) fn write(tx: &Transaction<'_>, change: &TokenChange) -> rusqlite::Result<()> {
    let TokenChange { kind, scope, epoch, at_ms, by } = change;
    let (kind_name, reason, sql) = match kind {
        TokenChangeKind::Made => (
            "made",
            None,
            "INSERT INTO tokens (scope, epoch, made_ms, made_by) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET made_by = coalesce(made_by, excluded.made_by), \
                made_ms = coalesce(made_ms, excluded.made_ms)",
        ),
        TokenChangeKind::Revoked { reason } => (
            "revoked",
            Some(reason),
            "INSERT INTO tokens (scope, epoch, revoked_ms, revoked_by, revoked_reason) \
             VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO UPDATE SET revoked_ms = excluded.revoked_ms, \
                revoked_by = excluded.revoked_by, revoked_reason = excluded.revoked_reason",
        ),
        TokenChangeKind::Reinstated => (
            "reinstated",
            None,
            "UPDATE tokens SET revoked_ms = NULL, revoked_by = NULL, revoked_reason = NULL \
             WHERE scope = ?1 AND epoch = ?2",
        ),
    };
    let mut statement = tx.prepare_cached(sql)?;
    match kind {
        TokenChangeKind::Made => statement.execute(params![scope, epoch, at_ms, by])?,
        TokenChangeKind::Revoked { reason } => {
            statement.execute(params![scope, epoch, at_ms, by, reason])?
        }
        TokenChangeKind::Reinstated => statement.execute(params![scope, epoch])?,
    };
    tx.prepare_cached(
        "INSERT INTO token_changes (at_ms, kind, scope, epoch, \"by\", reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![at_ms, kind_name, scope, epoch, by, reason])?;
    Ok(())
}
