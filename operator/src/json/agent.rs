//! One agent: an element of `status --json`, and the document of `agent --json`.

use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::event::{EventJson, event_json};
use super::{SCHEMA, Timestamp, rounded};
use crate::figures::session_text;
use crate::message::{AgentDetail, AgentEntry, CommandStatus, LatencyQuantiles, SessionSummary};
use heartline_vocabulary::{Action, Phase, Reason, State, WorkTotals};

/// Returns the document of `agent --json`, at the collector's time `now_ms`.
pub fn agent(detail: &AgentDetail, now_ms: i64) -> impl Serialize {
    AgentDetailJson {
        schema: SCHEMA,
        at: Timestamp(now_ms),
        agent: AgentJson::new(&detail.entry, now_ms),
        first_seen_at: Timestamp(detail.first_seen_ms),
        address: detail.address.as_deref(),
        scope: &detail.scope,
        epoch: detail.epoch,
        sessions: detail.sessions.iter().map(SessionJson::new).collect(),
        events: detail.events.iter().map(event_json).collect(),
    }
}

#[derive(Serialize)]
struct AgentDetailJson<'a> {
    schema: u8,
    at: Timestamp,
    #[serde(flatten)]
    agent: AgentJson<'a>,
    first_seen_at: Timestamp,
    address: Option<&'a str>,
    scope: &'a str,
    epoch: u8,
    sessions: Vec<SessionJson<'a>>,
    events: Vec<EventJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct AgentJson<'a> {
    agent: &'a str,
    host: Option<&'a str>,
    pid: Option<u32>,
    group: Option<&'a str>,
    labels: LabelsJson<'a>,
    state: State,
    reason: Option<Reason>,
    since: Timestamp,
    last_beat_at: Option<Timestamp>,
    beat_age_ms: Option<u64>,
    progress_age_ms: Option<u64>,
    in_flight: u32,
    oldest_in_flight_ms: Option<u64>,
    queue: Option<u32>,
    step: Option<&'a str>,
    interval_ms: u32,
    session: Option<String>,
    starts: u32,
    work: WorkJson,
    total: WorkTotals,
    kill: Option<CommandStatusJson<'a>>,
    /// A resume that is not obeyed yet.
    resume: Option<CommandStatusJson<'a>>,
    phase: Phase,
    beats: u64,
    lost: u64,
    version: Option<&'a str>,
    framework: Option<&'a str>,
    sdk: Option<&'a str>,
    depends: &'a [Arc<str>],
}

impl<'a> AgentJson<'a> {
    pub(super) fn new(entry: &'a AgentEntry, now_ms: i64) -> Self {
        let AgentEntry { agent, identity, vitals, total, .. } = entry;
        let command = |action| {
            let command = vitals.command.as_ref().filter(|command| command.action == action);
            command.map(CommandStatusJson::new)
        };
        Self {
            agent,
            host: identity.shared.host.as_deref(),
            pid: identity.pid,
            group: identity.shared.group.as_deref(),
            labels: LabelsJson(&identity.shared.labels),
            state: vitals.state,
            reason: vitals.reason,
            since: Timestamp(vitals.since_ms),
            last_beat_at: vitals.last_beat_ms.map(Timestamp),
            beat_age_ms: vitals.beat_age_ms(now_ms),
            progress_age_ms: vitals.progress_age_ms(now_ms),
            in_flight: vitals.in_flight,
            oldest_in_flight_ms: vitals.oldest_task_age_ms(now_ms),
            queue: vitals.queue,
            step: vitals.step.as_deref(),
            interval_ms: vitals.interval_ms,
            session: entry.session_text(),
            starts: vitals.starts,
            work: WorkJson::new(entry, now_ms),
            total: *total,
            kill: command(Action::Kill),
            resume: command(Action::Resume),
            phase: vitals.phase,
            beats: vitals.beats,
            lost: vitals.lost,
            version: identity.shared.version.as_deref(),
            framework: identity.shared.framework.as_deref(),
            sdk: identity.shared.sdk.as_deref(),
            depends: &identity.shared.depends,
        }
    }
}

/// Labels as an object, in the order that the agent gave.
struct LabelsJson<'a>(&'a [(Arc<str>, Arc<str>)]);

impl Serialize for LabelsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct WorkJson {
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

impl WorkJson {
    fn new(entry: &AgentEntry, now_ms: i64) -> Self {
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

#[derive(Serialize)]
struct CommandStatusJson<'a> {
    cause: Reason,
    generation: u64,
    by: &'a str,
    reason: &'a str,
    at: Timestamp,
    delivered_ms: Option<u64>,
    obeyed_ms: Option<u64>,
    draining: u32,
    disobeyed: bool,
}

impl<'a> CommandStatusJson<'a> {
    fn new(command: &'a CommandStatus) -> Self {
        Self {
            cause: command.cause,
            generation: command.generation,
            by: &command.by,
            reason: &command.reason,
            at: Timestamp(command.at_ms),
            delivered_ms: command.delivered_ms,
            obeyed_ms: command.obeyed_ms,
            draining: command.draining,
            disobeyed: command.disobeyed,
        }
    }
}

#[derive(Serialize)]
struct SessionJson<'a> {
    session: String,
    started_at: Timestamp,
    last_beat_at: Option<Timestamp>,
    applied_segment: u64,
    ended: Option<&'a str>,
}

impl<'a> SessionJson<'a> {
    fn new(session: &'a SessionSummary) -> Self {
        Self {
            session: session_text(session.session),
            started_at: Timestamp(session.started_ms),
            last_beat_at: session.last_beat_ms.map(Timestamp),
            applied_segment: session.applied_segment,
            ended: session.ended.as_deref(),
        }
    }
}
