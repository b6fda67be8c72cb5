//! What an engine is started with.

use heartline_protocol::AgentName;
use heartline_protocol::limits::INTERVAL_DEFAULT_MS;

use super::identity::Identity;
use super::keys::Keys;

/// The state that an operator wants an agent to be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Number of the command that set it; 0: none was ever given.
    pub generation: u64,
    /// Whether it is: do not work.
    pub killed: bool,
}

/// What an [`Engine`](super::Engine) is started with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Who it speaks for.
    pub agent: AgentName,
    /// What it signs and verifies with.
    pub keys: Keys,
    /// Random, and never used before.
    pub session: u64,
    /// Time between beats, in ms; brought into the range of `SPEC.md`, section 11.
    pub interval_ms: u32,
    /// Who the agent is.
    pub identity: Identity,
    /// The desired state that was remembered from before.
    pub remembered: Desired,
    /// Makes emitters that start together beat apart.
    pub jitter_seed: u64,
}

impl EngineConfig {
    /// The defaults: 30 s, nothing remembered, no identity, jitter from the session.
    #[must_use]
    pub fn new(agent: AgentName, keys: Keys, session: u64) -> Self {
        Self {
            agent,
            keys,
            session,
            interval_ms: INTERVAL_DEFAULT_MS,
            identity: Identity::default(),
            remembered: Desired::default(),
            jitter_seed: session,
        }
    }
}
