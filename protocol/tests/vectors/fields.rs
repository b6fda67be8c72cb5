//! Headers and bodies as JSON.

use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Body, Header, IdentityView, MessageType, SegmentView};
use heartline_vocabulary::ProcessUsage;
use serde_json::{Value, json};

use crate::fixture::{hex, number};

pub(crate) fn header(header: &Header<'_>) -> Value {
    json!({
        "type": kind(header.kind),
        "epoch": header.epoch.0,
        "scope": header.scope(),
        "agent": header.agent,
        "session": format!("{:016x}", header.session),
        "sequence": number(header.sequence),
        "challenge": hex(&header.challenge),
    })
}

fn kind(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Beat => "beat",
        MessageType::Goodbye => "goodbye",
        MessageType::ExitReport => "exit_report",
        MessageType::Ack => "ack",
        MessageType::Push => "push",
    }
}

pub(crate) fn body(body: &Body<'_>) -> Value {
    match body {
        Body::Beat(beat) => json!({
            "interval_ms": beat.interval_ms,
            "uptime_ms": number(beat.uptime_ms),
            "phase": beat.phase as u8,
            "in_flight": beat.in_flight,
            "oldest_in_flight_ms": beat.oldest_in_flight_ms.map(number),
            "progress_age_ms": beat.progress_age_ms.map(number),
            "queue": beat.queue,
            "step": beat.step.map(UntrustedText::scrubbed),
            "generation": number(beat.applied.generation),
            "killed": beat.applied.killed,
            "control": beat.applied.control.map(|id| id.to_string()),
            "blocked_by": beat.blocked_by.map(|id| id.to_string()),
            "lost_observations": number(beat.lost_observations),
            "segment": beat.segment.as_ref().map(segment),
            "identity": beat.identity.as_deref().map(identity),
            "stall_after_ms": beat.stall_after_ms,
            "process": beat.process.as_ref().map(process),
        }),
        Body::Goodbye(goodbye) => json!({
            "uptime_ms": number(goodbye.uptime_ms),
            "segment": goodbye.segment.as_ref().map(segment),
        }),
        Body::ExitReport(report) => json!({
            "uptime_ms": number(report.uptime_ms),
            "code": report.code,
            "signal": report.signal,
            "oom_killed": report.oom_killed,
            "segment": report.segment.as_ref().map(segment),
            "last_lines": report.last_lines.iter().map(|line| line.scrubbed()).collect::<Vec<_>>(),
        }),
        Body::Ack(ack) => json!({
            "durable_segment": number(ack.durable_segment),
            "generation": number(ack.desired.generation),
            "killed": ack.desired.killed,
            "control": ack.desired.control.map(|id| id.to_string()),
            "unconfirmed": ack.unconfirmed,
            "wants_identity": ack.wants_identity,
            "session_taken": ack.session_taken,
            "lifts": ack.lifts.map(|id| id.to_string()),
            "highest_sequence": number(ack.highest_sequence),
            "budget": ack.budget.map(|budget| json!({
                "unit": budget.unit.name(),
                "left": number(budget.amount),
                "counts_pending": budget.counts_pending,
            })),
        }),
        Body::Push(push) => json!({
            "generation": number(push.desired.generation),
            "killed": push.desired.killed,
            "control": push.desired.control.map(|id| id.to_string()),
            "lifts": push.lifts.map(|id| id.to_string()),
        }),
    }
}

fn segment(segment: &SegmentView<'_>) -> Value {
    json!({
        "number": segment.number,
        "ok": segment.ok,
        "failed": segment.failed,
        "cost_nano_usd": segment.cost_nano_usd,
        "tokens_in": segment.tokens_in,
        "tokens_out": segment.tokens_out,
        "latency": hex(segment.latency.as_bytes()),
    })
}

fn process(process: &ProcessUsage) -> Value {
    json!({
        "cpu_permille": process.cpu_permille,
        "memory_bytes": number(process.memory_bytes),
        "emitter_silent_ms": process.emitter_silent_ms.map(number),
    })
}

fn identity(identity: &IdentityView<'_>) -> Value {
    let labels: Vec<_> =
        identity.labels.iter().map(|(key, value)| [key.scrubbed(), value.scrubbed()]).collect();
    json!({
        "host": identity.host.map(UntrustedText::scrubbed),
        "group": identity.group.map(UntrustedText::scrubbed),
        "version": identity.version.map(UntrustedText::scrubbed),
        "framework": identity.framework.map(UntrustedText::scrubbed),
        "sdk": identity.sdk.map(UntrustedText::scrubbed),
        "pid": identity.pid,
        "labels": labels,
        "depends": identity.depends,
    })
}
