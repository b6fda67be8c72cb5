//! The open store: its queues and its two writer threads.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use heartline_config::Retention;
use heartline_fleet::{ControlDbRow, HistoryDbRow};
use tokio::sync::oneshot;

use super::commit_number::CommitNumbers;
use super::control::{
    AnchoredRow, ControlWrite, ControlWriter, RowBuffer, SilenceChange, SilenceError, TokenChange,
    TokenChangeError,
};
use super::error::StoreError;
use super::event::{OutboxEventSink, StoreEventSink, StoreSinks};
use super::file::{CONTROL_FILE, HISTORY_FILE};
use super::history::{DeliveryRow, HistoryBatch, HistoryWriter, NewNote, NoteError};
use super::pulse::WriterPulse;
use super::queue::{FlushMode, WriteQueue};
use super::restore::RestoredState;
use super::startup::{self, OpenDatabases};
use crate::clock::{self, RetentionClock, WallClockAnchor};
use crate::priority::{ThreadRole, lower_priority};

/// Number of rows beside commands that the writer of `control.db` has at once: fewer than one of its
/// transactions takes, so that a command is in the next one.
const UNWRITTEN_ROWS_MAX: usize = 900;
/// Number of queued history rows above which details are shed.
const DETAIL_ROWS_MAX: usize = 262_144;

#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Where the databases are. The directory exists, and belongs to this process alone
    /// ([`super::DataDirLock`]).
    pub data_dir: PathBuf,
    pub retention: Retention,
}

/// What both writers have in common.
#[derive(Clone)]
pub(super) struct WriterContext {
    pub(super) notify: StoreEventSink,
    pub(super) release: OutboxEventSink,
    pub(super) numbers: Arc<CommitNumbers>,
    pub(super) retention: Retention,
    pub(super) retention_clock: RetentionClock,
    /// Rows beside commands that the writer of `control.db` was given and has not written.
    pub(super) unwritten: Arc<AtomicUsize>,
    pub(super) pulse: Arc<WriterPulse>,
}

/// Rows that wait for the writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueuedRows {
    pub history: usize,
    pub control: usize,
}

impl QueuedRows {
    /// Number of rows of history above which details are shed.
    pub const HISTORY_MAX: usize = DETAIL_ROWS_MAX;
}

/// The open store. Queued rows are written before it is dropped.
pub struct Store {
    control: Arc<WriteQueue<ControlWrite>>,
    /// Rows that wait until the writer has written those in its queue.
    control_buffer: RefCell<RowBuffer>,
    unwritten: Arc<AtomicUsize>,
    history: Arc<WriteQueue<HistoryBatch>>,
    threads: Vec<JoinHandle<()>>,
    shed_rows: AtomicU64,
    pulse: Arc<WriterPulse>,
}

impl Store {
    /// Opens or creates both databases and starts their writers. `anchor` turns stored times into
    /// those of the monotonic clock.
    ///
    /// # Errors [`StoreError`], with the exit code of a collector that ends for it.
    pub fn open(
        config: &StoreConfig,
        anchor: WallClockAnchor,
        StoreSinks { notify, release }: StoreSinks,
    ) -> Result<(Self, RestoredState), StoreError> {
        let control_path = config.data_dir.join(CONTROL_FILE);
        let history_path = config.data_dir.join(HISTORY_FILE);
        let opened = startup::open(&config.data_dir, anchor)?;
        let OpenDatabases { control, history, spill, numbers, last_alive, restored, .. } = opened;
        let mut store = Self {
            control: Arc::new(WriteQueue::new()),
            control_buffer: RefCell::default(),
            unwritten: Arc::default(),
            history: Arc::new(WriteQueue::new()),
            threads: Vec::new(),
            shed_rows: AtomicU64::new(0),
            pulse: Arc::default(),
        };
        let boot_id = clock::boot_id();
        let retention_clock =
            RetentionClock::new(last_alive, boot_id, clock::now(), clock::wall_ms());
        let shared = WriterContext {
            notify,
            release,
            numbers: Arc::new(numbers),
            retention: config.retention,
            retention_clock,
            unwritten: Arc::clone(&store.unwritten),
            pulse: Arc::clone(&store.pulse),
        };
        let writer = ControlWriter::new(
            control,
            control_path.clone(),
            Arc::clone(&store.control),
            shared.clone(),
        );
        store.spawn("control-writer", control_path, ThreadRole::Operators, move || writer.run())?;
        let writer = HistoryWriter::new(
            (history, spill),
            history_path.clone(),
            Arc::clone(&store.history),
            shared,
        );
        store.spawn("history-writer", history_path, ThreadRole::History, move || writer.run())?;
        let at = clock::now();
        let identities = opened.missing_identities.into_iter();
        let rows = identities.map(|(id, identity)| HistoryDbRow::Identity { id, at, identity });
        store.record(rows.collect(), anchor);
        Ok((store, restored))
    }

    fn spawn(
        &mut self,
        name: &str,
        path: PathBuf,
        role: ThreadRole,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let run = move || {
            lower_priority(role);
            run();
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(|source| StoreError::Thread { path, source })?);
        Ok(())
    }

    /// Queues rows for `history.db`, in order. Never blocks.
    ///
    /// The core bounds work rows in flight. Above 262,144 queued rows, those that nothing depends
    /// on (whether a kill was obeyed, last beats) are shed and counted; transitions, sessions,
    /// commands and gaps never are.
    pub fn record(&self, mut rows: Vec<HistoryDbRow>, anchor: WallClockAnchor) {
        if self.history.rows() > DETAIL_ROWS_MAX {
            let before = rows.len();
            rows.retain(|row| !is_detail(row));
            self.shed_rows.fetch_add((before - rows.len()) as u64, Ordering::Relaxed);
        }
        if !rows.is_empty() {
            let count = rows.len();
            let is_urgent = rows.iter().any(|row| matches!(row, HistoryDbRow::Notice(_)));
            let flush = if is_urgent { FlushMode::Immediate } else { FlushMode::Grouped };
            self.history.push(HistoryBatch::Rows((rows, anchor)), count, flush);
        }
    }

    /// Has every row that was queued before committed without delay, then replies. Never blocks.
    pub fn flush_history(&self, reply_to: oneshot::Sender<()>) {
        self.history.push(HistoryBatch::Flush(reply_to), 0, FlushMode::Immediate);
    }

    /// Has every row for `control.db` that an operator waits for committed without delay, then
    /// replies. Never blocks.
    pub fn flush_control(&self, reply_to: oneshot::Sender<Result<(), String>>) {
        self.control.push(ControlWrite::Flush(reply_to), 0, FlushMode::Immediate);
    }

    /// Queues rows for `control.db`. Never blocks.
    ///
    /// A command is written at once, with the rows of its agents that wait. Of other rows few are
    /// queued, so that a command waits for one transaction at most; the latest of each kind and agent
    /// waits for the next call, which may be without rows.
    pub fn persist(&self, rows: Vec<ControlDbRow>, anchor: WallClockAnchor) {
        let mut buffer = self.control_buffer.borrow_mut();
        let urgent: Vec<AnchoredRow> =
            rows.into_iter().flat_map(|row| buffer.insert(row, anchor)).collect();
        self.push_control(urgent);
        let room = UNWRITTEN_ROWS_MAX.saturating_sub(self.unwritten.load(Ordering::Relaxed));
        if room > 0 && !buffer.is_empty() {
            self.push_control(buffer.take(room));
        }
    }

    fn push_control(&self, rows: Vec<AnchoredRow>) {
        if rows.is_empty() {
            return;
        }
        let is_command = |(row, _): &&AnchoredRow| matches!(row, ControlDbRow::Command(_));
        let (count, commands) = (rows.len(), rows.iter().filter(is_command).count());
        self.unwritten.fetch_add(count - commands, Ordering::Relaxed);
        let flush = if commands > 0 { FlushMode::Immediate } else { FlushMode::Grouped };
        self.control.push(ControlWrite::Rows(rows), count, flush);
    }

    /// Returns the number of rows that the writer of `control.db` has and has not written.
    #[cfg(test)]
    pub(super) fn unwritten_rows(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Returns a handle for writes that are not the fleet's.
    pub fn handle(&self) -> StoreHandle {
        StoreHandle { control: Arc::clone(&self.control), history: Arc::clone(&self.history) }
    }

    /// Returns the number of rows that were shed because the disk did not keep up.
    pub fn shed_rows(&self) -> u64 {
        self.shed_rows.load(Ordering::Relaxed)
    }

    /// Returns how many rows wait.
    pub fn queued_rows(&self) -> QueuedRows {
        let control = self.control.rows() + self.control_buffer.borrow().len();
        QueuedRows { history: self.history.rows(), control }
    }

    /// Returns what the writers show of themselves.
    pub fn pulse(&self) -> &WriterPulse {
        &self.pulse
    }

    /// Returns whether both writers run. Without one of them nothing can be confirmed.
    pub fn is_alive(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Writes all queued rows and ends both writers. A disk that refuses is tried once more, not
    /// waited for.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.push_control(self.control_buffer.borrow_mut().take(usize::MAX));
        self.control.close();
        self.history.close();
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(name, "a writer thread panicked");
            }
        }
        self.control.clear();
        self.history.clear();
    }
}

/// Writes what does not come from the fleet. Cheap to clone; after the store is
/// closed every write is refused.
#[derive(Clone)]
pub struct StoreHandle {
    control: Arc<WriteQueue<ControlWrite>>,
    history: Arc<WriteQueue<HistoryBatch>>,
}

impl StoreHandle {
    /// Stores a change of tokens and returns once it is on disk. A future that is dropped meanwhile
    /// does not undo the change.
    ///
    /// # Errors
    /// [`TokenChangeError::Write`] when the database refuses it; [`TokenChangeError::Closed`].
    pub async fn change_token(&self, change: TokenChange) -> Result<(), TokenChangeError> {
        let (reply_to, reply) = oneshot::channel();
        self.control.push(ControlWrite::Token(change, reply_to), 1, FlushMode::Immediate);
        reply.await.unwrap_or(Err(TokenChangeError::Closed))
    }

    /// Stores a change of silences; returns its number once it is on disk.
    ///
    /// # Errors [`SilenceError`]
    pub async fn change_silence(&self, change: SilenceChange) -> Result<i64, SilenceError> {
        let (reply_to, reply) = oneshot::channel();
        self.control.push(ControlWrite::Silence(change, reply_to), 1, FlushMode::Immediate);
        reply.await.unwrap_or(Err(SilenceError::Closed))
    }

    /// Stores how far notices have come; returns whether that is on disk within `patience`.
    pub fn note_deliveries(&self, rows: Vec<DeliveryRow>, patience: Duration) -> bool {
        let (stored, is_stored) = mpsc::sync_channel(1);
        self.history.push(HistoryBatch::Deliveries((rows, stored)), 1, FlushMode::Immediate);
        is_stored.recv_timeout(patience).is_ok()
    }

    /// Stores a note and returns once it is on disk. A future that is dropped before the note is written
    /// withdraws it.
    ///
    /// # Errors [`NoteError`]
    pub async fn add_note(&self, note: NewNote) -> Result<(), NoteError> {
        let (reply_to, reply) = oneshot::channel();
        self.history.push(HistoryBatch::Note((note, reply_to)), 1, FlushMode::Immediate);
        reply.await.unwrap_or(Err(NoteError::Closed))
    }
}

fn is_detail(row: &HistoryDbRow) -> bool {
    matches!(
        row,
        HistoryDbRow::Obeyed { .. }
            | HistoryDbRow::Disobeyed { .. }
            | HistoryDbRow::LastBeat { .. }
    )
}
