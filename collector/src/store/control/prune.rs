//! Removal of audit rows and forgotten agents that are older than their retention.

use heartline_config::Retention;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::prune::{CHUNK_ROWS, oldest_kept_ms, prune_forgotten};
use crate::store::sql::execute;

const DELETE_DESIRED: &str = "DELETE FROM desired WHERE agent_id = ?1";

/// Removes one chunk of old rows; returns whether there may be more. Desired states and tokens are
/// never old.
pub(super) fn step(
    conn: &mut Connection,
    retention: &Retention,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let audit_ms = oldest_kept_ms(now_ms, retention.events);
    Ok(prune_oldest_command(conn, audit_ms)? > 0
        || prune_token_changes(conn, audit_ms)? > 0
        || prune_silences(conn, audit_ms)? > 0
        || prune_forgotten(conn, DELETE_DESIRED, retention, now_ms)?)
}

/// Removes targets of the oldest command, or the command once it has none.
fn prune_oldest_command(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let oldest: Option<(i64, i64)> = conn
        .prepare_cached("SELECT id, at_ms FROM commands ORDER BY id LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, at_ms)) = oldest else { return Ok(0) };
    if at_ms >= before_ms {
        return Ok(0);
    }
    let targets = execute(
        conn,
        "DELETE FROM command_targets WHERE (command_id, agent_id) IN \
         (SELECT command_id, agent_id FROM command_targets WHERE command_id = ?1 LIMIT ?2)",
        params![id, CHUNK_ROWS],
    )?;
    if targets > 0 {
        Ok(targets)
    } else {
        execute(conn, "DELETE FROM commands WHERE id = ?1", [id])
    }
}

fn prune_silences(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM silences WHERE id IN \
               (SELECT id FROM silences WHERE until_ms < ?1 ORDER BY until_ms LIMIT ?2)";
    execute(conn, sql, params![before_ms, CHUNK_ROWS])
}

fn prune_token_changes(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    execute(
        conn,
        "DELETE FROM token_changes WHERE id IN (SELECT id FROM \
         (SELECT id, at_ms FROM token_changes ORDER BY id LIMIT ?2) WHERE at_ms < ?1)",
        params![before_ms, CHUNK_ROWS],
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::control::open;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn the_audit_is_removed_after_its_retention_and_what_is_in_force_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut conn = open(&dir.path().join("control.db")).unwrap();
        // On each of ten days a command to 1,200 agents, a token change and a forgotten agent.
        conn.execute_batch(
            "PRAGMA synchronous = OFF;
             CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS \
                (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1200) SELECT i FROM n;
             INSERT INTO commands (id, request_id, at_ms, action, cause, \"by\", reason) \
                SELECT i, i, i * 86400000, 'kill', 'operator', 'me', '' FROM n WHERE i <= 10;
             INSERT INTO command_targets SELECT c.id, n.i, 1, 'healthy', 1 FROM commands c, n;
             INSERT INTO token_changes (at_ms, kind, scope, epoch, \"by\") \
                SELECT i * 86400000, 'made', '', 1, 'me' FROM n WHERE i <= 10;
             INSERT INTO agents (id, name, first_seen_ms, interval_ms, forgotten_ms) \
                SELECT i, 'a' || i, 0, 1, iif(i <= 10, i * 86400000, NULL) FROM n WHERE i <= 20;
             INSERT INTO desired SELECT i, 1, 1, 'operator', 'me', '', 0, i, NULL, NULL, NULL FROM n;
             INSERT INTO tokens (scope, epoch, revoked_ms) VALUES ('', 1, 0)",
        )
        .unwrap();
        let day = |days: u64| Duration::from_secs(days * 86_400);
        let retention = Retention { minutes: day(2), hours: day(2), days: day(2), events: day(35) };
        let now_ms = 40 * DAY_MS;
        while step(&mut conn, &retention, now_ms).unwrap() {}
        let count = |table: &str| -> i64 {
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        let audit = ["commands", "command_targets", "token_changes"].map(count);
        assert_eq!(audit, [6, 6 * 1_200, 6]);
        let in_force = ["agents", "desired", "tokens"].map(count);
        assert_eq!(in_force, [16, 1_196, 1], "agents 1 to 4 were forgotten 36 days ago or earlier");
    }
}
