//! A copy of the collector's databases, made while it runs.

use serde::{Deserialize, Serialize};

use super::collector::HistoryHealth;

/// Asks the collector for a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCommand {
    /// The directory to be made: an absolute path on the collector's machine, where nothing is yet, or an
    /// empty directory.
    pub dir: String,
    /// The master key is copied as well. Without it every token must be handed out anew after a restore.
    pub has_key: bool,
}

/// How far a backup is. One comes every second until it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupUpdate {
    /// So many bytes of all have been copied, or checked after that.
    Progress { done: u64, total: u64 },
    /// It is whole, and on disk.
    Done(BackupSummary),
}

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    pub dir: String,
    /// The moment that it shows.
    pub at_ms: i64,
    pub files: Vec<BackupFile>,
    /// While history is paused, the backup lacks what was judged since.
    pub history: HistoryHealth,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    pub name: String,
    pub bytes: u64,
}
