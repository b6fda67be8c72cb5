//! The trouble of one agent, from its begin until it has been well for a while.

use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId};

use super::cause_interval::CauseInterval;
use crate::time::MonoTime;

/// The trouble of one agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) id: AgentRowId,
    pub(crate) status: AgentStatus,
    /// When it began.
    pub(crate) since: MonoTime,
    pub(crate) interval: CauseInterval,
    /// What it is part of; `None`: that is not decided yet.
    pub(crate) incident: Option<IncidentId>,
    /// When it was noticed.
    pub(crate) noticed: MonoTime,
    pub(crate) recovery: Option<Recovery>,
}

/// The agent is well, and its trouble is over when that has lasted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    pub(crate) since: MonoTime,
    pub(crate) until: MonoTime,
}
