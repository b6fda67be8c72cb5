//! One agent: an element of `status --json`, and the whole of `agent --json`.

use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::event::{EventView, event_view};
use super::{At, SCHEMA, rounded};
use crate::figures::session_text;
use crate::message::{AgentDetail, AgentEntry, CommandStatus, LatencyQuantiles, SessionSummary};
use heartline_vocabulary::{Action, Phase, Reason, State, WorkTotals};

/// Everything known of one agent, at the collector's time `now_ms`.
pub fn agent(detail: &AgentDetail, now_ms: i64) -> impl Serialize {
    AgentDocument {
        schema: SCHEMA,
        at: At(now_ms),
        agent: AgentView::new(&detail.entry, now_ms),
        first_seen_at: At(detail.first_seen_ms),
        address: detail.address.as_deref(),
        scope: &detail.scope,
        epoch: detail.epoch,
        sessions: detail.sessions.iter().map(SessionRow::new).collect(),
        events: detail.events.iter().map(event_view).collect(),
    }
}

#[derive(Serialize)]
struct AgentDocument<'a> {
    schema: u8,
    at: At,
    #[serde(flatten)]
    agent: AgentView<'a>,
    first_seen_at: At,
    address: Option<&'a str>,
    scope: &'a str,
    epoch: u8,
    sessions: Vec<SessionRow<'a>>,
    events: Vec<EventView<'a>>,
}

#[derive(Serialize)]
pub(super) struct AgentView<'a> {
    agent: &'a str,
    host: Option<&'a str>,
    pid: Option<u32>,
    group: Option<&'a str>,
    labels: Labels<'a>,
    state: State,
    reason: Option<Reason>,
    since: At,
    last_beat_at: Option<At>,
    beat_age_ms: Option<u64>,
    progress_age_ms: Option<u64>,
    in_flight: u32,
    oldest_in_flight_ms: Option<u64>,
    queue: Option<u32>,
    step: Option<&'a str>,
    interval_ms: u32,
    session: Option<String>,
    starts: u32,
    work: WorkView,
    total: WorkTotals,
    kill: Option<OrderView<'a>>,
    /// A resume that is not obeyed yet.
    resume: Option<OrderView<'a>>,
    phase: Phase,
    beats: u64,
    lost: u64,
    version: Option<&'a str>,
    framework: Option<&'a str>,
    sdk: Option<&'a str>,
    depends: &'a [Arc<str>],
}

impl<'a> AgentView<'a> {
    pub(super) fn new(entry: &'a AgentEntry, now_ms: i64) -> Self {
        let AgentEntry { agent, identity, vitals, total, .. } = entry;
        let order = |action| {
            let command = vitals.command.as_ref().filter(|command| command.action == action);
            command.map(OrderView::new)
        };
        Self {
            agent,
            host: identity.shared.host.as_deref(),
            pid: identity.pid,
            group: identity.shared.group.as_deref(),
            labels: Labels(&identity.shared.labels),
            state: vitals.state,
            reason: vitals.reason,
            since: At(vitals.since_ms),
            last_beat_at: vitals.last_beat_ms.map(At),
            beat_age_ms: vitals.beat_age_ms(now_ms),
            progress_age_ms: vitals.progress_age_ms(now_ms),
            in_flight: vitals.in_flight,
            oldest_in_flight_ms: vitals.oldest_task_age_ms(now_ms),
            queue: vitals.queue,
            step: vitals.step.as_deref(),
            interval_ms: vitals.interval_ms,
            session: entry.session_text(),
            starts: vitals.starts,
            work: WorkView::new(entry, now_ms),
            total: *total,
            kill: order(Action::Kill),
            resume: order(Action::Resume),
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

/// Labels as an object, in the order in which the agent gave them.
struct Labels<'a>(&'a [(Arc<str>, Arc<str>)]);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct WorkView {
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

impl WorkView {
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
struct OrderView<'a> {
    cause: Reason,
    generation: u64,
    by: &'a str,
    reason: &'a str,
    at: At,
    delivered_ms: Option<u64>,
    obeyed_ms: Option<u64>,
    draining: u32,
    disobeyed: bool,
}

impl<'a> OrderView<'a> {
    fn new(command: &'a CommandStatus) -> Self {
        Self {
            cause: command.cause,
            generation: command.generation,
            by: &command.by,
            reason: &command.reason,
            at: At(command.at_ms),
            delivered_ms: command.delivered_ms,
            obeyed_ms: command.obeyed_ms,
            draining: command.draining,
            disobeyed: command.disobeyed,
        }
    }
}

#[derive(Serialize)]
struct SessionRow<'a> {
    session: String,
    started_at: At,
    last_beat_at: Option<At>,
    applied_segment: u64,
    ended: Option<&'a str>,
}

impl<'a> SessionRow<'a> {
    fn new(session: &'a SessionSummary) -> Self {
        Self {
            session: session_text(session.session),
            started_at: At(session.started_ms),
            last_beat_at: session.last_beat_ms.map(At),
            applied_segment: session.applied_segment,
            ended: session.ended.as_deref(),
        }
    }
}
