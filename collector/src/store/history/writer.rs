//! The thread that writes `history.db`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heartline_config::Retention;
use heartline_fleet::{HistoryDbRow, MonoTime};
use rusqlite::{Connection, ffi};

use super::agents::{self, AgentRecord};
use super::commit::{CommittedWork, commit};
use super::{fold, open, prune};
use crate::clock::{self, WallClockAnchor};
use crate::store::disk::{self, SqliteFault};
use crate::store::event::{StoreEvent, StoreEventSink};
use crate::store::file::{self, CONTROL_FILE};
use crate::store::queue::{GroupCommit, WriteQueue};

/// Rows, with the anchor that turns their times into wall-clock time.
pub(crate) type HistoryBatch = (Vec<HistoryDbRow>, WallClockAnchor);

/// Rows of one transaction, about.
const COMMIT_ROWS: usize = 16_384;
/// How long rows wait for a group commit soon after another one…
const COMMIT_DELAY: Duration = Duration::from_millis(250);
/// …and when there was none for longer than that.
const COMMIT_DELAY_AFTER_IDLE: Duration = Duration::from_millis(50);
/// Longest time between two commits, each of which stores when the collector was alive.
const ALIVE_INTERVAL: Duration = Duration::from_secs(4);
/// Pause between two steps of folding and pruning.
const MAINTENANCE_PAUSE: Duration = Duration::from_millis(5);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The writer of `history.db`, which also folds and prunes it.
pub(crate) struct HistoryWriter {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) queue: Arc<WriteQueue<HistoryBatch>>,
    pub(crate) notify: StoreEventSink,
    pub(crate) retention: Retention,
}

impl HistoryWriter {
    /// Writes until the queue is closed and empty. A group that the disk refuses is kept and tried
    /// again; what comes meanwhile stays queued.
    pub(crate) fn run(mut self) {
        let (mut committed_at, mut is_maintenance_due) = (MonoTime::NEVER_YET, false);
        loop {
            let was_busy = clock::now().since(committed_at) < COMMIT_DELAY;
            let drained = self.queue.drain(&GroupCommit {
                idle_timeout: if is_maintenance_due { MAINTENANCE_PAUSE } else { ALIVE_INTERVAL },
                delay: if was_busy { COMMIT_DELAY } else { COMMIT_DELAY_AFTER_IDLE },
                max_rows: COMMIT_ROWS,
            });
            let is_due = clock::now().since(committed_at) >= ALIVE_INTERVAL;
            if !drained.batches.is_empty() || is_due || drained.is_last {
                self.write(&drained.batches);
                committed_at = clock::now();
            }
            if drained.is_last {
                break;
            }
            is_maintenance_due = self.maintain();
        }
        self.close();
    }

    /// Writes a group, however long that takes; gives up only when the queue is closed meanwhile.
    fn write(&mut self, batches: &[HistoryBatch]) {
        let mut is_paused = false;
        loop {
            match self.try_write(batches) {
                Ok(CommittedWork { highest, duplicates }) => {
                    if is_paused {
                        (self.notify)(StoreEvent::HistoryResumed);
                    }
                    if let Some(ticket) = highest {
                        (self.notify)(StoreEvent::HistoryStored { ticket, known: duplicates });
                    }
                    return;
                }
                Err(error) => {
                    disk::abort_if_sync_failed(&error, &self.path);
                    if disk::classify(&error) == SqliteFault::Corrupt && self.replace(&error) {
                        continue;
                    }
                    if !std::mem::replace(&mut is_paused, true) {
                        let why = disk::failure_message("write history to", &self.path, &error);
                        (self.notify)(StoreEvent::HistoryPaused { why });
                    }
                }
            }
            if self.queue.wait_closed(RETRY_INTERVAL) {
                if let Err(error) = self.try_write(batches) {
                    tracing::error!(%error, "the last rows of history are lost");
                }
                return;
            }
        }
    }

    fn try_write(&mut self, batches: &[HistoryBatch]) -> rusqlite::Result<CommittedWork> {
        if !self.has_room() {
            return Err(failure(ffi::SQLITE_FULL));
        }
        self.reopen_if_closed()?;
        let rows = batches.iter().flat_map(|(rows, anchor)| rows.iter().map(|row| (row, *anchor)));
        commit(&mut self.conn, rows, clock::wall_ms())
    }

    /// Returns whether the disk has more free space than the reserve of `control.db`.
    fn has_room(&self) -> bool {
        self.path.parent().is_none_or(disk::has_room)
    }

    /// Opens the file again where [`Self::replace`] left none open.
    fn reopen_if_closed(&mut self) -> rusqlite::Result<()> {
        if self.conn.path().is_some_and(|path| !path.is_empty()) {
            return Ok(());
        }
        match open::open(&self.path, clock::wall_ms()) {
            Ok((conn, _)) => {
                self.conn = conn;
                merge_from_control(&mut self.conn, &self.path)
            }
            Err(error) => {
                tracing::debug!(%error, "history.db can't be opened again");
                Err(failure(ffi::SQLITE_CANTOPEN))
            }
        }
    }

    /// Replaces a damaged file by an empty one; returns whether that could be done.
    fn replace(&mut self, damage: &rusqlite::Error) -> bool {
        // The old file is closed before it is renamed: its WAL goes with it.
        let Ok(nothing) = Connection::open_in_memory() else { return false };
        drop(std::mem::replace(&mut self.conn, nothing));
        match open::open_replacement(&self.path, &damage.to_string(), clock::wall_ms()) {
            Ok((conn, why)) => {
                self.conn = conn;
                if let Err(error) = merge_from_control(&mut self.conn, &self.path) {
                    tracing::warn!(%error, "agents have no names in the new history.db until the next start");
                }
                (self.notify)(StoreEvent::HistorySetAside { why });
                true
            }
            Err(error) => {
                tracing::error!(%error, "history.db is damaged and can't be set aside");
                false
            }
        }
    }

    /// Folds and prunes one chunk; returns whether there may be more.
    fn maintain(&mut self) -> bool {
        if !self.has_room() {
            return false;
        }
        let now_ms = clock::wall_ms();
        let done = fold::step(&mut self.conn, now_ms)
            .and_then(|more| Ok(more | prune::step(&mut self.conn, &self.retention, now_ms)?));
        done.unwrap_or_else(|error| {
            disk::abort_if_sync_failed(&error, &self.path);
            tracing::debug!(%error, "history could not be folded and pruned");
            false
        })
    }

    fn close(self) {
        let closed = open::set_clean(&self.conn, true)
            .and_then(|_| self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = closed {
            tracing::warn!(%error, "history.db was not left in order; the next start checks it");
        }
    }
}

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// Inserts the agents of `control.db` into a new `history.db`.
fn merge_from_control(history: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let control = file::open_reader(&path.with_file_name(CONTROL_FILE))?;
    let sql = format!("SELECT {} FROM agents", AgentRecord::COLUMNS);
    let mut statement = control.prepare(&sql)?;
    let records = statement.query_map([], AgentRecord::read)?;
    agents::merge_agents(history, records.collect::<rusqlite::Result<Vec<_>>>()?.iter())
}
