//! Read-only access to both databases, beside their writers.

mod agent_history;
mod agent_names;
mod alert;
mod baseline;
mod event;
mod fleet_history;
mod gap;
mod history_plan;
mod history_range;
mod identity;
mod latency_band;
mod members;
mod outage;
mod outage_as_of;
mod past;
mod pool;
mod range;
mod spent;
mod state_sum;
mod state_time;
mod timeline;
mod work;
mod work_sum;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use heartline_operator::message::{CommandOutcome, SessionSummary, TokenInfo};
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, ErrorCode, params};

use super::file::{self, CONTROL_FILE, HISTORY_FILE};
use super::place::DatabaseFiles;
use super::{control, sql};

pub use history_range::{HistoryReading, HistoryRefusal};
pub use past::PastReading;
use pool::QueryLimit;
pub use pool::{ReaderPool, ReaderPoolConfig};

/// Instructions of SQLite's virtual machine between two checks of a limit: some 20 µs.
const LIMIT_CHECK_INTERVAL: i32 = 1_000;

/// Read-only connections to both databases, for one thread. A query sees what was committed before
/// it began, and delays no writer.
pub struct StoreReader {
    /// `None` for an incident file.
    control: Option<DatabaseReader>,
    history: DatabaseReader,
}

/// The reason why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("can't open {} for reading: {source}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("can't read {what} from {}: {source}", path.display())]
    Query { what: &'static str, path: PathBuf, source: rusqlite::Error },
    /// The query ran until its deadline.
    #[error(
        "reading {what} took more than {} s and was interrupted; narrow the range",
        timeout.as_secs_f32()
    )]
    TimedOut { what: &'static str, timeout: Duration },
    /// The query was still queued at its deadline.
    #[error("other queries kept the database busy for {} s; try again", timeout.as_secs_f32())]
    Busy { timeout: Duration },
    /// The caller dropped the future of the query.
    #[error("reading {what} was cancelled")]
    Cancelled { what: &'static str },
    #[error("can't start a thread that reads the databases: {0}; raise the limit on processes")]
    Thread(io::Error),
    #[error("an incident file has no commands and no tokens")]
    NoControl,
    /// The readers have ended, as they do with the collector.
    #[error("the collector is shutting down")]
    Closed,
}

impl StoreReader {
    /// Opens both databases of a data directory, which [`super::Store::open`] has made.
    ///
    /// # Errors
    /// [`ReadError::Open`]
    pub fn open(data_dir: &Path) -> Result<Self, ReadError> {
        Ok(Self {
            control: Some(DatabaseReader::open(data_dir.join(CONTROL_FILE))?),
            history: DatabaseReader::open(data_dir.join(HISTORY_FILE))?,
        })
    }

    /// Creates one of a history that is open, and not written any more.
    pub(super) fn of_history(path: PathBuf, conn: Connection) -> Self {
        Self { control: None, history: DatabaseReader { path, conn, files: None, limit: None } }
    }

    fn control(&mut self) -> Result<&mut DatabaseReader, ReadError> {
        self.control.as_mut().ok_or(ReadError::NoControl)
    }

    /// Runs queries that are interrupted at a limit.
    fn read_within<T>(
        &mut self,
        limit: &QueryLimit,
        query: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        if limit.is_past_deadline() {
            return Err(ReadError::Busy { timeout: limit.timeout });
        }
        for database in self.databases() {
            database.limit = Some(limit.clone());
        }
        let result = query(self);
        for database in self.databases() {
            database.limit = None;
        }
        result
    }

    fn databases(&mut self) -> impl Iterator<Item = &mut DatabaseReader> {
        self.control.iter_mut().chain([&mut self.history])
    }

    /// Returns the outcome of a command by its request id; `None` if there was none.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn command(&mut self, request_id: u64) -> Result<Option<CommandOutcome>, ReadError> {
        self.control()?.read("a command", |conn| control::outcome(conn, request_id))
    }

    /// Returns the tokens that were made or revoked, by scope and epoch.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn tokens(&mut self) -> Result<Vec<TokenInfo>, ReadError> {
        self.control()?.read("the tokens", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT scope, epoch, made_ms, made_by, revoked_ms, revoked_reason FROM tokens \
                 ORDER BY scope, epoch",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(TokenInfo {
                    scope: row.get(0)?,
                    epoch: row.get(1)?,
                    made_ms: row.get(2)?,
                    made_by: row.get(3)?,
                    revoked_ms: row.get(4)?,
                    revoked_reason: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Returns an agent's sessions, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn sessions(
        &mut self,
        id: AgentRowId,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ReadError> {
        self.history.read("an agent's sessions", |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT session, started_ms, last_beat_ms, applied_segment, ended FROM sessions \
                 WHERE agent_id = ?1 ORDER BY starts DESC, started_ms DESC LIMIT ?2",
            )?;
            let rows = statement.query_map(params![id.0, limit], |row| {
                Ok(SessionSummary {
                    session: sql::from_bits(row.get(0)?),
                    started_ms: row.get(1)?,
                    last_beat_ms: row.get(2)?,
                    applied_segment: sql::from_count(row.get(3)?),
                    ended: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }
}

/// A read-only connection to one database.
struct DatabaseReader {
    path: PathBuf,
    conn: Connection,
    /// A damaged or removed history is replaced while the collector runs; `None`: nobody writes it.
    files: Option<DatabaseFiles>,
    /// The limit of the queries that run.
    limit: Option<QueryLimit>,
}

impl DatabaseReader {
    fn open(path: PathBuf) -> Result<Self, ReadError> {
        let files = Some(DatabaseFiles::of(&path));
        match file::open_reader(&path) {
            Ok(conn) => Ok(Self { path, conn, files, limit: None }),
            Err(source) => Err(ReadError::Open { path, source }),
        }
    }

    /// Runs a query in one read transaction. `what` names its result in errors.
    fn read<T>(
        &mut self,
        what: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        if self.files.as_ref().and_then(DatabaseFiles::fault).is_some() {
            let limit = self.limit.take();
            *self = Self { limit, ..Self::open(self.path.clone())? };
        }
        let result = self.install_limit().and_then(|()| {
            let tx = self.conn.transaction()?;
            query(&tx)
        });
        result.map_err(|source| match &self.limit {
            Some(limit) if source.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                limit.error(what)
            }
            _ => ReadError::Query { what, path: self.path.clone(), source },
        })
    }

    fn install_limit(&mut self) -> rusqlite::Result<()> {
        let limit = self.limit.clone();
        let handler = limit.map(|limit| move || limit.is_exceeded());
        self.conn.progress_handler(LIMIT_CHECK_INTERVAL, handler)
    }
}
