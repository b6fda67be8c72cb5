//! The thread that writes `control.db`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use heartline_fleet::{CommandRow, ControlDbRow, MonoTime};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::buffer::AnchoredRow;
use super::silence::{self, SilenceChange, SilenceError};
use super::token::{self, TokenChange, TokenChangeError};
use super::watch::FileWatch;
use super::{agents, command, prune};
use crate::clock::{self, WallClockAnchor};
use crate::store::checkpoint::{WalBacklog, checkpoint};
use crate::store::copy::DailyCopy;
use crate::store::disk;
use crate::store::event::StoreEvent;
use crate::store::file::CONTROL_FILE;
use crate::store::place::{self, DatabaseFiles, FileFault};
use crate::store::queue::{GroupCommit, WriteQueue};
use crate::store::store::WriterContext;

/// A batch of writes to `control.db`.
pub(crate) enum ControlWrite {
    /// Rows of the fleet.
    Rows(Vec<AnchoredRow>),
    Token(TokenChange, oneshot::Sender<Result<(), TokenChangeError>>),
    /// Replied to with the number of the silence.
    Silence(SilenceChange, oneshot::Sender<Result<i64, SilenceError>>),
    /// Reply when all rows before are on disk, or why they are not.
    Flush(oneshot::Sender<Result<(), String>>),
}

/// How long new agents and profiles wait for a group commit.
const COMMIT_DELAY: Duration = Duration::from_millis(50);
/// Rows of one transaction, about.
const COMMIT_ROWS: usize = 1_000;
/// How often the writer prunes at least, and an idle one checks whether the daily copy is due.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Time without writes after which the WAL is written back: then a kill no longer depends on it.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(100);
/// Pause between two steps of pruning.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// How often the number of history's commits is stored at most.
const NUMBER_INTERVAL: Duration = Duration::from_secs(4);
/// Keys of conditions.
const WAL_REMOVED: &str = "control.db-wal removed";
const BACKLOG: &str = "control.db-wal";

/// The writer of `control.db`.
///
/// The transaction of a command holds every row that was queued before it, so that a command is
/// never on disk without the agents it is for. Other rows are committed in groups.
pub(crate) struct ControlWriter {
    conn: Connection,
    path: PathBuf,
    files: DatabaseFiles,
    queue: Arc<WriteQueue<ControlWrite>>,
    shared: WriterContext,
    /// Rows that no reply depends on, not yet written.
    pending_rows: Vec<AnchoredRow>,
    is_paused: bool,
    daily_copy: DailyCopy,
    file_watch: FileWatch,
    /// Whether the WAL may hold something.
    is_wal_used: bool,
    /// The last number of history's commits that was stored, and when.
    stored_history: (u64, MonoTime),
    backlog: WalBacklog,
}

impl ControlWriter {
    pub(crate) fn new(
        conn: Connection,
        path: PathBuf,
        queue: Arc<WriteQueue<ControlWrite>>,
        shared: WriterContext,
    ) -> Self {
        Self {
            conn,
            files: DatabaseFiles::of(&path),
            path,
            queue,
            shared,
            pending_rows: Vec::new(),
            is_paused: false,
            daily_copy: DailyCopy::default(),
            file_watch: FileWatch::default(),
            is_wal_used: true,
            stored_history: (0, MonoTime::NEVER_YET),
            backlog: WalBacklog::new(),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let (mut pruned_at, mut is_prune_due) = (MonoTime::NEVER_YET, false);
        loop {
            self.shared.pulse.control_turned();
            let drained = self.queue.drain(&GroupCommit {
                idle_timeout: match (is_prune_due, self.is_wal_used) {
                    (true, _) => PRUNE_PAUSE,
                    (false, true) => CHECKPOINT_DELAY,
                    (false, false) => IDLE_TIMEOUT,
                },
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
            let now_ms = self.shared.retention_clock.now_ms(clock::now(), clock::wall_ms());
            self.daily_copy.start_if_due(&self.path, now_ms);
            if is_idle || clock::now().since(pruned_at) >= IDLE_TIMEOUT {
                self.look_at_files(now_ms);
                is_prune_due = self.prune(now_ms);
                pruned_at = clock::now();
            }
            if is_idle && !is_prune_due {
                self.store_history_number();
                self.checkpoint();
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
        if self.files.fault().is_some() {
            // Closing it would remove the WAL of the file that is there now.
            std::mem::forget(self.conn);
        }
    }

    fn write(&mut self, batch: ControlWrite) {
        match batch {
            ControlWrite::Token(change, reply_to) => {
                let written = self.commit(|tx| token::write(tx, &change));
                let written = written.and_then(|()| self.files.check());
                let path = &self.path;
                let reply = written
                    .map_err(|source| TokenChangeError::Write { path: path.clone(), source });
                let _ = reply_to.send(reply);
            }
            ControlWrite::Silence(change, reply_to) => {
                let written = self.commit(|tx| silence::write(tx, &change));
                let written = written.and_then(|id| self.files.check().map(|()| id));
                let path = &self.path;
                let _ = reply_to.send(match (written, change) {
                    (Ok(Some(id)), _) => Ok(id),
                    (Ok(None), SilenceChange::End { id, .. }) => Err(SilenceError::Unknown(id)),
                    (Ok(None), SilenceChange::Begin(_)) => Err(SilenceError::Closed),
                    (Err(source), _) => Err(SilenceError::Write { path: path.clone(), source }),
                });
            }
            ControlWrite::Flush(reply_to) => {
                let written = self.commit(|_| Ok(())).and_then(|()| self.files.check());
                let failure = |error| disk::failure_message("write to", &self.path, &error);
                let _ = reply_to.send(written.map_err(failure));
            }
            ControlWrite::Rows(rows) => {
                for (row, anchor) in rows {
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
        // A command is acknowledged if it is durable under the path of the database.
        let written = written.and_then(|outcome| self.files.check().map(|()| outcome));
        (self.shared.notify)(match written {
            Ok(None) => StoreEvent::Persisted { ticket },
            Ok(Some(outcome)) => StoreEvent::Duplicate { ticket, outcome },
            Err(error) => {
                let why = disk::failure_message("store the command in", &self.path, &error);
                StoreEvent::CommandFailed { ticket, why }
            }
        });
    }

    /// Looks whether the database is still under its path, and tells operators.
    fn look_at_files(&mut self, now_ms: i64) {
        self.restore_wal();
        let fault = self.files.fault();
        if let Some(sentence) = self.file_watch.sentence(fault, &self.conn, &self.path, now_ms) {
            self.tell(CONTROL_FILE, sentence);
        }
        match self.backlog.check(&self.conn, &self.path, clock::now()) {
            Ok(Some(sentence)) => self.tell(BACKLOG, sentence),
            Ok(None) => {}
            Err(error) => disk::abort_if_sync_failed(&error, &self.path),
        }
    }

    /// Moves what was in a WAL that was removed into the database.
    fn restore_wal(&mut self) {
        if self.files.fault() != Some(FileFault::WalRemoved) {
            return;
        }
        match place::reopen_without_wal(&self.conn, &self.path) {
            Ok(conn) => {
                self.conn = conn;
                self.files = DatabaseFiles::of(&self.path);
                let path = self.path.display();
                let sentence = format!(
                    "{path}-wal was removed while heartlined ran; what was in it is in {path}"
                );
                self.tell(WAL_REMOVED, Some(sentence));
            }
            Err(error) => disk::abort_if_sync_failed(&error, &self.path),
        }
    }

    fn tell(&self, about: &'static str, sentence: Option<String>) {
        (self.shared.notify)(StoreEvent::Condition { about, sentence });
    }

    /// Stores how far history has come, every few seconds while it goes on.
    fn store_history_number(&mut self) {
        let (stored, at) = self.stored_history;
        let (number, now) = (self.shared.numbers.history(), clock::now());
        if number != stored && now.since(at) >= NUMBER_INTERVAL && !self.is_paused {
            self.stored_history = (number, now);
            // It is tried again with the next number.
            let _ = self.commit(|_| Ok(()));
        }
    }

    /// Moves what is in the WAL into the database: then a copy of that file alone has everything.
    fn checkpoint(&mut self) {
        if !self.is_wal_used || self.files.fault().is_some() {
            return;
        }
        match checkpoint(&self.conn) {
            Ok(result) => self.is_wal_used = !result.is_empty,
            Err(error) => {
                disk::abort_if_sync_failed(&error, &self.path);
                tracing::debug!(%error, "control.db-wal could not be written back");
            }
        }
    }

    /// Prunes one chunk; returns whether there may be more.
    fn prune(&mut self, now_ms: i64) -> bool {
        if self.is_paused || !self.path.parent().is_none_or(disk::has_room) {
            return false;
        }
        let pruned = prune::step(&mut self.conn, &self.shared.retention, now_ms);
        self.is_wal_used |= !matches!(pruned, Ok(false));
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
        self.restore_wal();
        let numbers = &self.shared.numbers;
        let written = self.files.check().and_then(|()| {
            transact(&mut self.conn, &self.pending_rows, |tx| {
                Ok((write(tx)?, numbers.write_to_control(tx)?))
            })
        });
        let written = written.map(|(result, number)| {
            numbers.control_committed(number);
            self.is_wal_used = true;
            result
        });
        match &written {
            Ok(_) => {
                self.shared.unwritten.fetch_sub(self.pending_rows.len(), Ordering::Relaxed);
                self.pending_rows.clear();
                if std::mem::take(&mut self.is_paused) {
                    (self.shared.notify)(StoreEvent::ControlResumed);
                }
            }
            Err(error) => {
                disk::abort_if_sync_failed(error, &self.path);
                // Operators are told of a file that was moved by itself.
                let is_told = self.files.fault().is_some();
                let has_rows = !self.pending_rows.is_empty();
                if has_rows && !is_told && !std::mem::replace(&mut self.is_paused, true) {
                    let why = disk::failure_message("write new agents to", &self.path, error);
                    (self.shared.notify)(StoreEvent::ControlPaused { why });
                }
            }
        }
        written
    }
}

fn transact<T>(
    conn: &mut Connection,
    rows: &[AnchoredRow],
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
