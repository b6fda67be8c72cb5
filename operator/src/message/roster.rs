//! Who is expected: groups of which so many agents must run, and agents that must have come.

use heartline_vocabulary::IncidentId;
use serde::{Deserialize, Serialize};

/// Everything that is expected of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterReport {
    /// By name.
    pub groups: Vec<GroupReport>,
    /// The number of agents that are expected.
    pub expected: u32,
    /// Those of them that are not there, by name, at most [`MISSING_MAX`].
    pub missing: Vec<MissingAgent>,
    /// There are more than those.
    pub has_more: bool,
}

/// Most agents of one [`RosterReport`] that are not there.
pub const MISSING_MAX: usize = 1_000;

/// A group whose replicas are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    pub group: String,
    pub running: u32,
    pub expect: u32,
    pub alert_below: u32,
    /// That it has too few, where it is one.
    pub incident: Option<IncidentId>,
}

/// An agent that is expected and has never been seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingAgent {
    pub agent: String,
    /// Since when it is waited for.
    pub since_ms: i64,
    /// Its time has passed, and this is the incident.
    pub incident: Option<IncidentId>,
}
