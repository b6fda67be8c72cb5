//! The rows that `history.db` did not take.
//!
//! While `history.db` can't be written, because another program holds it locked for example, what was
//! judged goes into a small database of the same schema beside it, and from there into `history.db` as
//! soon as that takes it, at the next start at the latest. Work is not spilled: it was not acknowledged,
//! and its agents send it again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use heartline_fleet::{HistoryDbRow, Transition};
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, TransactionBehavior, params};

use super::commit::{CommitContext, commit};
use super::event::{self, EventWriter};
use super::{identity, open};
use crate::clock::{self, AliveMoment, WallClockAnchor};
use crate::store::commit_number::CommitNumbers;
use crate::store::disk;
use crate::store::error::StoreError;
use crate::store::file;
use crate::store::meta;
use crate::store::sql::execute;

/// Suffix to the name of `history.db`.
const SUFFIX: &str = ".pending";
/// Largest file.
const LEN_MAX: u64 = 256 << 20;
/// Key of the table `meta`: which spilled database this is, and which one was merged last.
const SPILL_ID: &str = "spill_id";

/// The database beside `history.db` with what that did not take.
#[derive(Debug)]
pub(crate) struct Spill {
    path: PathBuf,
    conn: Option<Connection>,
}

impl Spill {
    /// The spill of a `history.db`.
    pub(crate) fn beside(history: &Path) -> Self {
        Self { path: file::sibling(history, SUFFIX), conn: None }
    }

    /// Returns whether there is something that `history.db` lacks.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Stores rows, and that the collector was alive.
    ///
    /// # Errors
    /// Those of SQLite; then nothing was stored.
    pub(super) fn add(
        &mut self,
        rows: &[(HistoryDbRow, WallClockAnchor)],
        alive: AliveMoment,
    ) -> rusqlite::Result<()> {
        // The disk may be full: half of what history leaves to `control.db` stays free.
        let has_room = self.path.parent().is_none_or(disk::has_room_for_spill);
        if !has_room || file::len(&self.path) > LEN_MAX {
            return Err(full());
        }
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(create(&self.path).map_err(|_| full())?),
        };
        // Updates need the rows of their agents; history itself has the names.
        let agents: BTreeSet<AgentRowId> = rows.iter().filter_map(|row| agent_of(&row.0)).collect();
        for id in agents {
            let sql = "INSERT OR IGNORE INTO agents (id, name, first_seen_ms) VALUES (?1, '', 0)";
            execute(conn, sql, [id.0])?;
        }
        let context = CommitContext { alive, numbers: &CommitNumbers::default() };
        commit(conn, rows.iter().map(|(row, anchor)| (row, *anchor)), &context).map(|_| ())
    }

    /// Moves everything into `history.db`, and removes the file. Nothing is added twice.
    ///
    /// # Errors
    /// Those of SQLite; then everything stays where it is.
    pub(crate) fn merge_into(&mut self, history: &mut Connection) -> rusqlite::Result<()> {
        if !self.exists() {
            return Ok(());
        }
        self.conn = None;
        let path = self.path.to_str().ok_or_else(full)?;
        let spilled = file::open_reader(&self.path)?;
        history.execute("ATTACH ?1 AS spill", [path])?;
        let merged = merge_attached(history, &spilled);
        history.execute_batch("DETACH spill")?;
        merged?;
        tracing::info!("history.db has what was stored in {} meanwhile", self.path.display());
        if let Err(error) = self.remove() {
            tracing::warn!("can't remove {}, which is merged: {error}", self.path.display());
        }
        Ok(())
    }

    /// Renames a spill that can't be merged, so that it can be examined later.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn set_aside(&mut self) -> io::Result<PathBuf> {
        self.conn = None;
        file::set_aside(&self.path, &file::stamp(clock::wall_ms()))
    }

    /// Returns when the collector was last known to be alive according to the spill alone.
    pub(crate) fn last_alive(&self) -> Option<AliveMoment> {
        let conn = file::open_reader(&self.path).ok()?;
        open::last_alive(&conn).ok()?
    }

    fn remove(&self) -> io::Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            match fs::remove_file(file::sibling(&self.path, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<Connection, StoreError> {
    let (conn, _) = open::open(path, clock::wall_ms())?;
    let failed = |source| StoreError::Sqlite { what: "begin", path: path.into(), source };
    let sql = "INSERT OR IGNORE INTO meta (key, value) SELECT ?1, abs(random() >> 1)";
    execute(&conn, sql, [SPILL_ID]).map_err(failed)?;
    Ok(conn)
}

fn full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// What the rows of a spill do to history, as `agents.rs` does it row by row. Events are appended one
/// by one, with all that follows from them.
const MERGE: &str = "
INSERT INTO main.agents (id, name, first_seen_ms)
    SELECT id, name, first_seen_ms FROM spill.agents WHERE name != ''
    ON CONFLICT (id) DO UPDATE SET name = excluded.name;
UPDATE main.agents SET status = s.status, since_ms = s.since_ms
    FROM spill.agents s WHERE s.id = agents.id AND s.since_ms IS NOT NULL;
UPDATE main.agents SET
        last_beat_ms = CASE WHEN s.last_beat_ms IS NULL THEN agents.last_beat_ms
            ELSE max(coalesce(agents.last_beat_ms, 0), s.last_beat_ms) END,
        starts = max(agents.starts, s.starts),
        disobeyed_generation = max(agents.disobeyed_generation, s.disobeyed_generation),
        forgotten_ms = coalesce(agents.forgotten_ms, s.forgotten_ms)
    FROM spill.agents s WHERE s.id = agents.id;
INSERT INTO main.sessions (agent_id, session, started_ms, starts, last_beat_ms, ended, ended_ms)
    SELECT agent_id, session, started_ms, starts, last_beat_ms, ended, ended_ms
    FROM spill.sessions WHERE true
    ON CONFLICT (agent_id, session) DO UPDATE SET
        starts = max(starts, excluded.starts),
        last_beat_ms = coalesce(max(last_beat_ms, excluded.last_beat_ms), last_beat_ms,
            excluded.last_beat_ms),
        ended = excluded.ended, ended_ms = excluded.ended_ms;
INSERT OR REPLACE INTO main.incidents SELECT * FROM spill.incidents;
INSERT OR IGNORE INTO main.notices SELECT * FROM spill.notices;
INSERT OR IGNORE INTO main.deliveries SELECT * FROM spill.deliveries;
INSERT INTO main.meta (key, value)
    SELECT key, value FROM spill.meta
    WHERE key IN ('alive_at_ms', 'alive_boot_ms', 'boot_id', 'retention_at_ms')
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
";

fn merge_attached(history: &mut Connection, spilled: &Connection) -> rusqlite::Result<()> {
    let tx = history.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let spill_id: i64 =
        tx.query_row("SELECT value FROM spill.meta WHERE key = ?1", [SPILL_ID], |row| row.get(0))?;
    // A crash may have come between this commit and the removal of the file.
    if meta::get(&tx, SPILL_ID)? != Some(spill_id) {
        tx.execute_batch(MERGE)?;
        let mut writer = EventWriter::new(&tx)?;
        event::visit_after(spilled, 0, |_, event| {
            let mut event = event.clone();
            identity::translate(spilled, &tx, &mut event)?;
            writer.append(&event)
        })?;
        execute(
            &tx,
            "INSERT OR REPLACE INTO main.meta (key, value) VALUES (?1, ?2)",
            params![SPILL_ID, spill_id],
        )?;
    }
    tx.commit()
}

fn agent_of(row: &HistoryDbRow) -> Option<AgentRowId> {
    match row {
        HistoryDbRow::Registered { id, .. }
        | HistoryDbRow::Forgotten { id, .. }
        | HistoryDbRow::Session { id, .. }
        | HistoryDbRow::SessionEnded { id, .. }
        | HistoryDbRow::Identity { id, .. }
        | HistoryDbRow::Transition(Transition { id, .. })
        | HistoryDbRow::Commanded { id, .. }
        | HistoryDbRow::Obeyed { id, .. }
        | HistoryDbRow::Disobeyed { id, .. }
        | HistoryDbRow::LastBeat { id, .. } => Some(*id),
        HistoryDbRow::Budget(event) => event.agent,
        HistoryDbRow::Gap { .. }
        | HistoryDbRow::Work(_)
        | HistoryDbRow::Incident(_)
        | HistoryDbRow::Notice(_) => None,
    }
}
