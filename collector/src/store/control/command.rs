//! Commands: desired states and audit, written in one transaction.

use heartline_fleet::{CommandRow, CommandRowTarget};
use heartline_operator::message::CommandOutcome;
use heartline_vocabulary::{CommandTarget, Reason, State};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::WallClockAnchor;
use crate::store::history::RecordedCommand;
use crate::store::sql::{self, execute};

/// Writes a command. If its request id was used before, only returns the outcome of that command.
pub(super) fn write(
    tx: &Transaction<'_>,
    command: &CommandRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<Option<CommandOutcome>> {
    if let Some(before) = outcome(tx, command.request_id)? {
        return Ok(Some(before));
    }
    let CommandRow { action, cause, by, reason, .. } = command;
    let (request_id, at_ms) = (sql::to_bits(command.request_id), anchor.wall_ms(command.at));
    execute(
        tx,
        "INSERT INTO commands (request_id, at_ms, action, cause, \"by\", reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![request_id, at_ms, action.name(), cause.name(), by, reason],
    )?;
    let command_id = tx.last_insert_rowid();
    let mut audit = tx.prepare_cached(
        "INSERT INTO command_targets (command_id, agent_id, generation, state, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    // The generation never falls.
    let mut set_desired = tx.prepare_cached(
        "INSERT INTO desired (agent_id, generation, killed, cause, \"by\", reason, at_ms, request_id, lifts) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (agent_id) DO UPDATE SET generation = excluded.generation, \
            killed = excluded.killed, cause = excluded.cause, \"by\" = excluded.\"by\", \
            reason = excluded.reason, at_ms = excluded.at_ms, request_id = excluded.request_id, \
            lifts = excluded.lifts, \
            delivered_ms = NULL, obeyed_ms = NULL \
         WHERE excluded.generation >= desired.generation",
    )?;
    for CommandRowTarget { id, target, lifts } in &command.targets {
        let (generation, state) = (sql::to_count(target.generation), target.state.name());
        audit.execute(params![command_id, id.0, generation, state, target.changed])?;
        // What changes nothing leaves the command before in place.
        if target.changed {
            let (killed, cause) = (action.kills(), cause.name());
            let lifts = lifts.map(|control| sql::to_bits(control.get()));
            let row =
                params![id.0, generation, killed, cause, by, reason, at_ms, request_id, lifts];
            set_desired.execute(row)?;
        }
    }
    Ok(None)
}

/// Puts commands in force that history has and `control.db` has lost; returns how many.
pub(crate) fn restore_commands(
    conn: &mut Connection,
    commands: &[RecordedCommand],
) -> rusqlite::Result<usize> {
    let tx = conn.transaction()?;
    let mut restored = 0;
    for RecordedCommand { id, action, generation, by, reason, at_ms } in commands {
        restored += execute(
            &tx,
            "INSERT INTO desired (agent_id, generation, killed, cause, \"by\", reason, at_ms, request_id) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0 FROM agents WHERE id = ?1 AND forgotten_ms IS NULL \
             ON CONFLICT (agent_id) DO UPDATE SET generation = excluded.generation, \
                killed = excluded.killed, cause = excluded.cause, \"by\" = excluded.\"by\", \
                reason = excluded.reason, at_ms = excluded.at_ms, request_id = excluded.request_id, \
                delivered_ms = NULL, obeyed_ms = NULL, lifts = NULL \
             WHERE excluded.generation > desired.generation",
            params![id.0, generation, action.kills(), Reason::Operator.name(), by, reason, at_ms],
        )?;
    }
    tx.commit()?;
    Ok(restored)
}

/// Returns the outcome of a command by its request id.
pub(crate) fn outcome(
    conn: &Connection,
    request_id: u64,
) -> rusqlite::Result<Option<CommandOutcome>> {
    let found: Option<(i64, i64)> = conn
        .prepare_cached("SELECT id, at_ms FROM commands WHERE request_id = ?1")?
        .query_row([sql::to_bits(request_id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((command_id, at_ms)) = found else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT agents.name, generation, state, changed FROM command_targets \
         JOIN agents ON agents.id = agent_id WHERE command_id = ?1 ORDER BY agents.name",
    )?;
    let targets = statement.query_map([command_id], |row| {
        Ok(CommandTarget {
            agent: row.get(0)?,
            generation: sql::from_count(row.get(1)?),
            state: sql::read_named(row, 2, State::from_name)?,
            changed: row.get(3)?,
        })
    })?;
    let targets = targets.collect::<rusqlite::Result<_>>()?;
    Ok(Some(CommandOutcome { request_id, at_ms, targets, refused: None }))
}
