//! The open store: what it takes in, and its two threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use heartline_fleet::{ControlDbRow, HistoryDbRow};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::config::{Restored, StoreConfig, TokenChange, TokenChangeError};
use super::control::{self, ControlWrite, ControlWriter};
use super::disk::{self, Fault};
use super::error::StoreError;
use super::file::{CONTROL_FILE, HISTORY_FILE};
use super::history;
use super::notice::Notify;
use super::queue::{Flush, WriteQueue};
use super::restore::{self, Past, Roster};
use crate::clock::{self, WallClockAnchor};
use crate::priority::{ThreadRole, lower_priority};

/// With more rows waiting than this, details are shed.
const DETAIL_ROWS: usize = 262_144;

/// The open store. Closed when dropped: what waits is written first.
pub struct Store {
    control: Arc<WriteQueue<ControlWrite>>,
    history: Arc<WriteQueue<history::Parcel>>,
    threads: Vec<JoinHandle<()>>,
    shed: AtomicU64,
}

impl Store {
    /// Opens both databases, or makes them, and starts their writers. `anchor` labels what is
    /// restored; `notify` is called from the writers' threads.
    ///
    /// # Errors
    /// [`StoreError`]; its [`StoreError::exit_code`] tells what was refused from what failed.
    pub fn open(
        config: &StoreConfig,
        anchor: WallClockAnchor,
        notify: Notify,
    ) -> Result<(Self, Restored), StoreError> {
        let control_path = config.data_dir.join(CONTROL_FILE);
        let history_path = config.data_dir.join(HISTORY_FILE);
        let mut control_conn = control::open(&control_path)?;
        let (history_conn, restored) =
            restore_all(&mut control_conn, &control_path, &history_path, anchor)?;

        let (control, history) = (Arc::new(WriteQueue::new()), Arc::new(WriteQueue::new()));
        let mut store = Self {
            control: Arc::clone(&control),
            history: Arc::clone(&history),
            threads: Vec::new(),
            shed: AtomicU64::new(0),
        };
        let (path, to_driver) = (control_path.clone(), Arc::clone(&notify));
        let writer = ControlWriter::new(control_conn, path, control, to_driver);
        store.start("control-writer", control_path, ThreadRole::Operators, move || writer.run())?;
        let writer = history::Writer {
            conn: history_conn,
            path: history_path.clone(),
            queue: history,
            notify,
            retention: config.retention,
        };
        store.start("history-writer", history_path, ThreadRole::History, move || writer.run())?;
        Ok((store, restored))
    }

    fn start(
        &mut self,
        name: &str,
        path: PathBuf,
        role: ThreadRole,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let work = move || {
            lower_priority(role);
            work();
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(|source| StoreError::Thread { path, source })?);
        Ok(())
    }

    /// Hands over rows for `history.db`, in order; best a driver's whole turn at once. Never blocks.
    ///
    /// Work rows are bounded by the core (65,536 under way). Past 262,144 rows waiting, rows that
    /// nothing depends on (when a kill was obeyed, or not; last beats) are shed and counted;
    /// transitions, sessions, commands and gaps never are.
    pub fn record(&self, mut rows: Vec<HistoryDbRow>, anchor: WallClockAnchor) {
        if self.history.rows() > DETAIL_ROWS {
            let before = rows.len();
            rows.retain(|row| !is_detail(row));
            self.shed.fetch_add((before - rows.len()) as u64, Ordering::Relaxed);
        }
        if !rows.is_empty() {
            let count = rows.len();
            self.history.push((rows, anchor), count, Flush::Grouped);
        }
    }

    /// Hands over rows for `control.db`, in order. Never blocks. A command is written at once,
    /// together with all that was handed over before it.
    pub fn persist(&self, rows: Vec<ControlDbRow>, anchor: WallClockAnchor) {
        if rows.is_empty() {
            return;
        }
        let is_command = |row: &ControlDbRow| matches!(row, ControlDbRow::Command(_));
        let flush = if rows.iter().any(is_command) { Flush::Immediate } else { Flush::Grouped };
        let count = rows.len();
        self.control.push(ControlWrite::Rows(rows, anchor), count, flush);
    }

    /// Returns a handle for writes that are not the fleet's.
    #[must_use]
    pub fn handle(&self) -> StoreHandle {
        StoreHandle { control: Arc::clone(&self.control) }
    }

    /// Rows that were shed since the store was opened, because the disk did not keep up.
    #[must_use]
    pub fn shed_rows(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Whether both writers are at work. When one is not, nothing can be confirmed any more.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Writes all that waits, and ends both writers. A disk that refuses is tried once more, not
    /// waited for.
    pub fn close(self) {
        drop(self);
    }
}

/// Writes to `control.db` what does not come from the fleet. Cheap to clone; after the store is closed
/// every write is refused.
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
        self.control.push(ControlWrite::Token(change, reply_to), 1, Flush::Immediate);
        reply.await.unwrap_or(Err(TokenChangeError::Closed))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.control.close();
        self.history.close();
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(name, "a writer's thread panicked");
            }
        }
        self.control.clear();
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

/// Reads both databases and brings each up to date with the agents of the other.
fn restore_all(
    control: &mut Connection,
    control_path: &Path,
    history_path: &Path,
    anchor: WallClockAnchor,
) -> Result<(Connection, Restored), StoreError> {
    let reading = |source| StoreError::Sqlite { what: "read", path: control_path.into(), source };
    let mut roster = Roster::read(control).map_err(reading)?;
    let revocations = restore::revocations(control).map_err(reading)?;
    let Opened { mut conn, past, last_alive_ms, banners } = open_history(history_path)?;

    let forgotten = past.forgotten(&roster);
    if !forgotten.is_empty() {
        control::forget(control, &forgotten).map_err(reading)?;
        roster = Roster::read(control).map_err(reading)?;
    }
    let strangers = past.strangers(&roster);
    if !strangers.is_empty() {
        control::adopt(control, &strangers).map_err(reading)?;
        roster = Roster::read(control).map_err(reading)?;
    }
    history::name_all(&mut conn, past.unnamed(&roster)).map_err(|source| StoreError::Sqlite {
        what: "write the agents' names to",
        path: history_path.into(),
        source,
    })?;
    // What was read once to restore it is not what the writers will need.
    for conn in [&*control, &conn] {
        conn.execute_batch("PRAGMA shrink_memory").map_err(reading)?;
    }
    let restored = Restored {
        next_id: restore::next_id(&roster, &past),
        agents: restore::merge(roster, &past, anchor),
        last_alive: last_alive_ms.map(|at| anchor.mono(at)),
        revocations,
        banners,
    };
    Ok((conn, restored))
}

/// `history.db` and what was in it.
struct Opened {
    conn: Connection,
    past: Past,
    last_alive_ms: Option<i64>,
    banners: Vec<String>,
}

fn open_history(path: &Path) -> Result<Opened, StoreError> {
    let now_ms = clock::wall_ms();
    let (conn, banner) = history::open(path, now_ms)?;
    let mut banners = Vec::from_iter(banner);
    match read_history(&conn) {
        Ok((past, last_alive_ms)) => Ok(Opened { conn, past, last_alive_ms, banners }),
        Err(source) if is_damage(&source) => {
            drop(conn);
            let (conn, banner) = history::begin_anew(path, &source.to_string(), now_ms)?;
            banners.push(banner);
            Ok(Opened { conn, past: Past::default(), last_alive_ms: None, banners })
        }
        Err(source) => Err(StoreError::Sqlite { what: "read", path: path.into(), source }),
    }
}

fn read_history(conn: &Connection) -> rusqlite::Result<(Past, Option<i64>)> {
    Ok((Past::read(conn)?, history::alive_at(conn)?))
}

/// Pages that SQLite can't read, or values that nothing of ours has written.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(error, rusqlite::Error::SqliteFailure(..)) || disk::fault(error) == Fault::Damaged
}
