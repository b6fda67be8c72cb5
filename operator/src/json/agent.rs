//! One agent: an element of `status --json`, and the document of `agent --json`.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::budget::agent_budget_object;
use super::event::event_object;
use super::{SCHEMA, joined, rounded};
use crate::figures::session_text;
use crate::message::{AgentDetail, AgentEntry, CommandStatus, LatencyQuantiles, SessionSummary};
use crate::text::timestamp;
use heartline_vocabulary::{Action, Phase, ProcessUsage, Reason, State, WorkTotals};

/// Returns the document of `agent --json`, at the collector's time `now_ms`.
pub fn agent(detail: &AgentDetail, now_ms: i64) -> Value {
    joined([
        json!({ "schema": SCHEMA, "at": timestamp(now_ms) }),
        json!(AgentDocument::new(&detail.entry, now_ms)),
        json!({
            "first_seen_at": timestamp(detail.first_seen_ms),
            "address": detail.address,
            "scope": detail.key.as_ref().map(|key| &key.scope),
            "epoch": detail.key.as_ref().map(|key| key.epoch),
            "sessions": detail.sessions.iter().map(session_object).collect::<Vec<_>>(),
            "events": detail.events.iter().map(event_object).collect::<Vec<_>>(),
            "budgets": detail.budgets.iter().map(agent_budget_object).collect::<Vec<_>>(),
            "learning": detail.learning,
        }),
    ])
}

/// An agent with all that is known of it without asking for its history. Built for one agent at a
/// time: those of a large fleet would take gigabytes as values.
#[derive(Serialize)]
pub(super) struct AgentDocument<'a> {
    agent: &'a str,
    host: Option<&'a str>,
    pid: Option<u32>,
    group: Option<&'a str>,
    labels: LabelMap<'a>,
    state: State,
    reason: Option<Reason>,
    since: String,
    last_beat_at: Option<String>,
    beat_age_ms: Option<u64>,
    progress_age_ms: Option<u64>,
    in_flight: u32,
    oldest_in_flight_ms: Option<u64>,
    queue: Option<u32>,
    step: Option<&'a str>,
    interval_ms: u32,
    session: Option<String>,
    starts: u32,
    work: WorkDocument,
    total: WorkTotals,
    kill: Option<CommandDocument<'a>>,
    /// A resume that is not obeyed yet.
    resume: Option<CommandDocument<'a>>,
    phase: Option<Phase>,
    beats: u64,
    lost: u64,
    version: Option<&'a str>,
    framework: Option<&'a str>,
    sdk: Option<&'a str>,
    depends: &'a [Arc<str>],
    lost_observations: Option<u64>,
    /// What its supervisor sees of its process.
    process: Option<&'a ProcessUsage>,
}

/// Labels as an object.
pub(super) struct LabelMap<'a>(pub(super) &'a [(Arc<str>, Arc<str>)]);

#[derive(Serialize)]
pub(super) struct WorkDocument {
    window_ms: u64,
    ok: u64,
    failed: u64,
    success_rate: Option<f64>,
    latency_us: Option<LatencyQuantiles>,
    cost_nano_usd: u64,
    cost_usd: f64,
    tokens_in: u64,
    tokens_out: u64,
    cost_today_nano_usd: u64,
    tasks_per_minute: Option<f64>,
}

#[derive(Serialize)]
struct CommandDocument<'a> {
    cause: Reason,
    generation: u64,
    by: &'a str,
    reason: &'a str,
    at: String,
    delivered_ms: Option<u64>,
    obeyed_ms: Option<u64>,
    draining: u32,
    disobeyed: bool,
}

impl<'a> AgentDocument<'a> {
    pub(super) fn new(entry: &'a AgentEntry, now_ms: i64) -> Self {
        let AgentEntry { agent, identity, vitals, .. } = entry;
        let shared = &identity.shared;
        let command = |action| {
            let command = vitals.command.as_deref().filter(|command| command.action == action);
            command.map(CommandDocument::new)
        };
        Self {
            agent,
            host: shared.host.as_deref(),
            pid: identity.pid,
            group: shared.group.as_deref(),
            labels: LabelMap(&shared.labels),
            state: vitals.state,
            reason: vitals.reason,
            since: timestamp(vitals.since_ms),
            last_beat_at: vitals.last_beat_ms.map(timestamp),
            beat_age_ms: vitals.beat_age_ms(now_ms),
            progress_age_ms: vitals.progress_age_ms(now_ms),
            in_flight: vitals.in_flight,
            oldest_in_flight_ms: vitals.oldest_task_age_ms(now_ms),
            queue: vitals.queue,
            step: vitals.step.as_deref(),
            interval_ms: vitals.interval_ms,
            session: entry.session_text(),
            starts: vitals.starts,
            work: WorkDocument::new(entry, now_ms),
            total: vitals.total,
            kill: command(Action::Kill),
            resume: command(Action::Resume),
            phase: vitals.phase,
            beats: vitals.beats,
            lost: vitals.lost,
            version: shared.version.as_deref(),
            framework: shared.framework.as_deref(),
            sdk: shared.sdk.as_deref(),
            depends: &shared.depends,
            lost_observations: vitals.lost_observations,
            process: vitals.process.as_deref(),
        }
    }
}

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl WorkDocument {
    pub(super) fn new(entry: &AgentEntry, now_ms: i64) -> Self {
        let work = &entry.work;
        Self {
            window_ms: work.window_ms,
            ok: work.ok,
            failed: work.failed,
            success_rate: work.success_rate().map(rounded),
            latency_us: work.latency,
            cost_nano_usd: work.cost_nano_usd,
            cost_usd: work.cost_usd(),
            tokens_in: work.tokens_in,
            tokens_out: work.tokens_out,
            cost_today_nano_usd: work.cost_today_nano_usd,
            tasks_per_minute: entry.tasks_per_minute(now_ms).map(rounded),
        }
    }
}

impl<'a> CommandDocument<'a> {
    fn new(command: &'a CommandStatus) -> Self {
        Self {
            cause: command.cause,
            generation: command.generation,
            by: &command.by,
            reason: &command.reason,
            at: timestamp(command.at_ms),
            delivered_ms: command.delivered_ms,
            obeyed_ms: command.obeyed_ms,
            draining: command.draining,
            disobeyed: command.disobeyed,
        }
    }
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
