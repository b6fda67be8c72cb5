//! How the collector itself is: what it dropped, refused or did not observe is never hidden.

use heartline_vocabulary::StateCounts;
use serde::{Deserialize, Serialize};

use super::DatagramCounters;

/// The collector's own condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorStatus {
    /// Its time now.
    pub at_ms: i64,
    /// When it started.
    pub started_ms: i64,
    /// Version of the program.
    pub version: String,
    /// Host name.
    pub host: String,
    /// Addresses it receives beats on.
    pub udp: Vec<String>,
    /// Agents by state.
    pub summary: StateCounts,
    /// DatagramCounters since its start.
    pub datagrams: DatagramCounters,
    /// Live beats a second, over the last seconds.
    pub beats_per_second: f32,
    /// Whether history is being kept.
    pub history: HistoryHealth,
    /// The end of the newest stretch of time that was not observed, if there was one since start.
    pub last_gap_ms: Option<i64>,
    /// Stretches of time not observed since its start.
    pub gaps: u32,
    /// Sentences that an operator must read: a clipped receive buffer, a database set aside.
    pub banners: Vec<String>,
}

/// Whether history is being kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryHealth {
    /// It is.
    #[default]
    Kept,
    /// It waits, and why: a full disk. States, kills and alerts go on.
    Paused(String),
}
