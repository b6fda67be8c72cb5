//! `heartline history [NAME] --json`: one document.

use serde_json::{Value, json};

use super::{SCHEMA, joined, rounded};
use crate::message::{FleetHistory, HistoryStep, OutageFigures};
use crate::text::timestamp;

/// Returns the document of `history NAME --json`.
pub fn agent_history(history: &FleetHistory, agent: &str) -> Value {
    joined([json!({ "schema": SCHEMA, "agent": agent }), range_and_steps(history)])
}

/// Returns the document of `history --json`, of the agents that match a filter.
pub fn fleet_history(history: &FleetHistory, filter: &str) -> Value {
    let agents = history.agents;
    let subject = json!({ "schema": SCHEMA, "agents": agents, "filter": filter });
    joined([subject, range_and_steps(history)])
}

fn range_and_steps(history: &FleetHistory) -> Value {
    let FleetHistory { from_ms, to_ms, step_ms, steps, total, outages, .. } = history;
    joined([range(*from_ms, *to_ms, *step_ms), steps_and_total(steps, total, outages)])
}

fn range(from_ms: i64, to_ms: i64, step_ms: i64) -> Value {
    json!({ "from": timestamp(from_ms), "to": timestamp(to_ms), "step_ms": step_ms })
}

fn steps_and_total(steps: &[HistoryStep], total: &HistoryStep, outages: &OutageFigures) -> Value {
    let figures = json!({
        "availability": total.state_ms.availability().map(rounded),
        "observed": total.state_ms.observed().map(rounded),
        "outages": {
            "count": outages.count,
            "began": outages.began,
            "ended": outages.ended,
            "mttr_ms": outages.mttr_ms(),
            "mtbf_ms": outages.mtbf_ms(total.state_ms.healthy),
        },
    });
    json!({
        "steps": steps.iter().map(dated_step).collect::<Vec<_>>(),
        "total": joined([work_and_states(total), figures]),
    })
}

/// Returns one line of `export rollups`: an agent's step.
pub fn rollup(agent: &str, step_ms: i64, step: &HistoryStep) -> Value {
    joined([
        json!({ "schema": SCHEMA, "agent": agent, "at": timestamp(step.at_ms), "step_ms": step_ms }),
        work_and_states(step),
    ])
}

fn dated_step(step: &HistoryStep) -> Value {
    joined([
        json!({ "at": timestamp(step.at_ms) }),
        work_and_states(step),
        json!({ "outages": step.outages }),
    ])
}

fn work_and_states(step: &HistoryStep) -> Value {
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
