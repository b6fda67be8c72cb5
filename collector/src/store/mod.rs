//! The store: two SQLite files, each with one writer thread.
//!
//! - `control.db`: agents, desired states, audit, tokens. When it can't be trusted, the collector
//!   does not start.
//! - `history.db`: events, sessions, work. When it can't be trusted, it is renamed, an empty one
//!   takes its place, and monitoring continues.
//!
//! Rows are queued in memory without blocking the caller; a [`StoreEvent`] reports what has become
//! durable. Readers have connections of their own.

mod backup;
mod checkpoint;
mod commit_number;
mod control;
mod copy;
mod disk;
mod error;
mod event;
mod file;
mod history;
mod incident;
mod lock;
mod meta;
mod place;
mod progress;
mod prune;
mod pulse;
mod queue;
mod read;
mod restore;
mod rollup;
mod schema;
mod sql;
mod startup;
#[allow(clippy::module_inception, reason = "the store itself")]
mod store;
#[cfg(test)]
mod tests;

pub use backup::{BackupError, BackupJob};
pub use control::{
    SilenceChange, SilenceError, StoredSilence, TokenChange, TokenChangeError, TokenChangeKind,
};
pub use disk::disk_space;
pub use error::StoreError;
pub use event::{OutboxEventSink, StoreEvent, StoreEventSink, StoreSinks};
pub use history::{DeliveryRow, NewNote, NoteError, OutboxEvent, OutboxNotice};
pub use incident::{IncidentError, IncidentFile, IncidentFileError, IncidentInfo, IncidentJob};
pub use lock::{DataDirLock, DataDirLockError};
pub use progress::{Cancelled, JobProgress};
pub use pulse::WriterPulse;
pub use read::{
    HistoryReading, HistoryRefusal, PastReading, ReadError, ReaderPool, ReaderPoolConfig,
    StoreReader,
};
pub use restore::{RestoredAlerts, RestoredState, TokenRevocation};
pub use store::{QueuedRows, Store, StoreConfig, StoreHandle};
