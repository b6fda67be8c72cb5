//! How the collector itself is: what it dropped, refused or did not observe is never hidden.

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
    pub summary: Summary,
    /// Datagrams since its start.
    pub datagrams: Datagrams,
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

/// Agents by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// All agents.
    pub total: u32,
    /// Healthy ones.
    pub healthy: u32,
    /// Degraded ones.
    pub degraded: u32,
    /// Unreachable ones.
    pub unreachable: u32,
    /// Killed and stopped ones.
    pub killed: u32,
    /// Unknown ones.
    pub unknown: u32,
}

/// Datagrams since the collector's start, by what became of them. Every one is in exactly one
/// count, except those that the kernel dropped before anybody saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datagrams {
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

impl Summary {
    /// The count of one state.
    #[must_use]
    pub fn of(&self, state: super::State) -> u32 {
        match state {
            super::State::Healthy => self.healthy,
            super::State::Degraded => self.degraded,
            super::State::Unreachable => self.unreachable,
            super::State::Killed => self.killed,
            super::State::Unknown => self.unknown,
        }
    }
}
