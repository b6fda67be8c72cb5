//! The thread that writes `control.db`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heartline_config::Retention;
use heartline_fleet::{CommandRow, ControlDbRow, MonoTime};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::token::{self, TokenChange, TokenChangeError};
use super::{agents, command, prune};
use crate::clock::{self, WallClockAnchor};
use crate::store::copy::DailyCopy;
use crate::store::disk;
use crate::store::event::{StoreEvent, StoreEventSink};
use crate::store::queue::{GroupCommit, WriteQueue};

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
/// How often the writer prunes at least, and an idle one checks whether the daily copy is due.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause between two steps of pruning.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// The writer of `control.db`.
///
/// The transaction of a command holds every row that was queued before it, so that a command is
/// never on disk without the agents it is for. Other rows are committed in groups.
pub(crate) struct ControlWriter {
    conn: Connection,
    path: PathBuf,
    queue: Arc<WriteQueue<ControlWrite>>,
    notify: StoreEventSink,
    /// Rows that no reply depends on, not yet written.
    pending_rows: Vec<(ControlDbRow, WallClockAnchor)>,
    is_paused: bool,
    daily_copy: DailyCopy,
    retention: Retention,
}

impl ControlWriter {
    pub(crate) fn new(
        conn: Connection,
        path: PathBuf,
        queue: Arc<WriteQueue<ControlWrite>>,
        notify: StoreEventSink,
        retention: Retention,
    ) -> Self {
        Self {
            conn,
            path,
            queue,
            notify,
            pending_rows: Vec::new(),
            is_paused: false,
            daily_copy: DailyCopy::default(),
            retention,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let (mut pruned_at, mut is_prune_due) = (MonoTime::NEVER_YET, false);
        loop {
            let drained = self.queue.drain(&GroupCommit {
                idle_timeout: if is_prune_due { PRUNE_PAUSE } else { IDLE_TIMEOUT },
                delay: COMMIT_DELAY,
                max_rows: COMMIT_ROWS,
            });
            let is_idle = drained.batches.is_empty();
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
            if is_idle || clock::now().since(pruned_at) >= IDLE_TIMEOUT {
                is_prune_due = self.prune();
                pruned_at = clock::now();
            }
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
                let why = disk::failure_message("store the command in", &self.path, &error);
                StoreEvent::CommandFailed { ticket, why }
            }
        });
    }

    /// Prunes one chunk; returns whether there may be more.
    fn prune(&mut self) -> bool {
        if self.is_paused || !self.path.parent().is_none_or(disk::has_room) {
            return false;
        }
        let pruned = prune::step(&mut self.conn, &self.retention, clock::wall_ms());
        pruned.unwrap_or_else(|error| {
            disk::abort_if_sync_failed(&error, &self.path);
            tracing::debug!(%error, "control.db could not be pruned");
            false
        })
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
                disk::abort_if_sync_failed(error, &self.path);
                if !self.pending_rows.is_empty() && !std::mem::replace(&mut self.is_paused, true) {
                    let why = disk::failure_message("write new agents to", &self.path, error);
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
