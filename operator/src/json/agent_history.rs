//! `heartline history NAME --json`: one document.

use serde_json::{Value, json};

use super::{SCHEMA, joined, rounded};
use crate::message::{AgentHistory, HistoryStep};
use crate::text::timestamp;

/// Returns the document of `history NAME --json`.
pub fn agent_history(history: &AgentHistory) -> Value {
    let total = joined([
        step_object(&history.total),
        json!({ "availability": history.total.state_ms.availability().map(rounded) }),
    ]);
    json!({
        "schema": SCHEMA,
        "agent": history.agent,
        "from": timestamp(history.from_ms),
        "to": timestamp(history.to_ms),
        "step_ms": history.step_ms,
        "steps": history.steps.iter().map(dated_step).collect::<Vec<_>>(),
        "total": total,
    })
}

fn dated_step(step: &HistoryStep) -> Value {
    joined([json!({ "at": timestamp(step.at_ms) }), step_object(step)])
}

fn step_object(step: &HistoryStep) -> Value {
    json!({
        "beats": step.beats,
        "lost": step.lost,
        "ok": step.ok,
        "failed": step.failed,
        "success_rate": step.success_rate().map(rounded),
        "latency_us": step.latency,
        "cost_nano_usd": step.cost_nano_usd,
        "tokens_in": step.tokens_in,
        "tokens_out": step.tokens_out,
        "state_ms": step.state_ms,
    })
}
