//! `heartline collector --json`.

use serde_json::{Map, Value, json};

use super::SCHEMA;
use super::alert::sink;
use crate::message::{CollectorHealth, HistoryHealth, WatchdogHealth};
use crate::text::timestamp;

/// Returns the document of `collector --json`.
pub fn collector_health(health: &CollectorHealth) -> Value {
    let history_paused = match &health.history {
        HistoryHealth::Kept => None,
        HistoryHealth::Paused(why) => Some(why),
    };
    let losses = health.losses.iter().map(|loss| {
        let counts = json!({ "last_minute": loss.last_minute, "total": loss.total });
        (loss.name.clone(), counts)
    });
    let (ticks, commits, clock) = (&health.ticks, &health.commits, &health.clock);
    json!({
        "schema": SCHEMA,
        "at": timestamp(health.at_ms),
        "started_at": timestamp(health.started_ms),
        "version": health.version,
        "host": health.host,
        "pid": health.pid,
        "doubts": health.doubts,
        "queues": health.queues,
        "losses": losses.collect::<Map<_, _>>(),
        "ticks": {
            "count": ticks.count,
            "last_ms": ticks.last_ms,
            "longest_ms": ticks.longest_ms,
            "late": ticks.late,
            "last_late_at": ticks.last_late_ms.map(timestamp),
        },
        "history_paused": history_paused,
        "commits": commits,
        "clock": {
            "steps": clock.steps,
            "last_step_at": clock.last_step_at_ms.map(timestamp),
            "last_step_by_ms": clock.last_step_by_ms,
        },
        "files": health.files,
        "disk": health.disk,
        "memory": health.memory,
        "operators": health.operators,
        "operators_max": health.operators_max,
        "watchdog": health.watchdog.as_ref().map(watchdog_object),
        "sinks": health.sinks.iter().map(sink).collect::<Vec<_>>(),
    })
}

fn watchdog_object(watchdog: &WatchdogHealth) -> Value {
    let last = watchdog.last.as_ref().map(|last| {
        json!({
            "at": timestamp(last.at_ms),
            "kind": last.kind.name(),
            "taken": last.is_taken,
            "answer": last.answer,
        })
    });
    json!({
        "target": watchdog.target,
        "every_ms": watchdog.every_ms,
        "taken": watchdog.taken,
        "failed": watchdog.failed,
        "last": last,
    })
}
