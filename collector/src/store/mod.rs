//! What the collector remembers: two SQLite files, each with one writer thread.
//!
//! - `control.db`: the roster, desired states, audit, tokens. Must never be wrong: when it can't be
//!   trusted, the collector does not start.
//! - `history.db`: events, sessions, work. When it can't be trusted it is set aside, a new one is
//!   begun, and monitoring goes on.
//!
//! Nothing here blocks who hands rows in: they wait in memory, and a [`StoreEvent`] tells what has
//! become durable. Readers have connections of their own.

mod column;
mod config;
mod control;
mod copy;
mod disk;
mod error;
mod file;
mod history;
mod identity;
mod lock;
mod migrate;
mod notice;
mod queue;
mod read;
mod restore;
mod rollup;
mod schema;
#[allow(clippy::module_inception, reason = "the store itself")]
mod store;
#[cfg(test)]
mod tests;

pub use config::{
    Restored, Revocation, StoreConfig, TokenChange, TokenChangeError, TokenChangeKind,
};
pub use error::StoreError;
pub use lock::{DataDirLock, LockError};
pub use notice::{Notify, StoreEvent};
pub use read::{ReadError, Reader, ReaderPool, ReaderPoolConfig};
pub use store::{Store, StoreHandle};
