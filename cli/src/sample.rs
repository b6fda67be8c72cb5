//! One of everything, for tests.

use heartline_operator::message::{
    AgentEntry, AgentVitals, CollectorStatus, CommandStatus, Event, EventKind, LatencyQuantiles,
    WorkWindow,
};

use heartline_vocabulary::{
    Action, GapCause, Identity, Phase, Reason, SharedIdentity, State, StateCounts, WorkTotals,
};

/// 2026-04-01T14:30:02.120Z.
pub(crate) const NOW_MS: i64 = 1_775_053_802_120;

pub(crate) fn healthy(key: u32, agent: &str) -> AgentEntry {
    AgentEntry {
        key,
        agent: agent.into(),
        identity: Identity {
            pid: Some(4_398),
            ..SharedIdentity { host: Some("m3-gpu-01".into()), ..SharedIdentity::default() }.into()
        },
        vitals: AgentVitals {
            state: State::Healthy,
            reason: None,
            since_ms: NOW_MS - 187_200_000,
            last_beat_ms: Some(NOW_MS - 3_000),
            progress_ms: Some(NOW_MS - 1_000),
            oldest_task_ms: None,
            in_flight: 0,
            queue: None,
            step: Some("fetch".into()),
            phase: Phase::Running,
            interval_ms: 15_000,
            session: 0x5be1_0000_0000_0001,
            starts: 9,
            beats: 12_000,
            lost: 4,
            command: None,
        },
        work: WorkWindow {
            window_ms: 3_600_000,
            ok: 998,
            failed: 2,
            latency: Some(LatencyQuantiles {
                p50: 210_000,
                p90: 480_000,
                p95: 640_000,
                p99: 1_100_000,
                max: 9_800_000,
            }),
            cost_nano_usd: 880_000_000,
            cost_today_nano_usd: 2_100_000_000,
            per_minute: vec![41; 15],
            ..WorkWindow::default()
        },
        total: WorkTotals { ok: 12_000, failed: 24, ..WorkTotals::default() },
    }
}

pub(crate) fn unreachable(agent: &str) -> AgentEntry {
    let mut entry = healthy(2, agent);
    entry.vitals.state = State::Unreachable;
    entry.vitals.reason = Some(Reason::Silent);
    entry.vitals.since_ms = NOW_MS - 372_000;
    entry.vitals.last_beat_ms = Some(NOW_MS - 522_000);
    entry.vitals.progress_ms = None;
    entry.work = WorkWindow::default();
    entry
}

pub(crate) fn killed(agent: &str) -> AgentEntry {
    let mut entry = healthy(3, agent);
    entry.vitals.state = State::Killed;
    entry.vitals.reason = Some(Reason::Operator);
    entry.vitals.command = Some(CommandStatus {
        action: Action::Kill,
        cause: Reason::Operator,
        generation: 4,
        by: "root@host".into(),
        reason: "INC-482 cost loop".into(),
        at_ms: NOW_MS - 500,
        delivered_ms: None,
        obeyed_ms: None,
        draining: 2,
        disobeyed: false,
    });
    entry
}

pub(crate) fn collector(total: u32) -> CollectorStatus {
    CollectorStatus {
        at_ms: NOW_MS,
        started_ms: NOW_MS - 86_400_000,
        version: "0.1.0".into(),
        host: "collector-1".into(),
        udp: vec!["127.0.0.1:4327".into()],
        summary: StateCounts { total, healthy: total, ..StateCounts::default() },
        ..CollectorStatus::default()
    }
}

pub(crate) fn event(cursor: i64, agent: Option<&str>, kind: EventKind) -> Event {
    Event { cursor, at_ms: NOW_MS, agent: agent.map(Into::into), kind }
}

pub(crate) fn transition() -> EventKind {
    EventKind::Transition {
        from: State::Healthy,
        from_reason: None,
        to: State::Degraded,
        reason: Some(Reason::Late),
        lasted_ms: Some(4_320_000),
        by: None,
        cause: Some("3 beats missed (interval 30s)".into()),
    }
}

pub(crate) fn events() -> Vec<Event> {
    let (by, reason) = (String::from("root@host"), String::from("INC-482"));
    let action = Action::Kill;
    let gap = EventKind::Gap {
        from_ms: NOW_MS - 90_000,
        to_ms: NOW_MS - 61_000,
        cause: GapCause::KernelDrops,
    };
    let kinds = [
        EventKind::Registered,
        EventKind::Session { session: 0x19d2, starts: 2 },
        transition(),
        EventKind::Transition {
            from: State::Degraded,
            from_reason: Some(Reason::Late),
            to: State::Unreachable,
            reason: Some(Reason::Silent),
            lasted_ms: Some(42_000),
            by: None,
            cause: None,
        },
        EventKind::Command { action, generation: 4, by: by.clone(), reason },
        EventKind::Obeyed { action, generation: 4, delivered_ms: 3, obeyed_ms: 1_240 },
        EventKind::Disobeyed { generation: 4 },
        EventKind::Forgotten { by },
    ];
    let mut events: Vec<_> = (1..).zip(kinds).map(|(at, k)| event(at, Some("mail.7"), k)).collect();
    events.push(event(9, None, gap));
    events
}
