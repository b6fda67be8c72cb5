//! The open store: its queues and its two writer threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use heartline_config::Retention;
use heartline_fleet::{ControlDbRow, HistoryDbRow};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::control::{self, ControlWrite, ControlWriter, TokenChange, TokenChangeError};
use super::disk::{self, SqliteFault};
use super::error::StoreError;
use super::event::StoreEventSink;
use super::file::{CONTROL_FILE, HISTORY_FILE};
use super::history::{self, HistoryBatch, HistoryWriter};
use super::queue::{FlushMode, WriteQueue};
use super::restore::{self, ControlDbState, HistoryDbState, RestoredState};
use crate::clock::{self, WallClockAnchor};
use crate::priority::{ThreadRole, lower_priority};

/// Number of queued history rows above which details are shed.
const DETAIL_ROWS_MAX: usize = 262_144;

#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Where the databases are. The directory exists, and belongs to this process alone
    /// ([`super::DataDirLock`]).
    pub data_dir: PathBuf,
    pub retention: Retention,
}

/// The open store. Queued rows are written before it is dropped.
pub struct Store {
    control: Arc<WriteQueue<ControlWrite>>,
    history: Arc<WriteQueue<HistoryBatch>>,
    threads: Vec<JoinHandle<()>>,
    shed_rows: AtomicU64,
}

impl Store {
    /// Opens or creates both databases and starts their writers. `anchor` turns stored times into
    /// those of the monotonic clock.
    ///
    /// # Errors [`StoreError`], with the exit code of a collector that ends for it.
    pub fn open(
        config: &StoreConfig,
        anchor: WallClockAnchor,
        notify: StoreEventSink,
    ) -> Result<(Self, RestoredState), StoreError> {
        let control_path = config.data_dir.join(CONTROL_FILE);
        let history_path = config.data_dir.join(HISTORY_FILE);
        let mut control_conn = control::open(&control_path)?;
        let (history_conn, restored) =
            restore_state(&mut control_conn, &control_path, &history_path, anchor)?;
        let mut store = Self {
            control: Arc::new(WriteQueue::new()),
            history: Arc::new(WriteQueue::new()),
            threads: Vec::new(),
            shed_rows: AtomicU64::new(0),
        };
        let writer = ControlWriter::new(
            control_conn,
            control_path.clone(),
            Arc::clone(&store.control),
            Arc::clone(&notify),
            config.retention,
        );
        store.spawn("control-writer", control_path, ThreadRole::Operators, move || writer.run())?;
        let writer = HistoryWriter {
            conn: history_conn,
            path: history_path.clone(),
            queue: Arc::clone(&store.history),
            notify,
            retention: config.retention,
        };
        store.spawn("history-writer", history_path, ThreadRole::History, move || writer.run())?;
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
            self.history.push((rows, anchor), count, FlushMode::Grouped);
        }
    }

    /// Queues rows for `control.db`, in order. Never blocks. A command is written at once, with all
    /// rows before it.
    pub fn persist(&self, rows: Vec<ControlDbRow>, anchor: WallClockAnchor) {
        if rows.is_empty() {
            return;
        }
        let is_command = |row: &ControlDbRow| matches!(row, ControlDbRow::Command(_));
        let flush =
            if rows.iter().any(is_command) { FlushMode::Immediate } else { FlushMode::Grouped };
        let count = rows.len();
        self.control.push(ControlWrite::Rows(rows, anchor), count, flush);
    }

    /// Returns a handle for writes that are not the fleet's.
    pub fn handle(&self) -> StoreHandle {
        StoreHandle { control: Arc::clone(&self.control) }
    }

    /// Returns the number of rows that were shed because the disk did not keep up.
    pub fn shed_rows(&self) -> u64 {
        self.shed_rows.load(Ordering::Relaxed)
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
        self.control.close();
        self.history.close();
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(name, "a writer thread panicked");
            }
        }
        self.control.clear();
    }
}

/// Writes to `control.db` what does not come from the fleet. Cheap to clone; after the store is
/// closed every write is refused.
#[derive(Clone)]
pub struct StoreHandle {
    control: Arc<WriteQueue<ControlWrite>>,
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
}

fn is_detail(row: &HistoryDbRow) -> bool {
    matches!(
        row,
        HistoryDbRow::Obeyed { .. }
            | HistoryDbRow::Disobeyed { .. }
            | HistoryDbRow::LastBeat { .. }
    )
}

/// Reads both databases, and brings each up to date with the agents of the other.
fn restore_state(
    control_conn: &mut Connection,
    control_path: &Path,
    history_path: &Path,
    anchor: WallClockAnchor,
) -> Result<(Connection, RestoredState), StoreError> {
    let failed = |source| StoreError::Sqlite { what: "read", path: control_path.into(), source };
    let mut control = ControlDbState::read(control_conn).map_err(failed)?;
    let (mut history_conn, history, banner) = open_history(history_path)?;

    let forgotten = history.forgotten_in_history(&control);
    if !forgotten.is_empty() {
        control::forget_agents(control_conn, &forgotten).map_err(failed)?;
        control = ControlDbState::read(control_conn).map_err(failed)?;
    }
    let missing = history.missing_in_control(&control);
    if !missing.is_empty() {
        control::insert_agents(control_conn, &missing).map_err(failed)?;
        control = ControlDbState::read(control_conn).map_err(failed)?;
    }
    history::merge_agents(&mut history_conn, history.missing_in_history(&control)).map_err(
        |source| StoreError::Sqlite {
            what: "write the agents' names to",
            path: history_path.into(),
            source,
        },
    )?;
    let revocations = restore::read_revocations(control_conn).map_err(failed)?;
    // The writers don't need the pages that were read for this.
    for conn in [&*control_conn, &history_conn] {
        conn.execute_batch("PRAGMA shrink_memory").map_err(failed)?;
    }
    let restored = RestoredState {
        control: control.control,
        next_id: restore::next_id(&control, &history),
        agents: restore::merge(control, &history, anchor),
        last_alive: history.alive_at_ms.map(|at_ms| anchor.mono(at_ms)),
        revocations,
        banners: Vec::from_iter(banner),
    };
    Ok((history_conn, restored))
}

/// Opens and reads `history.db`; one with damage is replaced, with a sentence for a banner.
fn open_history(path: &Path) -> Result<(Connection, HistoryDbState, Option<String>), StoreError> {
    let now_ms = clock::wall_ms();
    let (conn, banner) = history::open(path, now_ms)?;
    match HistoryDbState::read(&conn) {
        Ok(state) => Ok((conn, state, banner)),
        Err(source) if is_damage(&source) => {
            drop(conn);
            let (conn, banner) = history::open_replacement(path, &source.to_string(), now_ms)?;
            Ok((conn, HistoryDbState::default(), Some(banner)))
        }
        Err(source) => Err(StoreError::Sqlite { what: "read", path: path.into(), source }),
    }
}

/// Returns whether pages can't be read, or hold values that the store never writes.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(error, rusqlite::Error::SqliteFailure(..))
        || disk::classify(error) == SqliteFault::Corrupt
}
