//! How the collector itself is: what it dropped, refused or did not observe is never hidden.

use heartline_vocabulary::StateCounts;
use serde::{Deserialize, Serialize};

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

/// DatagramCounters since the collector's start, by what became of them. Every one is in exactly one
/// count, except those that the kernel dropped before anybody saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatagramCounters {
    /// Proven fresh, and judged.
    pub live: u64,
    /// Right tag, but not (yet) proven fresh; answered with a challenge.
    pub unconfirmed: u64,
    /// Wrong tag, unknown epoch, or a scope that does not cover the agent.
    pub bad_tag: u64,
    /// Not a message, or a body that breaks the rules.
    pub malformed: u64,
    /// Right tag, but its sequence was seen before.
    pub replayed: u64,
    /// Signed with a revoked key.
    pub revoked: u64,
    /// From a new agent, while the roster is full.
    pub over_limit: u64,
    /// Dropped by the kernel because the receive buffer was full.
    pub kernel_dropped: u64,
    /// Answers that were not sent: one agent asked too often, or the socket was full.
    pub answers_withheld: u64,
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
