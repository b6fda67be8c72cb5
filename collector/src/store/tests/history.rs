//! Events, and what a restart restores.

use heartline_fleet::{ProcessExit, Transition, TransitionCause};

use heartline_operator::message::{Event, EventKind, EventOrder, EventQuery};
use heartline_vocabulary::{AgentStatus, ExitStatus, GapCause, SessionEnd};

use super::*;

fn transition(
    id: i64,
    at_ms: i64,
    from: AgentStatus,
    to: AgentStatus,
    cause: TransitionCause,
) -> HistoryDbRow {
    let lasted = Some(Duration::from_millis(4_320));
    let id = AgentRowId(id);
    HistoryDbRow::Transition(Transition { id, at: at(at_ms), from, to, lasted, cause, step: None })
}

fn session(id: i64, session: u64, at_ms: i64, starts: u32) -> HistoryDbRow {
    HistoryDbRow::Session { id: AgentRowId(id), session, at: at(at_ms), starts }
}

fn query(limit: u32) -> EventQuery {
    EventQuery { limit, ..EventQuery::default() }
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

#[test]
fn every_kind_of_event_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let late = AgentStatus::degraded(heartline_vocabulary::Reason::Late);
    let killed = AgentStatus::killed(heartline_vocabulary::Reason::Operator);
    let crashed = AgentStatus::unreachable(heartline_vocabulary::Reason::Crashed);
    let exit = ProcessExit {
        status: ExitStatus { code: Some(1), ..ExitStatus::default() },
        last_lines: ["Traceback:", "", "KeyError: 'total'"].map(Into::into).into(),
    };
    let id = AgentRowId(1);
    let (by, reason): (Box<str>, Box<str>) = ("root@host".into(), "burns money".into());
    register(&opened, 1, "agent-1");
    opened.record([
        session(1, u64::MAX, 100, 1),
        transition(
            1,
            200,
            AgentStatus::HEALTHY,
            late,
            TransitionCause::Missed { beats: 3, interval_ms: 15_000 },
        ),
        HistoryDbRow::Commanded {
            id,
            at: at(300),
            action: Action::Kill,
            generation: 4,
            by: by.clone(),
            reason: reason.clone(),
        },
        transition(1, 300, late, killed, TransitionCause::Command { by: by.clone(), reason }),
        HistoryDbRow::Obeyed {
            id,
            at: at(400),
            action: Action::Kill,
            generation: 4,
            delivered_ms: 3,
            obeyed_ms: 8,
        },
        HistoryDbRow::Disobeyed { id, at: at(500), generation: 4 },
        transition(1, 550, late, crashed, TransitionCause::Exited(exit)),
        HistoryDbRow::Gap { from: at(600), to: at(700), cause: GapCause::KernelDrops },
        HistoryDbRow::Forgotten { id, at: at(800), by },
    ]);
    opened.store.close();
    let (events, next) = reader(&dir).events(&query(100)).unwrap();
    assert_eq!(next, None);
    assert_eq!(
        names(&events),
        [
            "registered",
            "session",
            "transition",
            "kill",
            "transition",
            "obeyed",
            "disobeyed",
            "transition",
            "gap",
            "forgotten"
        ]
    );
    assert!(events.windows(2).all(|two| two[0].cursor < two[1].cursor));
    let kinds: Vec<&EventKind> = events.iter().map(|event| &event.kind).collect();
    assert_eq!(kinds[1], &EventKind::Session { session: u64::MAX, starts: 1 });
    let expected = EventKind::Transition {
        from: heartline_vocabulary::State::Healthy,
        from_reason: None,
        to: heartline_vocabulary::State::Degraded,
        reason: Some(heartline_vocabulary::Reason::Late),
        lasted_ms: Some(4_320),
        by: None,
        cause: Some("3 beats missed (interval 15s)".into()),
        last_lines: Vec::new(),
    };
    assert_eq!((events[2].at_ms, kinds[2]), (ZERO_MS + 200, &expected));
    let expected = EventKind::Command {
        action: heartline_vocabulary::Action::Kill,
        generation: 4,
        by: "root@host".into(),
        reason: "burns money".into(),
    };
    assert_eq!(kinds[3], &expected);
    assert!(matches!(kinds[4], EventKind::Transition { by: Some(by), .. } if by == "root@host"));
    assert!(matches!(kinds[5], EventKind::Obeyed { delivered_ms: 3, obeyed_ms: 8, .. }));
    let EventKind::Transition { cause, last_lines, .. } = kinds[7] else { panic!("{events:?}") };
    assert_eq!(cause.as_deref(), Some("exit code 1: KeyError: 'total'"));
    assert_eq!(last_lines, &["Traceback:", "", "KeyError: 'total'"]);
    let (from_ms, to_ms) = (ZERO_MS + 600, ZERO_MS + 700);
    let cause = heartline_vocabulary::GapCause::KernelDrops;
    assert_eq!((&events[8].agent, kinds[8]), (&None, &EventKind::Gap { from_ms, to_ms, cause }));
    let about: Vec<_> = events.iter().filter_map(|event| event.agent.as_deref()).collect();
    assert_eq!(about, ["agent-1"; 9], "also when it has been forgotten");
}

#[test]
fn pages_of_events_have_no_gap_and_no_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    let rows: Vec<HistoryDbRow> =
        (0..1_000).map(|n| session(1 + n % 2, n as u64, n * 10, n as u32)).collect();
    opened.record(rows);
    opened.store.close();
    let mut reader = reader(&dir);
    let of_agent_2 = |order| EventQuery { agent: Some("agent-2".into()), order, ..query(7) };
    let mut page = of_agent_2(EventOrder::OldestFirst);
    let (mut pages, mut backwards) = (Vec::new(), Vec::new());
    loop {
        let (events, next) = reader.events(&page).unwrap();
        pages.extend(events);
        let Some(next) = next else { break };
        page = page.following(next);
    }
    let mut page = of_agent_2(EventOrder::NewestFirst);
    loop {
        let (events, next) = reader.events(&page).unwrap();
        backwards.splice(0..0, events);
        let Some(next) = next else { break };
        page = page.following(next);
    }
    assert_eq!(pages, backwards, "both ways come to the same");
    let seen = pages.iter().filter_map(|event| match event.kind {
        EventKind::Session { session, .. } => Some(session),
        _ => None,
    });
    assert!(seen.eq((0..1_000).filter(|n| n % 2 == 1)));

    let newest = reader.events(&query(3)).unwrap().0;
    assert!(
        newest.iter().map(|event| event.at_ms).eq([9_970, 9_980, 9_990].map(|at| ZERO_MS + at))
    );
    // Of all that came after a cursor, the newest.
    let away = EventQuery { after: Some(pages[3].cursor), ..query(2) };
    let (newest, next) = reader.events(&away).unwrap();
    assert!(newest.iter().map(|event| event.at_ms).eq([9_980, 9_990].map(|at| ZERO_MS + at)));
    assert_eq!(next, Some(newest[0].cursor));
    let none = EventQuery { after: Some(newest[1].cursor), ..query(2) };
    assert_eq!(reader.events(&none).unwrap(), (Vec::new(), None));
    let span = EventQuery {
        since_ms: Some(ZERO_MS + 5_000),
        until_ms: Some(ZERO_MS + 5_030),
        ..query(2_000)
    };
    let within = reader.events(&span).unwrap().0;
    assert!(
        within.iter().map(|event| event.at_ms).eq([5_000, 5_010, 5_020].map(|at| ZERO_MS + at))
    );
}

#[test]
fn status_and_sessions_are_restored() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    let silent = AgentStatus::unreachable(heartline_vocabulary::Reason::Silent);
    let mut rows = vec![transition(
        1,
        70_000,
        AgentStatus::HEALTHY,
        silent,
        TransitionCause::Missed { beats: 10, interval_ms: 1 },
    )];
    for start in 1..=12u32 {
        let at_ms = i64::from(start) * 1_000;
        rows.push(session(1, u64::from(start), at_ms, start));
        if start > 1 && start != 3 {
            let (id, end) = (AgentRowId(1), SessionEnd::Superseded);
            let ended = u64::from(start) - 1;
            rows.push(HistoryDbRow::SessionEnded { id, session: ended, at: at(at_ms), end });
        }
    }
    rows.push(segment_at(1, 1, 12, 9, 60_000));
    rows.push(HistoryDbRow::LastBeat { id: AgentRowId(1), session: 12, at: at(61_000) });
    opened.record(rows);
    opened.wait_stored(1);
    let opened = opened.again(&dir);
    let agent = opened.agent(1);
    assert_eq!((agent.status, agent.since), (silent, at(70_000)));
    assert_eq!((agent.last_live, agent.starts), (Some(at(61_000)), 12));
    let sessions: Vec<u64> = agent.sessions.iter().map(|session| session.session).collect();
    assert_eq!(
        sessions,
        [12, 11, 10, 9, 8, 7, 6, 5, 2],
        "the last eight, and one that never ended"
    );
    assert_eq!((agent.sessions[0].applied_segment, agent.sessions[0].ended), (9, None));
    assert_eq!(agent.sessions[1].ended, Some(SessionEnd::Superseded));
    let other = opened.agent(2);
    assert_eq!((other.status, other.last_live, other.starts), (AgentStatus::UNKNOWN, None, 0));
    assert!(opened.restored.last_alive.is_some());

    let views = reader(&dir).sessions(AgentRowId(1), 2).unwrap();
    assert_eq!((views[0].session, views[0].last_beat_ms), (12, Some(ZERO_MS + 61_000)));
    assert_eq!(views[1].ended.as_deref(), Some("superseded"));
}
