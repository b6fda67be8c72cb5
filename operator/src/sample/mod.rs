//! A small fleet in every state, always the same, for the tests of this and other packages.

mod alert;
mod chart;
mod event;
mod health;
mod history;
#[cfg(test)]
mod message;

pub use alert::{alert_report, incident_id, notice, roster};
pub use chart::agent_charts;
pub use event::{crash, events, events_of_every_kind, late_transition};
pub use health::collector_health;
pub use history::{agent_history, fleet_history, incident_contents, outages, past_fleet, timeline};
#[cfg(test)]
pub(crate) use message::{
    busy_agent, busy_agent_detail, command_outcome, draining_agent, idle_agent, paused_collector,
    refusals, replies, requests,
};

use std::sync::Arc;

use crate::message::*;
use heartline_vocabulary::{
    Action, AgentRowId, AtLimit, BudgetPeriod, BudgetResume, BudgetUnit, ConnectionCounters,
    DatagramCounters, Identity, Phase, ProcessUsage, Reason, SharedIdentity, State, StateCounts,
    WorkTotals,
};

/// 2026-04-01T12:04:31.000Z: the collector's time in these samples.
pub const NOW_MS: i64 = 1_775_045_071_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Returns an agent in good health on `m3-gpu-01`.
pub fn healthy_agent(key: u32, agent: &str) -> AgentEntry {
    let n = i64::from(key);
    AgentEntry {
        id: AgentRowId(n),
        agent: agent.to_owned(),
        identity: Identity {
            pid: Some(4_000 + key * 7),
            shared: Arc::new(SharedIdentity {
                host: Some("m3-gpu-01".into()),
                group: Some(if key.is_multiple_of(2) { "payments" } else { "support" }.into()),
                version: Some("2.4.1".into()),
                framework: Some("langgraph 1.2".into()),
                sdk: Some("heartline-py 0.1.0".into()),
                labels: vec![("env".into(), "prod".into())],
                depends: Vec::new(),
            }),
        },
        vitals: AgentVitals {
            state: State::Healthy,
            reason: None,
            since_ms: NOW_MS - 26 * HOUR - n * 17 * MINUTE,
            last_beat_ms: Some(NOW_MS - (n * 3 % 14) * SECOND),
            progress_ms: Some(NOW_MS - (n * 5 % 20) * SECOND),
            oldest_task_ms: Some(NOW_MS - 2 * SECOND),
            in_flight: 1,
            queue: Some(key % 5),
            step: Some("fetch_invoices".to_owned()),
            phase: Some(Phase::Running),
            interval_ms: 15_000,
            session: 0x5be1_0000_0000_0000 + (u64::from(key) << 48),
            starts: 1 + key % 4,
            beats: 4_000 + u64::from(key),
            lost: u64::from(key % 7),
            lost_observations: Some(0),
            process: None,
            command: None,
            total: WorkTotals {
                ok: 41_000 + u64::from(key),
                failed: 120,
                cost_nano_usd: 41_200_000_000,
                tokens_in: 8_000_000,
                tokens_out: 900_000,
            },
        },
        work: work(key),
    }
}

fn work(key: u32) -> RecentWork {
    let k = u64::from(key);
    RecentWork {
        window_ms: 3_600_000,
        ok: 2_400 + k,
        failed: k % 5,
        latency: Some(LatencyQuantiles {
            p50: 210_000 + k * 1_000,
            p90: 480_000,
            p95: 640_000,
            p99: 1_100_000,
            max: 9_800_000,
        }),
        cost_nano_usd: 880_000_000,
        tokens_in: 1_092_000,
        tokens_out: 126_000,
        cost_today_nano_usd: 2_100_000_000 + k * 10_000_000,
        per_minute: (0..15).map(|minute| 38 + (minute * 7 + key) % 9).collect(),
    }
}

fn in_state(mut entry: AgentEntry, state: State, reason: Reason, ago_ms: i64) -> AgentEntry {
    entry.vitals.state = state;
    entry.vitals.reason = Some(reason);
    entry.vitals.since_ms = NOW_MS - ago_ms;
    entry
}

/// Returns the command that killed `scraper-eu`.
pub fn kill_command(generation: u64) -> CommandStatus {
    CommandStatus {
        action: Action::Kill,
        cause: Reason::Operator,
        generation,
        by: "ops@bastion".to_owned(),
        reason: "cost loop, INC-482".to_owned(),
        at_ms: NOW_MS - 23 * MINUTE,
        delivered_ms: Some(8),
        obeyed_ms: Some(1_200),
        draining: 0,
        disobeyed: false,
    }
}

/// Returns an agent whose beats stopped 8 minutes ago.
pub fn silent_agent(key: u32, agent: &str) -> AgentEntry {
    let ago_ms = 6 * MINUTE + 12 * SECOND;
    let mut entry = in_state(healthy_agent(key, agent), State::Unreachable, Reason::Silent, ago_ms);
    entry.vitals.last_beat_ms = Some(NOW_MS - 8 * MINUTE - 42 * SECOND);
    entry.vitals.progress_ms = Some(NOW_MS - 9 * MINUTE - 40 * SECOND);
    entry.work.ok = 812;
    entry.work.failed = 78;
    entry.work.per_minute = vec![9, 12, 14, 11, 8, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    entry
}

/// Returns an agent whose process runs under a supervisor, and whose own emitter has gone silent.
pub fn emitter_silent_agent(key: u32, agent: &str) -> AgentEntry {
    let healthy = healthy_agent(key, agent);
    let mut entry = in_state(healthy, State::Degraded, Reason::EmitterSilent, 50 * SECOND);
    entry.vitals.process = Some(Box::new(ProcessUsage {
        cpu_permille: 1_004,
        memory_bytes: 1_288_490_189,
        emitter_silent_ms: Some(95_000),
    }));
    entry
}

/// Returns an agent whose process has crashed.
pub fn crashed_agent(key: u32, agent: &str) -> AgentEntry {
    let mut entry =
        in_state(healthy_agent(key, agent), State::Unreachable, Reason::Crashed, 61 * SECOND);
    entry.vitals.in_flight = 0;
    entry.vitals.oldest_task_ms = None;
    entry
}

/// Returns an agent that has obeyed a kill.
pub fn killed_agent(key: u32, agent: &str) -> AgentEntry {
    let mut entry =
        in_state(healthy_agent(key, agent), State::Killed, Reason::Operator, 23 * MINUTE);
    entry.vitals.command = Some(kill_command(4).into());
    entry.vitals.in_flight = 0;
    entry.work.per_minute = vec![20, 22, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    entry
}

/// Returns twenty agents on four hosts: every state, and most reasons.
pub fn fleet() -> Vec<AgentEntry> {
    let mut all = first_host();
    all.extend(on_host("m3-cpu-04", second_host()));
    all.extend(on_host("edge-17", third_host()));
    let nowhere =
        AgentEntry { identity: Identity::default(), ..healthy_agent(20, "laptop-helper") };
    all.push(nowhere);
    all
}

fn numbered(keys: std::ops::Range<u32>, name: &str) -> impl Iterator<Item = AgentEntry> {
    (1..).zip(keys).map(move |(n, key)| healthy_agent(key, &format!("{name}.{n}")))
}

fn on_host(host: &str, mut agents: Vec<AgentEntry>) -> Vec<AgentEntry> {
    for entry in &mut agents {
        Arc::make_mut(&mut entry.identity.shared).host = Some(host.into());
    }
    agents
}

fn first_host() -> Vec<AgentEntry> {
    let mut stalled = in_state(
        healthy_agent(2, "inventory-sync"),
        State::Degraded,
        Reason::Stalled,
        2 * MINUTE + 2 * SECOND,
    );
    stalled.vitals.progress_ms = Some(NOW_MS - 7 * MINUTE - 2 * SECOND);
    stalled.vitals.oldest_task_ms = stalled.vitals.progress_ms;
    let mut late =
        in_state(healthy_agent(3, "email-responder"), State::Degraded, Reason::Late, 13 * SECOND);
    late.vitals.last_beat_ms = Some(NOW_MS - 58 * SECOND);
    late.vitals.progress_ms = Some(NOW_MS - 58 * SECOND);
    let mut waiting = healthy_agent(4, "approval-bot");
    waiting.vitals.phase = Some(Phase::Waiting);
    waiting.vitals.step = Some("a person's approval".to_owned());
    let mut all = vec![silent_agent(1, "report-generator"), stalled, late, waiting];
    all.extend(numbered(5..8, "order-processor"));
    all
}

fn second_host() -> Vec<AgentEntry> {
    let mut stopped =
        in_state(healthy_agent(9, "cron-digest"), State::Killed, Reason::Shutdown, 3 * HOUR);
    stopped.vitals.last_beat_ms = Some(NOW_MS - 3 * HOUR);
    stopped.vitals.in_flight = 0;
    let mut all = vec![killed_agent(8, "scraper-eu"), stopped];
    all.extend(numbered(10..14, "mail"));
    all
}

fn third_host() -> Vec<AgentEntry> {
    let mut conflicting = in_state(
        healthy_agent(14, "payment-matcher"),
        State::Degraded,
        Reason::Conflict,
        4 * MINUTE,
    );
    conflicting.work.ok = 300;
    conflicting.work.failed = 210;
    let mut unknown = healthy_agent(15, "ticket-triage");
    unknown.vitals = AgentVitals {
        state: State::Unknown,
        last_beat_ms: None,
        progress_ms: None,
        oldest_task_ms: None,
        session: 0,
        starts: 0,
        beats: 0,
        lost: 0,
        lost_observations: None,
        phase: None,
        in_flight: 0,
        step: None,
        since_ms: NOW_MS - 40 * SECOND,
        ..unknown.vitals
    };
    unknown.work = RecentWork { window_ms: 3_600_000, ..RecentWork::default() };
    let mut all = vec![conflicting, unknown];
    all.extend(numbered(16..20, "edge-worker"));
    all
}

/// Returns the status of the collector of `fleet`, with some datagrams dropped.
pub fn collector(fleet: &[AgentEntry]) -> CollectorStatus {
    let mut summary = StateCounts::default();
    for entry in fleet {
        summary.add(entry.vitals.status());
    }
    CollectorStatus {
        at_ms: NOW_MS,
        started_ms: NOW_MS - 26 * HOUR,
        version: "0.1.0".to_owned(),
        host: "collector-1".to_owned(),
        udp: vec!["127.0.0.1:4327".to_owned()],
        token_file: "/home/ops/.local/state/heartline/local.token".to_owned(),
        summary,
        datagrams: DatagramCounters { live: 180_000, bad_tag: 3, ..DatagramCounters::default() },
        beats_per_second: 1.6,
        history: HistoryHealth::Kept,
        last_gap_ms: Some(NOW_MS - 24 * MINUTE),
        gaps: 1,
        banners: Vec::new(),
        connections: ConnectionCounters { served: 12, ..ConnectionCounters::default() },
        alerts: AlertSummary::default(),
    }
}

/// Returns everything known of one agent of [`fleet`].
pub fn agent_detail(agent: &str) -> AgentDetail {
    let entry = fleet().into_iter().find(|entry| entry.agent == agent).unwrap();
    let session = |n: u64, ended: Option<&str>| SessionSummary {
        session: entry.vitals.session - (n << 40),
        started_ms: NOW_MS - 26 * HOUR - i64::try_from(n).unwrap() * 11 * HOUR,
        last_beat_ms: entry.vitals.last_beat_ms,
        applied_segment: 4_120 - n * 1_000,
        ended: ended.map(str::to_owned),
    };
    let mut events: Vec<Event> = events();
    events.retain(|event| event.agent.as_deref().is_none_or(|id| id == agent));
    events.reverse();
    AgentDetail {
        first_seen_ms: NOW_MS - 40 * 24 * HOUR,
        address: Some("10.3.0.14:41822".to_owned()),
        key: Some(AgentKeyInfo { scope: String::new(), epoch: 1 }),
        budgets: Vec::new(),
        learning: Vec::new(),
        sessions: vec![session(0, None), session(1, Some("crashed")), session(2, Some("shutdown"))],
        events,
        entry,
    }
}

/// Returns a budget of a group, three quarters of which are used up.
pub fn agent_budget() -> AgentBudget {
    let terms = BudgetTerms {
        name: "mail-day".to_owned(),
        scope: BudgetTarget::Group("mail".to_owned()),
        unit: BudgetUnit::Cost,
        limit: 50_000_000_000,
        period: BudgetPeriod::Day,
        at_limit: AtLimit::Kill,
        resume: BudgetResume::NextWindow,
        from_ms: NOW_MS - 10 * HOUR,
        to_ms: NOW_MS + 14 * HOUR,
        ends: "2026-04-02 00:00 Europe/Berlin".to_owned(),
    };
    AgentBudget { terms, own: 12_400_000_000, used: 38_000_000_000, is_lifted: false }
}

/// Returns what a command for all of these agents would hit.
pub fn preview(agents: &[AgentEntry]) -> SelectionPreview {
    let mut builder = crate::PreviewBuilder::new(50);
    for entry in agents {
        builder.count(entry);
        builder.add(entry.clone(), NOW_MS);
    }
    builder.build(Vec::new(), collector(agents))
}
