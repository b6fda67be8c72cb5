//! The thread that writes `history.db`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heartline_config::Retention;
use heartline_fleet::{HistoryDbRow, MonoTime};
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, ffi};

use super::work::Confirmed;
use super::{agents, batch, fold, meta, open, prune};
use crate::clock::{self, WallClockAnchor};
use crate::store::disk::{self, Fault};
use crate::store::file::{self, CONTROL_FILE};
use crate::store::notice::{Notify, StoreEvent};
use crate::store::queue::{GroupCommit, WriteQueue};

/// Rows, labelled by this anchor.
pub(crate) type Parcel = (Vec<HistoryDbRow>, WallClockAnchor);

/// Rows of one transaction, about.
const ROWS: usize = 16_384;
/// How long rows wait for each other when there was a commit just before…
const GROUP: Duration = Duration::from_millis(250);
/// …and when there was none for longer than that.
const GROUP_AFTER_IDLE: Duration = Duration::from_millis(50);
/// *The collector was alive* is written at least this often.
const ALIVE: Duration = Duration::from_secs(4);
/// Between two steps of folding or pruning while there is more to do and no row waits.
const BREATH: Duration = Duration::from_millis(5);
/// A batch that could not be written is tried again this often.
const RETRY: Duration = Duration::from_secs(1);

/// The thread that writes `history.db`.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) queue: Arc<WriteQueue<Parcel>>,
    pub(crate) notify: Notify,
    pub(crate) retention: Retention,
}

/// What is to be done after a commit failed.
enum Next {
    TryAgain,
    Wait,
}

impl Writer {
    /// Writes until the queue is closed and empty. While the disk refuses, the batch is kept and
    /// tried again; what comes meanwhile waits in the queue.
    pub(crate) fn run(mut self) {
        let (mut committed_at, mut more_to_do) = (MonoTime::NEVER_YET, false);
        loop {
            let was_busy = clock::now().since(committed_at) < GROUP;
            let window = GroupCommit {
                idle_timeout: if more_to_do { BREATH } else { ALIVE },
                delay: if was_busy { GROUP } else { GROUP_AFTER_IDLE },
                max_rows: ROWS,
            };
            let taken = self.queue.drain(&window);
            let is_due = clock::now().since(committed_at) >= ALIVE;
            if !taken.batches.is_empty() || is_due || taken.is_last {
                self.store(&taken.batches);
                committed_at = clock::now();
            }
            if taken.is_last {
                break;
            }
            more_to_do = self.tidy();
        }
        self.end();
    }

    /// Writes a batch, however long that takes; gives up only when the store closes meanwhile.
    fn store(&mut self, parcels: &[Parcel]) {
        let mut paused = false;
        loop {
            match self.try_to_store(parcels) {
                Ok(confirmed) => {
                    if paused {
                        (self.notify)(StoreEvent::HistoryResumed);
                    }
                    if let Some(ticket) = confirmed.highest {
                        let known = confirmed.known;
                        (self.notify)(StoreEvent::HistoryStored { ticket, known });
                    }
                    return;
                }
                Err(error) => {
                    if let Next::TryAgain = self.judge(&error, &mut paused) {
                        continue;
                    }
                }
            }
            if self.queue.wait_closed(RETRY) {
                match self.try_to_store(parcels) {
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "the last rows of history are lost"),
                }
                return;
            }
        }
    }

    fn try_to_store(&mut self, parcels: &[Parcel]) -> rusqlite::Result<Confirmed> {
        if !self.has_room() {
            return Err(failure(ffi::SQLITE_FULL));
        }
        self.reopen_if_lost()?;
        let rows = parcels.iter().flat_map(|(rows, anchor)| rows.iter().map(|row| (row, *anchor)));
        batch::commit(&mut self.conn, rows, clock::wall_ms())
    }

    /// What is left of a full disk is for commands.
    fn has_room(&self) -> bool {
        self.path.parent().is_none_or(disk::has_room)
    }

    /// Opens the file again, if setting it aside left none open.
    fn reopen_if_lost(&mut self) -> rusqlite::Result<()> {
        if self.conn.path().is_some_and(|path| !path.is_empty()) {
            return Ok(());
        }
        match open::open(&self.path, clock::wall_ms()) {
            Ok((conn, _)) => {
                self.conn = conn;
                name_from_control(&mut self.conn, &self.path)
            }
            Err(error) => {
                tracing::debug!(%error, "history.db can't be opened again");
                Err(failure(ffi::SQLITE_CANTOPEN))
            }
        }
    }

    fn judge(&mut self, error: &rusqlite::Error, paused: &mut bool) -> Next {
        disk::end_if_unsynced(error, &self.path);
        if disk::fault(error) == Fault::Damaged && self.set_aside(error) {
            return Next::TryAgain;
        }
        if !std::mem::replace(paused, true) {
            let why = disk::sentence("write history to", &self.path, error);
            (self.notify)(StoreEvent::HistoryPaused { why });
        }
        Next::Wait
    }

    /// Begins a new file in place of a damaged one; says whether that could be done.
    fn set_aside(&mut self, damage: &rusqlite::Error) -> bool {
        // The old file is closed before it is renamed: its WAL goes with it.
        let Ok(nothing) = Connection::open_in_memory() else { return false };
        drop(std::mem::replace(&mut self.conn, nothing));
        match open::begin_anew(&self.path, &damage.to_string(), clock::wall_ms()) {
            Ok((conn, why)) => {
                self.conn = conn;
                if let Err(error) = name_from_control(&mut self.conn, &self.path) {
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

    /// Folds and prunes a little; says whether there is more to do.
    fn tidy(&mut self) -> bool {
        if !self.has_room() {
            return false;
        }
        let now_ms = clock::wall_ms();
        let done = fold::step(&mut self.conn, now_ms)
            .and_then(|more| Ok(more | prune::step(&self.conn, &self.retention, now_ms)?));
        done.unwrap_or_else(|error| {
            disk::end_if_unsynced(&error, &self.path);
            tracing::debug!(%error, "history could not be tidied up; the next commit tells why");
            false
        })
    }

    fn end(self) {
        let ended = meta::set_clean(&self.conn, true)
            .and_then(|()| self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = ended {
            tracing::warn!(%error, "history.db was not left in order; the next start checks it");
        }
    }
}

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// Names the agents of a new `history.db`.
fn name_from_control(history: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let control = file::open_reader(&path.with_file_name(CONTROL_FILE))?;
    let mut statement = control.prepare("SELECT id, name, first_seen_ms FROM agents")?;
    let known = statement
        .query_map([], |row| Ok((AgentRowId(row.get(0)?), row.get::<_, String>(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let names = known.iter().map(|(id, name, first_seen_ms)| (*id, &**name, *first_seen_ms));
    agents::name_all(history, names)
}
