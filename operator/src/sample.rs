//! One message of every kind, for the tests of this crate.

use crate::message::*;
use heartline_vocabulary::{
    Action, CommandRefusal, CommandTarget, GapCause, Phase, Reason, SharedIdentity, State,
    StateCounts, WorkTotals,
};

/// 2026-04-01T14:30:02.120Z: the collector's time in these samples.
pub(crate) const NOW_MS: i64 = 1_775_053_802_120;

pub(crate) fn idle_entry(key: u32, agent: &str) -> AgentEntry {
    AgentEntry {
        key,
        agent: agent.into(),
        identity: SharedIdentity { host: Some("machine-3".into()), ..SharedIdentity::default() }
            .into(),
        vitals: AgentVitals {
            state: State::Healthy,
            reason: None,
            since_ms: NOW_MS - 3_600_000,
            last_beat_ms: Some(NOW_MS - 3_000),
            progress_ms: None,
            oldest_task_ms: None,
            in_flight: 0,
            queue: None,
            step: None,
            phase: Phase::Running,
            interval_ms: 30_000,
            session: 0x5be1_0000_0000_0001,
            starts: 1,
            beats: 120,
            lost: 0,
            command: None,
        },
        work: WorkWindow::default(),
        total: WorkTotals::default(),
    }
}

/// Returns an agent with every field given.
pub(crate) fn busy_entry() -> AgentEntry {
    let mut entry = idle_entry(1, "order-processor");
    entry.identity.pid = Some(4411);
    std::sync::Arc::make_mut(&mut entry.identity.shared).labels =
        vec![("env".into(), "prod".into()), ("area".into(), "eu".into())];
    entry.vitals = AgentVitals {
        state: State::Unreachable,
        reason: Some(Reason::Silent),
        since_ms: NOW_MS - 12_000,
        last_beat_ms: Some(NOW_MS - 312_000),
        progress_ms: Some(NOW_MS - 340_000),
        oldest_task_ms: Some(NOW_MS - 340_000),
        in_flight: 1,
        step: Some("fetch".into()),
        starts: 3,
        ..entry.vitals
    };
    entry.work = WorkWindow {
        window_ms: 3_600_000,
        ok: 812,
        failed: 78,
        latency: Some(LatencyQuantiles {
            p50: 1_800_000,
            p90: 9_000_000,
            p95: 12_400_000,
            p99: 30_100_000,
            max: 31_000_000,
        }),
        cost_nano_usd: 3_750_000_000,
        cost_today_nano_usd: 9_100_000_000,
        per_minute: vec![0, 0, 4, 6, 9, 12, 41, 3, 0, 0, 0, 0, 0, 0, 0],
        ..WorkWindow::default()
    };
    entry.total = WorkTotals {
        ok: 5210,
        failed: 120,
        cost_nano_usd: 41_200_000_000,
        ..WorkTotals::default()
    };
    entry
}

pub(crate) fn kill_view() -> CommandStatus {
    CommandStatus {
        action: Action::Kill,
        cause: Reason::Operator,
        generation: 4,
        by: "root@host".into(),
        reason: "INC-482 cost loop".into(),
        at_ms: NOW_MS - 500,
        delivered_ms: Some(3),
        obeyed_ms: None,
        draining: 2,
        disobeyed: false,
    }
}

pub(crate) fn killed_entry() -> AgentEntry {
    let mut entry = idle_entry(2, "mail.7");
    std::sync::Arc::make_mut(&mut entry.identity.shared).group = Some("mail".into());
    entry.vitals.state = State::Killed;
    entry.vitals.reason = Some(Reason::Operator);
    entry.vitals.command = Some(kill_view());
    entry
}

pub(crate) fn collector() -> CollectorStatus {
    CollectorStatus {
        at_ms: NOW_MS,
        started_ms: NOW_MS - 86_400_000,
        version: "0.1.0".into(),
        host: "collector-1".into(),
        udp: vec!["127.0.0.1:4327".into()],
        summary: StateCounts {
            total: 20,
            healthy: 16,
            degraded: 1,
            unreachable: 1,
            killed: 2,
            unknown: 0,
        },
        datagrams: DatagramCounters { live: 48_211, bad_tag: 3, ..DatagramCounters::default() },
        beats_per_second: 1.5,
        history: HistoryHealth::Paused("the disk is full".into()),
        last_gap_ms: Some(NOW_MS - 80_000_000),
        gaps: 1,
        banners: vec!["receive buffer clipped to 212992 bytes".into()],
    }
}

pub(crate) fn event(agent: &str, kind: EventKind) -> Event {
    Event { cursor: 7, at_ms: NOW_MS - 61_000, agent: Some(agent.into()), kind }
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
    let session = EventKind::Session { session: 0x19d2, starts: 2 };
    let gap = EventKind::Gap {
        from_ms: NOW_MS - 90_000,
        to_ms: NOW_MS - 61_000,
        cause: GapCause::KernelDrops,
    };
    let kill = EventKind::Command {
        action: Action::Kill,
        generation: 4,
        by: by.clone(),
        reason: reason.clone(),
    };
    let resume =
        EventKind::Command { action: Action::Resume, generation: 5, by: by.clone(), reason };
    let obeyed =
        EventKind::Obeyed { action: Action::Kill, generation: 4, delivered_ms: 3, obeyed_ms: 8 };
    let kinds = [
        transition(),
        kill,
        resume,
        obeyed,
        EventKind::Disobeyed { generation: 4 },
        session,
        EventKind::Registered,
        EventKind::Forgotten { by },
    ];
    let mut events: Vec<_> = kinds.into_iter().map(|kind| event("mail.7", kind)).collect();
    events.push(Event { agent: None, ..event("", gap) });
    events
}

pub(crate) fn detail() -> AgentDetail {
    AgentDetail {
        entry: busy_entry(),
        first_seen_ms: NOW_MS - 864_000_000,
        address: Some("10.3.0.14:50112".into()),
        scope: "order-".into(),
        epoch: 1,
        sessions: vec![SessionSummary {
            session: 0x5be1,
            started_ms: NOW_MS - 7_200_000,
            last_beat_ms: None,
            applied_segment: 40,
            ended: Some("superseded".into()),
        }],
        events: events(),
    }
}

pub(crate) fn outcome() -> CommandOutcome {
    CommandOutcome {
        request_id: 99,
        at_ms: NOW_MS,
        targets: vec![CommandTarget {
            agent: "mail.7".into(),
            generation: 4,
            state: State::Healthy,
            changed: true,
        }],
        refused: None,
    }
}

pub(crate) fn refusals() -> Vec<CommandRefusal> {
    vec![
        CommandRefusal::UnknownAgents(vec!["nobody".into()]),
        CommandRefusal::NoReason,
        CommandRefusal::NoAgents,
        CommandRefusal::CountNotConfirmed { hits: 12, expected: Some(11) },
    ]
}

pub(crate) fn requests() -> Vec<Request> {
    let agents = vec![String::from("mail.7")];
    let scope = String::from("mail.");
    vec![
        Request::Hello { version: VERSION, client: "test".into(), origin: Some("ops@b".into()) },
        Request::Snapshot { agents: Vec::new() },
        Request::Subscribe { agents: agents.clone(), per_second: 4 },
        Request::Agent { agent: "mail.7".into() },
        Request::Events(EventQuery { since_ms: Some(NOW_MS), limit: 50, ..EventQuery::default() }),
        Request::Command(Command {
            request_id: u64::MAX,
            action: Action::Resume,
            agents: agents.clone(),
            reason: "works again".into(),
            expect: Some(1),
        }),
        Request::Forget { agents },
        Request::Token(TokenRequest::Make { scope: scope.clone() }),
        Request::Token(TokenRequest::Revoke { scope: scope.clone(), reason: "lost".into() }),
        Request::Token(TokenRequest::Reinstate { scope }),
        Request::Token(TokenRequest::List),
        Request::Collector,
        Request::Ping,
    ]
}

pub(crate) fn replies() -> Vec<Reply> {
    let token = TokenInfo {
        scope: "mail.".into(),
        epoch: 1,
        made_ms: Some(NOW_MS),
        made_by: Some("root@host".into()),
        revoked_ms: None,
        revoked_reason: None,
    };
    let changes = FleetDelta {
        collector: collector(),
        entries: vec![idle_entry(3, "new")],
        changed: vec![VitalsUpdate { key: 1, vitals: killed_entry().vitals }],
        work: vec![(1, busy_entry().work, WorkTotals::default())],
        removed: vec![2],
        events: events(),
    };
    let mut replies = vec![
        Reply::Hello {
            version: VERSION,
            operator: "ops@host".into(),
            may_control: true,
            collector: CollectorStatus::default(),
        },
        Reply::Page {
            entries: vec![busy_entry(), killed_entry()],
            collector: collector(),
            last: true,
        },
        Reply::Changes(changes),
        Reply::Resync,
        Reply::Agent(Box::new(detail())),
        Reply::Events { events: events(), next: Some(7) },
        Reply::Command(outcome()),
        Reply::Forgotten { agents: vec!["old".into()] },
        Reply::Token(TokenReply::Made { token: "hl1.x".into() }),
        Reply::Token(TokenReply::Done),
        Reply::Token(TokenReply::Unchanged),
        Reply::Token(TokenReply::List(vec![token])),
        Reply::Collector(Box::new(collector())),
        Reply::Pong { at_ms: NOW_MS },
        Reply::Error { code: ErrorCode::NotFound, message: "no agent \"x\"".into() },
        Reply::Goodbye { why: "the collector ends".into() },
    ];
    replies.extend(refusals().into_iter().map(|refusal| {
        Reply::Command(CommandOutcome { refused: Some(refusal), targets: Vec::new(), ..outcome() })
    }));
    replies
}
