//! A small fleet in every state, always the same: for the tests of this crate.

mod driver;

pub(crate) use driver::{Driver, Right};

use std::sync::Arc;

use heartline_operator::message::*;
use heartline_vocabulary::{
    Action, GapCause, Identity, Phase, Reason, SharedIdentity, State, StateCounts, WorkTotals,
};

/// 2026-04-01T12:04:31.000Z.
pub(crate) const NOW_MS: i64 = 1_775_045_071_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// An agent in good health on a host.
fn healthy(key: u32, agent: &str, host: &str) -> AgentEntry {
    let n = i64::from(key);
    AgentEntry {
        key,
        agent: agent.to_owned(),
        identity: Identity {
            pid: Some(4_000 + key * 7),
            shared: Arc::new(SharedIdentity {
                host: Some(host.into()),
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
            phase: Phase::Running,
            interval_ms: 15_000,
            session: 0x5be1_0000_0000_0000 + (u64::from(key) << 48),
            starts: 1 + key % 4,
            beats: 4_000 + u64::from(key),
            lost: u64::from(key % 7),
            command: None,
        },
        work: work(key),
        total: WorkTotals {
            ok: 41_000 + u64::from(key),
            failed: 120,
            cost_nano_usd: 41_200_000_000,
            tokens_in: 8_000_000,
            tokens_out: 900_000,
        },
    }
}

fn work(key: u32) -> WorkWindow {
    let k = u64::from(key);
    WorkWindow {
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

fn broken(mut entry: AgentEntry, state: State, reason: Reason, ago_ms: i64) -> AgentEntry {
    entry.vitals.state = state;
    entry.vitals.reason = Some(reason);
    entry.vitals.since_ms = NOW_MS - ago_ms;
    entry
}

/// The command that killed `scraper-eu`.
pub(crate) fn kill(generation: u64) -> CommandStatus {
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

/// Twenty agents on four hosts: every state, and most reasons.
pub(crate) fn fleet() -> Vec<AgentEntry> {
    let mut all = Vec::new();
    let mut unreachable = broken(
        healthy(1, "report-generator", "m3-gpu-01"),
        State::Unreachable,
        Reason::Silent,
        6 * MINUTE + 12 * SECOND,
    );
    unreachable.vitals.last_beat_ms = Some(NOW_MS - 8 * MINUTE - 42 * SECOND);
    unreachable.vitals.progress_ms = Some(NOW_MS - 9 * MINUTE - 40 * SECOND);
    unreachable.work.ok = 812;
    unreachable.work.failed = 78;
    unreachable.work.per_minute = vec![9, 12, 14, 11, 8, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    all.push(unreachable);
    let mut stalled = broken(
        healthy(2, "inventory-sync", "m3-gpu-01"),
        State::Degraded,
        Reason::Stalled,
        2 * MINUTE + 2 * SECOND,
    );
    stalled.vitals.progress_ms = Some(NOW_MS - 7 * MINUTE - 2 * SECOND);
    stalled.vitals.oldest_task_ms = stalled.vitals.progress_ms;
    all.push(stalled);
    let mut late = broken(
        healthy(3, "email-responder", "m3-gpu-01"),
        State::Degraded,
        Reason::Late,
        13 * SECOND,
    );
    late.vitals.last_beat_ms = Some(NOW_MS - 58 * SECOND);
    late.vitals.progress_ms = Some(NOW_MS - 58 * SECOND);
    all.push(late);
    let mut waiting = healthy(4, "approval-bot", "m3-gpu-01");
    waiting.vitals.phase = Phase::Waiting;
    waiting.vitals.step = Some("a person's approval".to_owned());
    all.push(waiting);
    all.extend(
        (5..8).map(|key| healthy(key, &format!("order-processor.{}", key - 4), "m3-gpu-01")),
    );
    all.extend(second_host());
    all.extend(others());
    all
}

fn second_host() -> Vec<AgentEntry> {
    let mut killed =
        broken(healthy(8, "scraper-eu", "m3-cpu-04"), State::Killed, Reason::Operator, 23 * MINUTE);
    killed.vitals.command = Some(kill(4));
    killed.vitals.in_flight = 0;
    killed.work.per_minute = vec![20, 22, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut stopped =
        broken(healthy(9, "cron-digest", "m3-cpu-04"), State::Killed, Reason::Shutdown, 3 * HOUR);
    stopped.vitals.last_beat_ms = Some(NOW_MS - 3 * HOUR);
    stopped.vitals.in_flight = 0;
    let mut all = vec![killed, stopped];
    all.extend((10..14).map(|key| healthy(key, &format!("mail.{}", key - 9), "m3-cpu-04")));
    all
}

fn others() -> Vec<AgentEntry> {
    let mut conflicting = broken(
        healthy(14, "payment-matcher", "edge-17"),
        State::Degraded,
        Reason::Conflict,
        4 * MINUTE,
    );
    conflicting.work.ok = 300;
    conflicting.work.failed = 210;
    let mut unknown = healthy(15, "ticket-triage", "edge-17");
    unknown.vitals = AgentVitals {
        state: State::Unknown,
        last_beat_ms: None,
        progress_ms: None,
        oldest_task_ms: None,
        session: 0,
        starts: 0,
        beats: 0,
        lost: 0,
        in_flight: 0,
        step: None,
        since_ms: NOW_MS - 40 * SECOND,
        ..unknown.vitals
    };
    unknown.work = WorkWindow::default();
    let mut nowhere = healthy(20, "laptop-helper", "x");
    nowhere.identity = Identity::default();
    let mut all = vec![conflicting, unknown];
    all.extend((16..20).map(|key| healthy(key, &format!("edge-worker.{}", key - 15), "edge-17")));
    all.push(nowhere);
    all
}

/// The collector of that fleet. Some datagrams were dropped, so that it shows.
pub(crate) fn collector(at_ms: i64, fleet: &[AgentEntry]) -> CollectorStatus {
    let mut summary =
        StateCounts { total: u32::try_from(fleet.len()).unwrap(), ..StateCounts::default() };
    for entry in fleet {
        match entry.vitals.state {
            State::Healthy => summary.healthy += 1,
            State::Degraded => summary.degraded += 1,
            State::Unreachable => summary.unreachable += 1,
            State::Killed => summary.killed += 1,
            State::Unknown => summary.unknown += 1,
        }
    }
    CollectorStatus {
        at_ms,
        started_ms: NOW_MS - 26 * HOUR,
        version: "0.1.0".to_owned(),
        host: "collector-1".to_owned(),
        udp: vec!["127.0.0.1:4327".to_owned()],
        summary,
        datagrams: DatagramCounters { live: 180_000, bad_tag: 3, ..DatagramCounters::default() },
        beats_per_second: 1.6,
        history: HistoryHealth::Kept,
        last_gap_ms: Some(NOW_MS - 24 * MINUTE),
        gaps: 1,
        banners: Vec::new(),
    }
}

/// What happened on that morning, oldest first.
pub(crate) fn events() -> Vec<Event> {
    let gap = EventKind::Gap {
        from_ms: NOW_MS - 24 * MINUTE - 14 * SECOND,
        to_ms: NOW_MS - 24 * MINUTE,
        cause: GapCause::Down,
    };
    let order = EventKind::Command {
        action: Action::Kill,
        generation: 4,
        by: "ops@bastion".to_owned(),
        reason: "cost loop, INC-482".to_owned(),
    };
    let obeyed = EventKind::Obeyed {
        action: Action::Kill,
        generation: 4,
        delivered_ms: 8,
        obeyed_ms: 1_200,
    };
    let silent = turn(
        (State::Degraded, Reason::Late),
        (State::Unreachable, Reason::Silent),
        "24 beats missed (interval 15s)",
    );
    let stalled = turn(
        (State::Healthy, Reason::Late),
        (State::Degraded, Reason::Stalled),
        "beats arrive, but no progress for 5m00s with 1 task in flight",
    );
    let late = turn(
        (State::Healthy, Reason::Late),
        (State::Degraded, Reason::Late),
        "3 beats missed (interval 15s)",
    );
    let killed = turn(
        (State::Healthy, Reason::Late),
        (State::Killed, Reason::Operator),
        "killed: \"cost loop, INC-482\"",
    );
    [
        (80, Some("mail.2"), EventKind::Registered),
        (75, Some("mail.2"), EventKind::Session { session: 0x77c0_1234_0000_0001, starts: 2 }),
        (24, None, gap),
        (23, Some("scraper-eu"), order),
        (23, Some("scraper-eu"), killed),
        (23, Some("scraper-eu"), obeyed),
        (7, Some("report-generator"), late.clone()),
        (6, Some("report-generator"), silent),
        (2, Some("inventory-sync"), stalled),
        (0, Some("email-responder"), late),
    ]
    .into_iter()
    .zip(1..)
    .map(|((minutes, agent, kind), cursor)| Event {
        cursor,
        at_ms: NOW_MS - minutes * MINUTE - 12_796 + cursor,
        agent: agent.map(str::to_owned),
        kind,
    })
    .collect()
}

fn turn(from: (State, Reason), to: (State, Reason), cause: &str) -> EventKind {
    EventKind::Transition {
        from: from.0,
        from_reason: Some(from.1).filter(|_| from.0 != State::Healthy),
        to: to.0,
        reason: Some(to.1),
        lasted_ms: Some(4_320_000),
        by: (to.0 == State::Killed).then(|| "ops@bastion".to_owned()),
        cause: Some(cause.to_owned()),
    }
}

/// Everything known of one agent of the fleet.
pub(crate) fn detail(agent: &str) -> AgentDetail {
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
        scope: String::new(),
        epoch: 1,
        sessions: vec![session(0, None), session(1, Some("crashed")), session(2, Some("shutdown"))],
        events,
        entry,
    }
}
