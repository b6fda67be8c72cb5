//! One message of every kind, for the tests of this package.

use super::*;
use heartline_vocabulary::{CommandRefusal, CommandTarget, ProcessUsage};

/// Returns an agent that has done nothing yet.
pub(crate) fn idle_agent(key: u32, agent: &str) -> AgentEntry {
    let healthy = healthy_agent(key, agent);
    AgentEntry {
        identity: SharedIdentity { host: Some("machine-3".into()), ..SharedIdentity::default() }
            .into(),
        vitals: AgentVitals {
            since_ms: NOW_MS - HOUR,
            last_beat_ms: Some(NOW_MS - 3 * SECOND),
            progress_ms: None,
            oldest_task_ms: None,
            in_flight: 0,
            queue: None,
            step: None,
            interval_ms: 30_000,
            session: 0x5be1_0000_0000_0001,
            starts: 1,
            beats: 120,
            lost: 0,
            lost_observations: Some(2),
            total: WorkTotals::default(),
            ..healthy.vitals
        },
        work: RecentWork { window_ms: 3_600_000, ..RecentWork::default() },
        ..healthy
    }
}

/// Returns an agent with every field given.
pub(crate) fn busy_agent() -> AgentEntry {
    let mut entry = idle_agent(1, "order-processor");
    entry.identity.pid = Some(4411);
    Arc::make_mut(&mut entry.identity.shared).labels =
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
        process: Some(Box::new(ProcessUsage {
            cpu_permille: 703,
            memory_bytes: 1_288_490_189,
            emitter_silent_ms: Some(95_000),
        })),
        ..entry.vitals
    };
    entry.work = RecentWork {
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
        ..RecentWork::default()
    };
    entry.vitals.total = WorkTotals {
        ok: 5210,
        failed: 120,
        cost_nano_usd: 41_200_000_000,
        ..WorkTotals::default()
    };
    entry
}

/// Returns an idle agent with a kill that is delivered and not obeyed.
pub(crate) fn draining_agent() -> AgentEntry {
    let mut entry = idle_agent(2, "mail.7");
    Arc::make_mut(&mut entry.identity.shared).group = Some("mail".into());
    entry.vitals.state = State::Killed;
    entry.vitals.reason = Some(Reason::Operator);
    let command = CommandStatus { obeyed_ms: None, draining: 2, ..kill_command(4) };
    entry.vitals.command = Some(command.into());
    entry
}

/// Returns the status of a collector whose history is paused.
pub(crate) fn paused_collector() -> CollectorStatus {
    CollectorStatus {
        history: HistoryHealth::Paused("the disk is full".into()),
        banners: vec!["receive buffer clipped to 212992 bytes".into()],
        ..collector(&fleet())
    }
}

/// Returns everything known of [`busy_agent`], with an event of every kind.
pub(crate) fn busy_agent_detail() -> AgentDetail {
    AgentDetail {
        entry: busy_agent(),
        key: Some(AgentKeyInfo { scope: "order-".into(), epoch: 1 }),
        events: events_of_every_kind(),
        budgets: vec![agent_budget()],
        learning: vec![Reason::Slow, Reason::Idle],
        ..agent_detail("report-generator")
    }
}

pub(crate) fn command_outcome() -> CommandOutcome {
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
        CommandRefusal::TargetsChanged,
    ]
}

fn chart_query() -> AgentHistoryQuery {
    AgentHistoryQuery {
        agent: "mail.7".into(),
        since_ms: Some(NOW_MS - HOUR),
        until_ms: NOW_MS,
        step_ms: None,
        chart: Some(AgentChartQuery { steps: 61, bands: 8, cells: 70 }),
    }
}

fn incident_query() -> IncidentQuery {
    IncidentQuery { since_ms: NOW_MS - HOUR, until_ms: NOW_MS, is_redacted: true }
}

fn backup_summary() -> BackupSummary {
    BackupSummary {
        dir: "/srv/backup/1".into(),
        at_ms: NOW_MS,
        files: vec![BackupFile { name: "control.db".into(), bytes: 65_536 }],
        history: HistoryHealth::Paused("the disk is full".into()),
    }
}

pub(crate) fn requests() -> Vec<Request> {
    let agents = vec![String::from("mail.7")];
    let scope = String::from("mail.");
    vec![
        Request::Hello { version: VERSION, client: "test".into(), origin: Some("ops@b".into()) },
        Request::Snapshot { agents: AgentSelector::All },
        Request::Snapshot { agents: AgentSelector::Filter("p95>2s".into()) },
        Request::Preview { agents: AgentSelector::Names(agents.clone()), list: 50 },
        Request::Subscribe { agents: agents.clone(), per_second: 4, takes_bell: true },
        Request::Agent { agent: "mail.7".into() },
        Request::Events(EventQuery { since_ms: Some(NOW_MS), limit: 50, ..EventQuery::default() }),
        Request::Outages(OutageQuery {
            until_ms: Some(NOW_MS),
            as_of_ms: Some(NOW_MS),
            ..OutageQuery::default()
        }),
        Request::AgentHistory(AgentHistoryQuery {
            agent: "mail.7".into(),
            since_ms: None,
            until_ms: NOW_MS,
            step_ms: Some(60_000),
            chart: None,
        }),
        Request::FleetHistory(FleetHistoryQuery {
            since_ms: Some(NOW_MS - 1),
            until_ms: NOW_MS,
            step_ms: None,
            agent: None,
            filter: "host:m3*".into(),
            content: HistoryContent::WorkWithLatencies,
        }),
        Request::AgentHistory(chart_query()),
        Request::AgentNames(AgentNamesQuery {
            until_ms: NOW_MS,
            limit: 7,
            ..AgentNamesQuery::default()
        }),
        Request::Past { at_ms: NOW_MS, filter: "host:m3*".into(), with_work: true },
        Request::Moment { at_ms: NOW_MS },
        Request::Timeline(TimelineQuery {
            from_ms: NOW_MS - HOUR,
            cell_ms: 60_000,
            cells: 60,
            rows: vec![vec![AgentRowId(1)], vec![AgentRowId(2), AgentRowId(3)]],
        }),
        Request::Note(NoteCommand { outage: 7, acknowledges: true, words: "INC-482".into() }),
        Request::Command(AgentCommand {
            request_id: u64::MAX,
            action: Action::Resume,
            agents: AgentSelector::Names(agents.clone()),
            reason: "works again".into(),
            expect: Some(1),
            fingerprint: Some(7),
        }),
        Request::Forget(ForgetCommand {
            agents: AgentSelector::Names(agents.clone()),
            expect: None,
            fingerprint: None,
        }),
        Request::Alerts(AlertQuery::Open),
        Request::Alerts(AlertQuery::Since(NOW_MS - HOUR)),
        Request::Alerts(AlertQuery::One(incident_id())),
        Request::Alerts(AlertQuery::Range {
            since_ms: NOW_MS - HOUR,
            until_ms: NOW_MS,
            after: incident_id(),
        }),
        Request::Acknowledge { incidents: vec![incident_id()] },
        Request::Silence(SilenceCommand::Begin {
            filter: "group:canary".into(),
            until_ms: NOW_MS + HOUR,
            reason: "new model is tried".into(),
        }),
        Request::Silence(SilenceCommand::End { id: 3 }),
        Request::TestSink { sink: "ops-chat".into() },
        Request::MoreNames { names: agents },
        Request::Token(TokenRequest::Make { scope: scope.clone() }),
        Request::Token(TokenRequest::Revoke { scope: scope.clone(), reason: "lost".into() }),
        Request::Token(TokenRequest::Reinstate { scope }),
        Request::Token(TokenRequest::List),
        Request::IncidentContents(incident_query()),
        Request::IncidentFile(incident_query()),
        Request::Backup(BackupCommand { dir: "/srv/backup/1".into(), has_key: true }),
        Request::Roster,
        Request::Collector,
        Request::CollectorHealth,
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
    let delta = FleetDelta {
        turn: 7,
        collector: paused_collector(),
        entries: vec![idle_agent(3, "new")],
        vitals: vec![(AgentRowId(1), draining_agent().vitals)],
        work: vec![(AgentRowId(1), busy_agent().work)],
        removed: vec![AgentRowId(2)],
        events: events_of_every_kind(),
    };
    let mut replies = vec![
        Reply::Hello {
            version: VERSION,
            operator: "ops@host".into(),
            may_control: true,
            collector: Box::default(),
        },
        Reply::Update(SubscriptionUpdate::Page {
            entries: vec![busy_agent(), draining_agent()],
            collector: Box::new(paused_collector()),
            last: true,
        }),
        Reply::Update(SubscriptionUpdate::Delta(Box::new(delta))),
        Reply::Update(SubscriptionUpdate::Resync),
        Reply::Update(SubscriptionUpdate::Bell(BellRing {
            text: "mail.7 on m3: UNREACHABLE since 14:02:31 UTC (4 min)".to_owned(),
        })),
        Reply::Agent(Box::new(busy_agent_detail())),
        Reply::Events { events: events_of_every_kind(), next: Some(7) },
        Reply::Outages { outages: outages(), next: Some(7) },
        Reply::AgentHistory(Box::new(agent_history())),
        Reply::FleetHistory(Box::new(fleet_history())),
        Reply::Roster(Box::new(super::roster())),
        Reply::AgentHistory(Box::new(agent_charts(&chart_query()))),
        Reply::AgentNames { names: vec!["mail.7".into()], has_more: true },
        Reply::Past(past_fleet()),
        Reply::Moment(MomentInfo { at_ms: NOW_MS, first_ms: Some(7), gap: None, agents: 49 }),
        Reply::Timeline(Box::new(timeline())),
        Reply::Noted,
        Reply::Preview(Box::new(preview(&[busy_agent(), draining_agent()]))),
        Reply::Command(command_outcome()),
        Reply::Part(Box::new(Reply::Command(command_outcome()))),
        Reply::Alerts(Box::new(alert_report())),
        Reply::Acknowledged { incidents: vec![incident_id()], is_stored: true },
        Reply::Silenced { id: 3 },
        Reply::SinkTested { answer: "200 ok".into() },
        Reply::Forgotten { agents: vec!["old".into()] },
        Reply::Token(TokenReply::Made { token: "hl1.x".into() }),
        Reply::Token(TokenReply::Done),
        Reply::Token(TokenReply::Unchanged),
        Reply::Token(TokenReply::List(vec![token])),
        Reply::Incident(IncidentUpdate::Working),
        Reply::Incident(IncidentUpdate::Contents(Box::new(incident_contents()))),
        Reply::Incident(IncidentUpdate::Bytes(vec![0, 127, 128, 255])),
        Reply::Incident(IncidentUpdate::End),
        Reply::Backup(BackupUpdate::Progress { done: 1, total: 2 }),
        Reply::Backup(BackupUpdate::Done(backup_summary())),
        Reply::Collector(Box::new(paused_collector())),
        Reply::CollectorHealth(Box::new(super::collector_health())),
        Reply::Pong { at_ms: NOW_MS },
        Reply::Error { code: ErrorCode::NotFound, message: "no agent \"x\"".into() },
        Reply::Goodbye { why: "the collector ends".into() },
    ];
    replies.extend(refusals().into_iter().map(|refusal| {
        Reply::Command(CommandOutcome {
            refused: Some(refusal),
            targets: Vec::new(),
            ..command_outcome()
        })
    }));
    replies
}
