//! Kill, resume, forget, and tokens.

use serde::{Deserialize, Serialize};

use super::AgentSelector;

use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};

/// A kill or resume of agents. It is carried out whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentCommand {
    /// Random; makes a retry idempotent: it is answered as the first attempt was.
    pub request_id: u64,
    pub action: Action,
    /// At most 100,000 agents.
    pub agents: AgentSelector,
    /// Required for a kill; at most 512 bytes.
    pub reason: String,
    /// The number of agents that the operator confirmed. Required for more than 10 agents or 20 %
    /// of the fleet; another number is refused.
    pub expect: Option<u32>,
    /// The [`fingerprint`](super::SelectionPreview::fingerprint) of the agents that the operator was
    /// shown. Others are refused.
    pub fingerprint: Option<u64>,
}

/// A removal of retired agents, which is carried out whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetCommand {
    /// At most 100,000 agents, none of which still beats.
    pub agents: AgentSelector,
    /// As in [`AgentCommand`].
    pub expect: Option<u32>,
    /// As in [`AgentCommand`].
    pub fingerprint: Option<u64>,
}

/// The answer to an [`AgentCommand`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandOutcome {
    pub request_id: u64,
    /// When it became durable.
    pub at_ms: i64,
    /// Each agent and the generation that its desired state now has. Empty when refused.
    pub targets: Vec<CommandTarget>,
    pub refused: Option<CommandRefusal>,
}

/// A request about tokens. The collector makes them, so that its master key stays with it.
///
/// A scope is an agent's id, a prefix that ends in a dot, or empty for the whole fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRequest {
    Make {
        scope: String,
    },
    /// Refuse every further datagram of this scope's key.
    Revoke {
        scope: String,
        reason: String,
    },
    /// Undo a revocation.
    Reinstate {
        scope: String,
    },
    /// Tokens made and revoked so far.
    List,
}

/// The answer to a [`TokenRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenReply {
    /// The token, as text. It is derived, not stored: making one for the same scope gives the same.
    Made {
        token: String,
    },
    Done,
    /// It was so already.
    Unchanged,
    List(Vec<TokenInfo>),
}

/// One scope for which a token was made or revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    pub scope: String,
    /// Epoch of its key.
    pub epoch: u8,
    /// When it was first made, if it was.
    pub made_ms: Option<i64>,
    pub made_by: Option<String>,
    pub revoked_ms: Option<i64>,
    pub revoked_reason: Option<String>,
}
