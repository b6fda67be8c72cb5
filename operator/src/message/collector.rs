//! The collector's own status: what it dropped, refused or did not observe is never hidden.

use heartline_vocabulary::{ConnectionCounters, DatagramCounters, StateCounts};
use serde::{Deserialize, Serialize};

/// The collector's own status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorStatus {
    /// Its time now.
    pub at_ms: i64,
    pub started_ms: i64,
    pub version: String,
    pub host: String,
    /// Addresses it receives beats on.
    pub udp: Vec<String>,
    pub summary: StateCounts,
    pub datagrams: DatagramCounters,
    /// Live beats a second, over the last seconds.
    pub beats_per_second: f32,
    pub history: HistoryHealth,
    /// End of the newest gap since its start.
    pub last_gap_ms: Option<i64>,
    /// Gaps, stretches of time that were not observed, since its start.
    pub gaps: u32,
    /// Warnings for operators: a clipped receive buffer, a database set aside.
    pub banners: Vec<String>,
    pub connections: ConnectionCounters,
}

/// The state of the history database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryHealth {
    /// Rows are written.
    #[default]
    Kept,
    /// Writing is paused, for this reason: a full disk. States, kills and alerts go on.
    Paused(String),
}
