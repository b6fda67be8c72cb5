//! The thread that writes `control.db`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::{CommandRow, ControlDbRow};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{agents, command, token};
use crate::clock::{self, WallClockAnchor};
use crate::store::config::{TokenChange, TokenChangeError};
use crate::store::notice::{Notify, StoreEvent};
use crate::store::queue::{GroupCommit, WriteQueue};
use crate::store::{copy, disk, file};

/// A batch of writes to `control.db`.
pub(crate) enum ControlWrite {
    /// Rows of the fleet, with the anchor that turns their times into wall-clock time.
    Rows(Vec<ControlDbRow>, WallClockAnchor),
    Token(TokenChange, oneshot::Sender<Result<(), TokenChangeError>>),
}

/// How long new agents and profiles wait for a group commit.
const COMMIT_DELAY: Duration = Duration::from_millis(50);
/// Rows of one transaction, about.
const COMMIT_ROWS: usize = 1_000;
/// How often an idle writer looks for rows to write again, and for a new day.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The writer of `control.db`.
///
/// The transaction of a command holds every row that was queued before it, so that a command is never
/// on disk without the agents it is for. Rows that no command follows are committed in groups.
pub(crate) struct ControlWriter {
    conn: Connection,
    path: PathBuf,
    queue: Arc<WriteQueue<ControlWrite>>,
    notify: Notify,
    /// Rows that no reply depends on, not yet written.
    pending_rows: Vec<(ControlDbRow, WallClockAnchor)>,
    is_paused: bool,
    daily_copy: DailyCopy,
}

impl ControlWriter {
    pub(crate) fn new(
        conn: Connection,
        path: PathBuf,
        queue: Arc<WriteQueue<ControlWrite>>,
        notify: Notify,
    ) -> Self {
        let (pending_rows, daily_copy) = (Vec::new(), DailyCopy::default());
        Self { conn, path, queue, notify, pending_rows, is_paused: false, daily_copy }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let group =
            GroupCommit { idle_timeout: IDLE_TIMEOUT, delay: COMMIT_DELAY, max_rows: COMMIT_ROWS };
        loop {
            let drained = self.queue.drain(&group);
            for batch in drained.batches {
                self.write(batch);
            }
            if !self.pending_rows.is_empty() {
                // A failure is reported by `commit`, and the rows are written again.
                let _ = self.commit(|_| Ok(()));
            }
            if drained.is_last {
                break;
            }
            self.daily_copy.start_if_due(&self.path, clock::wall_ms());
            if self.is_paused {
                self.queue.wait_closed(COMMIT_DELAY);
            }
        }
        if !self.pending_rows.is_empty() {
            let rows = self.pending_rows.len();
            tracing::error!(rows, "new agents and profiles could not be stored");
        }
        self.daily_copy.join();
    }

    fn write(&mut self, batch: ControlWrite) {
        match batch {
            ControlWrite::Token(change, reply_to) => {
                let written = self.commit(|tx| token::write(tx, &change));
                let path = &self.path;
                let reply = written
                    .map_err(|source| TokenChangeError::Write { path: path.clone(), source });
                let _ = reply_to.send(reply);
            }
            ControlWrite::Rows(rows, anchor) => {
                for row in rows {
                    match row {
                        ControlDbRow::Command(command) => self.write_command(&command, anchor),
                        row => self.pending_rows.push((row, anchor)),
                    }
                }
            }
        }
    }

    fn write_command(&mut self, command: &CommandRow, anchor: WallClockAnchor) {
        let ticket = command.ticket;
        let written = self.commit(|tx| command::write(tx, command, anchor));
        (self.notify)(match written {
            Ok(None) => StoreEvent::Persisted { ticket },
            Ok(Some(outcome)) => StoreEvent::Duplicate { ticket, outcome },
            Err(error) => {
                let why = disk::sentence("store the command in", &self.path, &error);
                StoreEvent::CommandFailed { ticket, why }
            }
        });
    }

    /// Commits the pending rows, and in the same transaction whatever `write` adds.
    fn commit<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let written = transact(&mut self.conn, &self.pending_rows, write);
        match &written {
            Ok(_) => {
                self.pending_rows.clear();
                if std::mem::take(&mut self.is_paused) {
                    (self.notify)(StoreEvent::ControlResumed);
                }
            }
            Err(error) => {
                disk::end_if_unsynced(error, &self.path);
                if !self.pending_rows.is_empty() && !std::mem::replace(&mut self.is_paused, true) {
                    let why = disk::sentence("write new agents to", &self.path, error);
                    (self.notify)(StoreEvent::ControlPaused { why });
                }
            }
        }
        written
    }
}

fn transact<T>(
    conn: &mut Connection,
    rows: &[(ControlDbRow, WallClockAnchor)],
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (row, anchor) in rows {
        agents::write(&tx, row, *anchor)?;
    }
    let result = write(&tx)?;
    tx.commit()?;
    Ok(result)
}

/// Makes the daily copy of the database on a thread of its own, so that no command waits for it.
#[derive(Default)]
struct DailyCopy {
    /// The day of the last attempt, `YYYYMMDD`.
    day: String,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl DailyCopy {
    fn start_if_due(&mut self, database: &Path, now_ms: i64) {
        let today = file::stamp(now_ms)[..8].to_owned();
        if today == self.day {
            return;
        }
        self.join();
        let copy = copy::daily_path(database, &today);
        self.day = today;
        if copy.exists() {
            return;
        }
        let database = database.to_owned();
        let make = move || {
            if let Err(error) = copy::make(&database, &copy) {
                tracing::warn!(%error, "the daily copy failed; the next one is due tomorrow");
            }
        };
        match std::thread::Builder::new().name("control-copy".into()).spawn(make) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "can't start the thread of the daily copy"),
        }
    }

    fn join(&mut self) {
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            tracing::error!("the thread of the daily copy panicked");
        }
    }
}
