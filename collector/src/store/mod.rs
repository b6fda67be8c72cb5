//! What the collector remembers: two SQLite files, each with one writer thread (`design.md`,
//! section 7).
//!
//! - `control.db`: the roster, desired states, audit, tokens. Must never be wrong: when it can't be
//!   trusted, the collector does not start.
//! - `history.db`: events, sessions, work. When it can't be trusted it is set aside, a new one is
//!   begun, and monitoring goes on.
//!
//! Nothing here blocks who hands rows in: they wait in memory, and a [`StoreEvent`] tells what
//! became durable.

mod config;
mod notice;

use std::path::PathBuf;

use heartline_fleet::{AgentId, ControlRow, HistoryRow};
use heartline_operator::message::{
    CommandOutcome, Event, EventQuery, SessionView, TokenInfo, Work,
};

use crate::clock::Anchor;

pub use config::{Restored, Retention, Revocation, StoreConfig, TokenChange, TokenChangeKind};
pub use notice::{Notify, StoreEvent};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// exit 4
    #[error("control refused")]
    ControlRefused {
        /// path
        path: PathBuf,
    },
}

impl StoreError {
    /// Exit code of a collector that can't go on: 4 when stored data was refused, else 3.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        4
    }
}

/// Keeps other collectors off a data directory while it lives.
#[derive(Debug)]
pub struct DataDirLock {}

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// held
    #[error("held by {pid:?}")]
    Held {
        /// Of the other collector, as far as it is known.
        pid: Option<u32>,
        /// lock
        path: PathBuf,
    },
}

impl DataDirLock {
    /// Takes the lock of a data directory.
    ///
    /// # Errors
    /// held by another
    pub fn acquire(_data_dir: &std::path::Path) -> Result<Self, LockError> {
        unimplemented!()
    }
}

/// The open store.
pub struct Store {}

impl Store {
    /// Opens (or makes) both databases and starts their writers.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(
        _config: &StoreConfig,
        _anchor: Anchor,
        _notify: Notify,
    ) -> Result<(Self, Restored), StoreError> {
        unimplemented!()
    }

    /// Hands over rows for `history.db`, in order. Never blocks.
    pub fn record(&self, _rows: Vec<HistoryRow>, _anchor: Anchor) {}

    /// Hands over rows for `control.db`, in order. Never blocks.
    pub fn persist(&self, _rows: Vec<ControlRow>, _anchor: Anchor) {}

    /// Stores a change of tokens, then calls `done` from the writer thread. Never blocks.
    pub fn change_token(
        &self,
        _change: TokenChange,
        _done: Box<dyn FnOnce(Result<(), String>) + Send>,
    ) {
    }

    /// Details that were shed because the disk did not keep up, since the store was opened.
    #[must_use]
    pub fn shed_rows(&self) -> u64 {
        0
    }

    /// Writes all that is waiting and ends both writers.
    pub fn close(self) {}
}

/// Reads both databases, on connections of its own. Not shared between threads: each opens one.
pub struct Reader {}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// sqlite
    #[error("sqlite")]
    Sqlite,
}

/// An agent's entry in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAgent {
    /// Its durable id.
    pub id: AgentId,
    /// When it was first seen.
    pub first_seen_ms: i64,
    /// When it was forgotten, if it was.
    pub forgotten_ms: Option<i64>,
}

impl Reader {
    /// Opens both databases for reading.
    ///
    /// # Errors
    /// not there
    pub fn open(_data_dir: &std::path::Path) -> Result<Self, ReadError> {
        unimplemented!()
    }

    /// One page of events, oldest first, and the cursor to go on after (`None`: these were all).
    ///
    /// # Errors
    /// db
    pub fn events(&mut self, _query: &EventQuery) -> Result<(Vec<Event>, Option<i64>), ReadError> {
        unimplemented!()
    }

    /// An agent's sessions, newest first, at most `limit`.
    ///
    /// # Errors
    /// db
    pub fn sessions(&mut self, _id: AgentId, _limit: u32) -> Result<Vec<SessionView>, ReadError> {
        unimplemented!()
    }

    /// The work of every agent that did any in the last hour or cost anything today.
    ///
    /// # Errors
    /// db
    pub fn work(
        &mut self,
        _now_ms: i64,
    ) -> Result<std::collections::BTreeMap<AgentId, Work>, ReadError> {
        unimplemented!()
    }

    /// The work of these agents; every one of them is in the answer.
    ///
    /// # Errors
    /// db
    pub fn work_of(
        &mut self,
        _agents: &[AgentId],
        _now_ms: i64,
    ) -> Result<std::collections::BTreeMap<AgentId, Work>, ReadError> {
        unimplemented!()
    }

    /// Tokens made and revoked, by scope.
    ///
    /// # Errors
    /// db
    pub fn tokens(&mut self) -> Result<Vec<TokenInfo>, ReadError> {
        unimplemented!()
    }

    /// What became of a command.
    ///
    /// # Errors
    /// db
    pub fn command(&mut self, _request_id: u64) -> Result<Option<CommandOutcome>, ReadError> {
        unimplemented!()
    }

    /// Every agent that ever had this name, newest first.
    ///
    /// # Errors
    /// db
    pub fn agents_named(&mut self, _name: &str) -> Result<Vec<KnownAgent>, ReadError> {
        unimplemented!()
    }
}
