//! Incident files: the history between two moments in one file, to be looked at on any machine.

use serde::{Deserialize, Serialize};

/// Most bytes of an incident file in one answer.
pub const INCIDENT_CHUNK: usize = 256 << 10;

/// Selects the history of an incident file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentQuery {
    pub since_ms: i64,
    /// The first moment behind it.
    pub until_ms: i64,
    /// Names and texts are replaced by words that stand for them.
    pub is_redacted: bool,
}

/// An answer to a request about an incident file. They come in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentUpdate {
    /// It is being made; sent every second.
    Working,
    /// It is made, and this is in it.
    Contents(Box<IncidentContents>),
    /// The next bytes of it, at most [`INCIDENT_CHUNK`].
    Bytes(Vec<u8>),
    /// That was all.
    End,
}

/// What is in an incident file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentContents {
    pub since_ms: i64,
    pub until_ms: i64,
    pub is_redacted: bool,
    /// Length of the file.
    pub bytes: u64,
    pub events: u64,
    pub outages: u64,
    pub notes: u64,
    pub gaps: u64,
    pub sessions: u64,
    pub rollups: u64,
    pub agents: IncidentTexts,
    pub hosts: IncidentTexts,
    pub labels: IncidentTexts,
    pub operators: IncidentTexts,
    /// What agents and operators wrote freely: steps, last words of processes, reasons of commands, notes.
    pub texts: IncidentTexts,
}

/// Names or texts that are in an incident file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentTexts {
    /// How many there are.
    pub count: u64,
    /// The first of them, in the order of their bytes.
    pub first: Vec<String>,
}
