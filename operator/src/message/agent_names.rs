//! The names of agents that were known in a range of time.

use serde::{Deserialize, Serialize};

/// Most names in one answer.
pub const AGENT_NAMES_MAX: u32 = 5_000;

/// Selects agents that were known in a range of time, forgotten ones as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNamesQuery {
    pub since_ms: i64,
    pub until_ms: i64,
    /// Behind this name.
    pub after: String,
    /// 1 to [`AGENT_NAMES_MAX`].
    pub limit: u32,
}
