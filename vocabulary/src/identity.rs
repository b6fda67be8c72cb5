//! The identity that an agent reports.

use std::sync::Arc;

/// The identity that an agent reports. All text is scrubbed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Identity {
    /// Process id on its host.
    pub pid: Option<u32>,
    /// The rest, which agents of one program on one host have in common.
    pub shared: Arc<SharedIdentity>,
}

impl From<SharedIdentity> for Identity {
    fn from(shared: SharedIdentity) -> Self {
        Self { pid: None, shared: Arc::new(shared) }
    }
}

/// The part of an identity that agents of one program on one host have in common. A fleet has many
/// agents, few programs and few hosts, so one value and its texts serve many agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct SharedIdentity {
    /// Host that the agent runs on.
    pub host: Option<Arc<str>>,
    /// Group of agents that it belongs to.
    pub group: Option<Arc<str>>,
    /// Version of its program.
    pub version: Option<Arc<str>>,
    /// Framework, with version.
    pub framework: Option<Arc<str>>,
    /// Emitter, with version.
    pub sdk: Option<Arc<str>>,
    /// Labels, as (key, value).
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Ids of the agents that it needs.
    pub depends: Vec<Arc<str>>,
}
