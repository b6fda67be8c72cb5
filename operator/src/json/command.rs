//! `kill --json`, `resume --json` and `token list --json`.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::message::{CommandOutcome, TokenInfo};
use crate::text::timestamp;
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};

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
    /// Tasks in flight that it still finishes, once it has applied a kill.
    pub draining: u32,
    /// It went on completing work after it had obeyed.
    pub disobeyed: bool,
}

impl CommandProgress {
    /// Returns the progress of an agent that has obeyed. Both times are since the command became durable.
    pub fn obeyed(delivered_ms: u64, obeyed_ms: u64) -> Self {
        let (delivered_ms, obeyed_ms) = (Some(delivered_ms), Some(obeyed_ms));
        Self { delivered_ms, obeyed_ms, ..Self::default() }
    }

    /// Returns whether the agent has obeyed, or has applied a kill and finishes what is in flight.
    pub fn is_on_its_way(&self) -> bool {
        let is_draining = self.delivered_ms.is_some() && self.draining > 0;
        !self.disobeyed && (self.obeyed_ms.is_some() || is_draining)
    }
}

impl CommandProgress {
    /// Returns the longest time that is known.
    pub fn longest_ms(self) -> Option<u64> {
        self.obeyed_ms.or(self.delivered_ms)
    }
}

/// Returns the document of `kill --json` and `resume --json`.
pub fn command_outcome(report: CommandReport<'_>) -> Value {
    let CommandReport { action, outcome, progress } = report;
    let progress = progress.iter().copied().chain(std::iter::repeat(CommandProgress::default()));
    let targets = outcome.targets.iter().zip(progress);
    json!({
        "schema": SCHEMA,
        "at": timestamp(outcome.at_ms),
        "action": action,
        "request_id": format!("{:016x}", outcome.request_id),
        "targets": targets.map(target_object).collect::<Vec<_>>(),
        "refused": outcome.refused.as_ref().map(refusal_object),
    })
}

/// Returns the document of `token list --json`.
pub fn tokens(tokens: &[TokenInfo]) -> Value {
    json!({ "schema": SCHEMA, "tokens": tokens.iter().map(token_object).collect::<Vec<_>>() })
}

fn target_object((target, progress): (&CommandTarget, CommandProgress)) -> Value {
    json!({
        "agent": target.agent,
        "generation": target.generation,
        // Its state when the command was accepted.
        "state": target.state,
        "changed": target.changed,
        "delivered_ms": progress.delivered_ms,
        "obeyed_ms": progress.obeyed_ms,
        "draining": progress.draining,
        "disobeyed": progress.disobeyed,
    })
}

fn refusal_object(refusal: &CommandRefusal) -> Value {
    let (code, agents) = match refusal {
        CommandRefusal::UnknownAgents(agents) => ("unknown_agents", agents.as_slice()),
        CommandRefusal::NoReason => ("no_reason", [].as_slice()),
        CommandRefusal::NoAgents => ("no_agents", [].as_slice()),
        CommandRefusal::CountNotConfirmed { .. } => ("count_not_confirmed", [].as_slice()),
        CommandRefusal::TargetsChanged => ("targets_changed", [].as_slice()),
    };
    json!({ "code": code, "message": refusal.to_string(), "agents": agents })
}

fn token_object(token: &TokenInfo) -> Value {
    json!({
        "scope": token.scope,
        "epoch": token.epoch,
        "made_at": token.made_ms.map(timestamp),
        "made_by": token.made_by,
        "revoked_at": token.revoked_ms.map(timestamp),
        "revoked_reason": token.revoked_reason,
    })
}
