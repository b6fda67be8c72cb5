//! Kill, resume, and tokens.

use serde::{Deserialize, Serialize};

use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};

/// A command. It is carried out whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentCommand {
    /// Random; sent again with the same number, a command is answered as before and not repeated.
    pub request_id: u64,
    /// What to do.
    pub action: Action,
    /// Exact ids of the agents: a pattern or filter was resolved, and shown, before.
    pub agents: Vec<String>,
    /// Why. Required for a kill; at most 512 bytes.
    pub reason: String,
    /// How many agents the operator was told this would hit. Required for more than 10 agents or
    /// 20 % of the fleet; the collector refuses when it is not so.
    pub expect: Option<u32>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The command's number.
    pub request_id: u64,
    /// When it became durable.
    pub at_ms: i64,
    /// Each agent and the generation that its desired state now has. Empty when refused.
    pub targets: Vec<CommandTarget>,
    /// Why nothing was done.
    pub refused: Option<CommandRefusal>,
}

/// About tokens. The collector makes them: nobody handles the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRequest {
    /// A token for a scope: an agent's id, a prefix that ends in a dot, or empty for the fleet.
    Make {
        /// The scope.
        scope: String,
    },
    /// From now on refuse every datagram of this scope's key.
    Revoke {
        /// The scope.
        scope: String,
        /// Why.
        reason: String,
    },
    /// Take a revocation back.
    Reinstate {
        /// The scope.
        scope: String,
    },
    /// Tokens made and revoked so far.
    List,
}

/// The answer to a [`TokenRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenReply {
    /// The token, as text. It is not stored and can't be shown again, but making one for the same
    /// scope gives the same.
    Made {
        /// The token.
        token: String,
    },
    /// Done.
    Done,
    /// Nothing had to be done: it was so already.
    Unchanged,
    /// What there is.
    List(Vec<TokenInfo>),
}

/// One scope for which a token was made or revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// The scope.
    pub scope: String,
    /// The key epoch.
    pub epoch: u8,
    /// When it was first made, if it was.
    pub made_ms: Option<i64>,
    /// Who made it.
    pub made_by: Option<String>,
    /// When it was revoked, if it is.
    pub revoked_ms: Option<i64>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
}
