//! How a store is set up, and what it gives back when it opens.

use std::path::PathBuf;

use heartline_config::Retention;
use heartline_fleet::{MonoTime, RestoredAgent};
use heartline_vocabulary::AgentRowId;

use super::disk;

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Where the databases are. It exists, and belongs to this process alone
    /// ([`super::DataDirLock`]).
    pub data_dir: PathBuf,
    /// How long rollups are kept.
    pub retention: Retention,
}

/// What was known when the collector ended before.
#[derive(Debug)]
pub struct Restored {
    /// Every agent that was not forgotten, by durable id, ascending.
    pub agents: Vec<RestoredAgent>,
    /// Up to when the collector before this one is known to have been alive.
    pub last_alive: Option<MonoTime>,
    /// The smallest durable id that no agent ever had.
    pub next_id: AgentRowId,
    /// Scopes whose keys are refused.
    pub revocations: Vec<Revocation>,
    /// Sentences that an operator must read: a database that was set aside.
    pub banners: Vec<String>,
}

/// A scope whose key of one epoch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The scope, as in the token.
    pub scope: String,
    /// The key epoch.
    pub epoch: u8,
}

/// The reason why a change of tokens is not stored.
#[derive(Debug, thiserror::Error)]
pub enum TokenChangeError {
    /// The database refuses it.
    #[error("{}", disk::sentence("store the change of tokens in", path, source))]
    Write {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// The store is closed.
    #[error("the collector is ending")]
    Closed,
}

/// A change to the tokens that the collector has made or refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenChange {
    /// What is done.
    pub kind: TokenChangeKind,
    /// To which scope.
    pub scope: String,
    /// The key epoch.
    pub epoch: u8,
    /// When, in ms of Unix time.
    pub at_ms: i64,
    /// Who: `user@host`.
    pub by: String,
}

/// What is done to a scope's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenChangeKind {
    /// It was made. Made again, the first time counts.
    Made,
    /// It is refused from now on.
    Revoked {
        /// Why.
        reason: String,
    },
    /// It is accepted again.
    Reinstated,
}
