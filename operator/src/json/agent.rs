//! One agent: an element of `status --json`, and the document of `agent --json`.

use serde_json::{Map, Value, json};

use super::event::event_object;
use super::{SCHEMA, joined, rounded};
use crate::figures::session_text;
use crate::message::{AgentDetail, AgentEntry, CommandStatus, SessionSummary};
use crate::text::timestamp;
use heartline_vocabulary::Action;

/// Returns the document of `agent --json`, at the collector's time `now_ms`.
pub fn agent(detail: &AgentDetail, now_ms: i64) -> Value {
    joined([
        json!({ "schema": SCHEMA, "at": timestamp(now_ms) }),
        agent_object(&detail.entry, now_ms),
        json!({
            "first_seen_at": timestamp(detail.first_seen_ms),
            "address": detail.address,
            "scope": detail.key.as_ref().map(|key| &key.scope),
            "epoch": detail.key.as_ref().map(|key| key.epoch),
            "sessions": detail.sessions.iter().map(session_object).collect::<Vec<_>>(),
            "events": detail.events.iter().map(event_object).collect::<Vec<_>>(),
        }),
    ])
}

pub(super) fn agent_object(entry: &AgentEntry, now_ms: i64) -> Value {
    let AgentEntry { agent, identity, vitals, .. } = entry;
    let shared = &identity.shared;
    let labels = shared.labels.iter().map(|(key, value)| (key.to_string(), json!(value)));
    let command = |action| {
        let command = vitals.command.as_ref().filter(|command| command.action == action);
        command.map(command_object)
    };
    json!({
        "agent": agent,
        "host": shared.host,
        "pid": identity.pid,
        "group": shared.group,
        "labels": labels.collect::<Map<_, _>>(),
        "state": vitals.state,
        "reason": vitals.reason,
        "since": timestamp(vitals.since_ms),
        "last_beat_at": vitals.last_beat_ms.map(timestamp),
        "beat_age_ms": vitals.beat_age_ms(now_ms),
        "progress_age_ms": vitals.progress_age_ms(now_ms),
        "in_flight": vitals.in_flight,
        "oldest_in_flight_ms": vitals.oldest_task_age_ms(now_ms),
        "queue": vitals.queue,
        "step": vitals.step,
        "interval_ms": vitals.interval_ms,
        "session": entry.session_text(),
        "starts": vitals.starts,
        "work": work_object(entry, now_ms),
        "total": vitals.total,
        "kill": command(Action::Kill),
        // A resume that is not obeyed yet.
        "resume": command(Action::Resume),
        "phase": vitals.phase,
        "beats": vitals.beats,
        "lost": vitals.lost,
        "version": shared.version,
        "framework": shared.framework,
        "sdk": shared.sdk,
        "depends": shared.depends,
        "lost_observations": vitals.lost_observations,
    })
}

fn work_object(entry: &AgentEntry, now_ms: i64) -> Value {
    let work = &entry.work;
    json!({
        "window_ms": work.window_ms,
        "ok": work.ok,
        "failed": work.failed,
        "success_rate": work.success_rate().map(rounded),
        "latency_us": work.latency,
        "cost_nano_usd": work.cost_nano_usd,
        "cost_usd": work.cost_usd(),
        "tokens_in": work.tokens_in,
        "tokens_out": work.tokens_out,
        "cost_today_nano_usd": work.cost_today_nano_usd,
        "tasks_per_minute": entry.tasks_per_minute(now_ms).map(rounded),
    })
}

fn command_object(command: &CommandStatus) -> Value {
    json!({
        "cause": command.cause,
        "generation": command.generation,
        "by": command.by,
        "reason": command.reason,
        "at": timestamp(command.at_ms),
        "delivered_ms": command.delivered_ms,
        "obeyed_ms": command.obeyed_ms,
        "draining": command.draining,
        "disobeyed": command.disobeyed,
    })
}

fn session_object(session: &SessionSummary) -> Value {
    json!({
        "session": session_text(session.session),
        "started_at": timestamp(session.started_ms),
        "last_beat_at": session.last_beat_ms.map(timestamp),
        "applied_segment": session.applied_segment,
        "ended": session.ended,
    })
}
