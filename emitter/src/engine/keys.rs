//! What an emitter signs and verifies with.

use heartline_protocol::{AgentKey, AgentName, Direction, KeyEpoch, Token};

/// The keys of one agent, made of a token.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) epoch: KeyEpoch,
    pub(super) scope_len: u8,
    /// Agent to collector.
    pub(super) up: AgentKey,
    /// Collector to agent.
    pub(super) down: AgentKey,
}

/// A token that may not speak for the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token is for scope {scope:?}, which does not cover agent {agent:?}; make one with \
     `heartline token --agent {agent}`"
)]
pub struct OutOfScope {
    /// Whom the token may speak for.
    pub scope: String,
    /// Who wanted to use it.
    pub agent: String,
}

impl Keys {
    /// Derives the keys of `agent` from a token.
    ///
    /// # Errors
    /// [`OutOfScope`] when the token's scope does not cover the agent.
    pub fn new(token: &Token, agent: &AgentName) -> Result<Self, OutOfScope> {
        let scope = token.scope.as_str();
        if !token.scope.covers(agent) {
            return Err(OutOfScope { scope: scope.to_owned(), agent: agent.to_string() });
        }
        Ok(Self {
            epoch: token.epoch,
            scope_len: scope.len() as u8,
            up: token.key.agent_key(Direction::Up, agent),
            down: token.key.agent_key(Direction::Down, agent),
        })
    }
}
