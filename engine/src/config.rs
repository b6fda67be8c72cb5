//! Configuration of an engine, and the keys of its agent.

use heartline_protocol::limits::INTERVAL_DEFAULT_MS;
use heartline_protocol::{AgentKey, AgentName, Direction, KeyEpoch, Token};

use crate::applied::AppliedStates;
use crate::identity::IdentityConfig;

/// Configuration of an [`Engine`](crate::Engine).
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Id of the agent.
    pub agent: AgentName,
    /// Keys that datagrams are signed and verified with.
    pub keys: AgentKeys,
    /// Session id: random, and never used before.
    pub session: u64,
    /// Time between beats, in ms; clamped to the range of `SPEC.md`, section 11.
    pub interval_ms: u32,
    /// Time without progress after which the agent counts as stalled, in ms, where its vitals tell none;
    /// `None`: the collector's own.
    pub stall_after_ms: Option<u32>,
    /// Identity that the first beats carry.
    pub identity: IdentityConfig,
    /// Desired states restored from an earlier session.
    pub applied: AppliedStates,
    /// Seed of the jitter, so that emitters started together beat apart.
    pub jitter_seed: u64,
}

impl EngineConfig {
    /// Returns the defaults: 30 s, no restored state, no identity, jitter seeded by the session.
    pub fn new(agent: AgentName, keys: AgentKeys, session: u64) -> Self {
        Self {
            agent,
            keys,
            session,
            interval_ms: INTERVAL_DEFAULT_MS,
            stall_after_ms: None,
            identity: IdentityConfig::default(),
            applied: AppliedStates::default(),
            jitter_seed: session,
        }
    }
}

/// Both keys of one agent, derived from a token.
#[derive(Clone, Debug)]
pub struct AgentKeys {
    pub(crate) epoch: KeyEpoch,
    pub(crate) scope_len: u8,
    /// Agent to collector.
    pub(crate) up: AgentKey,
    /// Collector to agent.
    pub(crate) down: AgentKey,
}

/// Error: the token's scope does not cover the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token is for scope {scope:?}, which does not cover agent {agent:?}; make one with \
     `heartline token --agent {agent}`"
)]
pub struct OutOfScopeError {
    /// Scope of the token.
    pub scope: String,
    /// Agent that wanted to use it.
    pub agent: String,
}

impl AgentKeys {
    /// Derives the keys of `agent` from a token.
    ///
    /// # Errors
    /// [`OutOfScopeError`] when the token's scope does not cover the agent.
    pub fn new(token: &Token, agent: &AgentName) -> Result<Self, OutOfScopeError> {
        let scope = token.scope.as_str();
        if !token.scope.covers(agent) {
            return Err(OutOfScopeError { scope: scope.to_owned(), agent: agent.to_string() });
        }
        Ok(Self {
            epoch: token.epoch,
            scope_len: scope.len() as u8,
            up: token.key.agent_key(Direction::Up, agent),
            down: token.key.agent_key(Direction::Down, agent),
        })
    }
}

/// Parses the interval of the environment (`SPEC.md`, section 17), a whole number and its unit:
/// `500ms`, `30s`, `2m`, `1h`. `None` for anything else.
pub fn parse_interval_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_a_whole_number_and_a_unit() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("2m", 120_000), (" 1 h", 3_600_000)] {
            assert_eq!(parse_interval_ms(text), Some(ms), "{text}");
        }
        for text in ["", "30", "s", "1.5s", "-1s", "99999999999999999999s", "5 d"] {
            assert_eq!(parse_interval_ms(text), None, "{text}");
        }
    }
}
