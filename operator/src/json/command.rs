//! `kill --json`, `resume --json` and `token list --json`.

use serde::Serialize;

use super::{SCHEMA, Timestamp};
use crate::message::{CommandOutcome, TokenInfo};
use heartline_vocabulary::{Action, CommandRefusal, State};

/// A command with its outcome and progress.
#[derive(Clone, Copy, Debug)]
pub struct CommandReport<'a> {
    pub action: Action,
    pub outcome: &'a CommandOutcome,
    /// In the order of the outcome's targets; those that were not waited for may be missing.
    pub progress: &'a [CommandProgress],
}

/// How far one agent has executed a command. Both times are since it became durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandProgress {
    /// Time until it was applied.
    pub delivered_ms: Option<u64>,
    /// Time until no task was in flight.
    pub obeyed_ms: Option<u64>,
}

/// Returns the document of `kill --json` and `resume --json`.
pub fn command_outcome(report: CommandReport<'_>) -> impl Serialize {
    let CommandReport { action, outcome, progress } = report;
    let targets = outcome.targets.iter().enumerate().map(|(at, target)| {
        let so_far = progress.get(at).copied().unwrap_or_default();
        CommandTargetJson {
            agent: &target.agent,
            generation: target.generation,
            state: target.state,
            changed: target.changed,
            delivered_ms: so_far.delivered_ms,
            obeyed_ms: so_far.obeyed_ms,
        }
    });
    CommandJson {
        schema: SCHEMA,
        at: Timestamp(outcome.at_ms),
        action,
        request_id: format!("{:016x}", outcome.request_id),
        targets: targets.collect(),
        refused: outcome.refused.as_ref().map(RefusalJson::new),
    }
}

/// Returns the document of `token list --json`.
pub fn tokens(tokens: &[TokenInfo]) -> impl Serialize {
    TokenListJson { schema: SCHEMA, tokens: tokens.iter().map(TokenJson::new).collect() }
}

#[derive(Serialize)]
struct CommandJson<'a> {
    schema: u8,
    at: Timestamp,
    action: Action,
    request_id: String,
    targets: Vec<CommandTargetJson<'a>>,
    refused: Option<RefusalJson<'a>>,
}

#[derive(Serialize)]
struct CommandTargetJson<'a> {
    agent: &'a str,
    generation: u64,
    /// Its state when the command was accepted.
    state: State,
    changed: bool,
    delivered_ms: Option<u64>,
    obeyed_ms: Option<u64>,
}

#[derive(Serialize)]
struct RefusalJson<'a> {
    code: &'static str,
    message: String,
    agents: &'a [String],
}

impl<'a> RefusalJson<'a> {
    fn new(refusal: &'a CommandRefusal) -> Self {
        let (code, agents) = match refusal {
            CommandRefusal::UnknownAgents(agents) => ("unknown_agents", agents.as_slice()),
            CommandRefusal::NoReason => ("no_reason", [].as_slice()),
            CommandRefusal::NoAgents => ("no_agents", [].as_slice()),
            CommandRefusal::CountNotConfirmed { .. } => ("count_not_confirmed", [].as_slice()),
        };
        Self { code, message: refusal.to_string(), agents }
    }
}

#[derive(Serialize)]
struct TokenListJson<'a> {
    schema: u8,
    tokens: Vec<TokenJson<'a>>,
}

#[derive(Serialize)]
struct TokenJson<'a> {
    scope: &'a str,
    epoch: u8,
    made_at: Option<Timestamp>,
    made_by: Option<&'a str>,
    revoked_at: Option<Timestamp>,
    revoked_reason: Option<&'a str>,
}

impl<'a> TokenJson<'a> {
    fn new(token: &'a TokenInfo) -> Self {
        Self {
            scope: &token.scope,
            epoch: token.epoch,
            made_at: token.made_ms.map(Timestamp),
            made_by: token.made_by.as_deref(),
            revoked_at: token.revoked_ms.map(Timestamp),
            revoked_reason: token.revoked_reason.as_deref(),
        }
    }
}
