//! Notices: durable before they are sent, sent all the same when history is paused, and back at the next start.

use std::time::Duration;

use heartline_fleet::{
    CauseInterval, Incident, IncidentAck, IncidentFacts, Member, OutgoingNotice, Scope, Told,
};
use heartline_vocabulary::{
    AgentStatus, DeliveryState, IncidentId, NoticeId, NoticeKind, ScopeKind,
};
use rusqlite::Connection;

use super::*;
use crate::store::DeliveryRow;

const SILENT: AgentStatus = AgentStatus::unreachable(Reason::Silent);

fn incident(id: u64) -> Incident {
    let scope = Scope { kind: ScopeKind::Host, name: "m3".into() };
    let interval = CauseInterval { from: at(1_000), to: at(2_000) };
    let mut incident = Incident::new(IncidentId(id), scope, interval, (at(2_000), SILENT));
    let member = Member {
        index: None,
        joined: at(3_000),
        status: SILENT,
        since: at(2_000),
        left: None,
        is_affected: false,
    };
    incident.members.insert(AgentRowId(1), member);
    incident.members.insert(AgentRowId(2), Member { left: Some(at(9_000)), ..member });
    incident.in_trouble = 1;
    let told = Told {
        first: at(3_000),
        last: at(4_000),
        in_trouble: 2,
        worst: SILENT,
        is_escalated: true,
        is_listed: false,
    };
    incident.told.insert("chat".into(), told);
    incident.notices = 2;
    incident.acknowledged = Some(IncidentAck { by: "ops@desk".into(), at: at(5_000) });
    incident.flapping = Some(3);
    incident
}

fn notice(incident: &Incident, number: u32, sinks: &[&str]) -> HistoryDbRow {
    let facts = IncidentFacts {
        gone: heartline_fleet::GoneReplicas::default(),
        incident: incident.clone(),
        members: Vec::new(),
        total: 2,
        affected: 0,
        of: 9,
    };
    HistoryDbRow::Notice(Box::new(OutgoingNotice {
        id: NoticeId { incident: incident.id, number },
        kind: NoticeKind::Opened,
        at: at(3_000),
        sinks: sinks.iter().map(|&sink| sink.into()).collect(),
        incident: facts,
        listed: Vec::new(),
    }))
}

fn delivery(number: u32, sink: &str, state: DeliveryState) -> DeliveryRow {
    DeliveryRow {
        notice: NoticeId { incident: IncidentId(7), number },
        sink: sink.into(),
        state,
        at_ms: ZERO_MS,
        answer: "200 ok".into(),
    }
}

fn released(opened: &OpenStore) -> Vec<OutboxNotice> {
    let is_notice = |event| match event {
        OutboxEvent::Notice(notice) => Some(*notice),
        OutboxEvent::Incident { .. } => None,
    };
    loop {
        let events = opened.outbox.recv_timeout(EVENT_TIMEOUT).expect("they are released in time");
        let notices: Vec<OutboxNotice> = events.into_iter().filter_map(is_notice).collect();
        if !notices.is_empty() {
            return notices;
        }
    }
}

fn incident_row(incident: &Incident) -> HistoryDbRow {
    HistoryDbRow::Incident(Box::new(incident.clone()))
}

#[test]
fn an_incident_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let known = incident(7);
    let mut over = incident(8);
    over.ended = Some(at(9_000));
    opened.record([incident_row(&known), incident_row(&over)]);
    let opened = opened.again(&dir);
    let alerts = &opened.restored.alerts;
    assert_eq!(alerts.next_id, IncidentId(9));
    let [back] = &alerts.incidents[..] else { panic!("{:?}", alerts.incidents) };
    assert_eq!((back.id, &back.scope, back.worst), (known.id, &known.scope, known.worst));
    assert_eq!((back.interval, back.opened), (known.interval, known.opened));
    assert_eq!((&back.members, back.in_trouble), (&known.members, known.in_trouble));
    assert_eq!((&back.told, back.notices), (&known.told, known.notices));
    assert_eq!((&back.acknowledged, back.flapping), (&known.acknowledged, known.flapping));
}

#[test]
fn a_notice_is_released_once_it_is_on_disk_and_again_until_it_is_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let known = incident(7);
    opened.record([incident_row(&known), notice(&known, 1, &["chat", "pager"])]);
    let [first] = &released(&opened)[..] else { panic!("one was recorded") };
    assert_eq!(first.notice.id, NoticeId { incident: IncidentId(7), number: 1 });
    assert_eq!(first.sinks, ["chat".into(), "pager".into()]);
    assert!(first.is_stored && !first.is_repeat);
    let note = |rows| opened.store.handle().note_deliveries(rows, Duration::from_secs(60));
    assert!(note(vec![delivery(1, "chat", DeliveryState::Delivered)]));
    assert!(note(vec![delivery(1, "pager", DeliveryState::Attempted)]));
    let opened = opened.again(&dir);
    let [pending] = &opened.restored.alerts.pending[..] else { panic!("one is left") };
    assert_eq!((&pending.notice, &*pending.sinks), (&first.notice, &["pager".into()][..]));
    assert!(pending.is_repeat, "an attempt may have been made");
}

#[test]
fn while_history_is_paused_notices_are_released_unstored_and_are_there_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.record([segment(1, 1, 7, 1)]);
    opened.wait_stored(1);
    let other = Connection::open(path(&dir, "history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let known = incident(7);
    opened.record([incident_row(&known), notice(&known, 1, &["chat"])]);
    assert!(!released(&opened)[0].is_stored, "nobody is told later because history is paused");
    // What comes during the pause is released as well.
    opened.record([notice(&known, 2, &["chat"])]);
    assert_eq!(released(&opened)[0].notice.id.number, 2);
    let delivered = vec![delivery(1, "chat", DeliveryState::Delivered)];
    let noted = opened.store.handle().note_deliveries(delivered, Duration::from_millis(100));
    assert!(!noted, "history is paused");
    other.execute_batch("ROLLBACK").unwrap();
    opened.wait_for(|event| (event == StoreEvent::HistoryResumed).then_some(()));
    let opened = opened.again(&dir);
    let alerts = &opened.restored.alerts;
    assert_eq!(alerts.incidents.len(), 1);
    let pending: Vec<u32> = alerts.pending.iter().map(|it| it.notice.id.number).collect();
    assert_eq!(pending, [2], "that the first one was delivered is known");
}

#[test]
fn a_range_of_incidents_comes_in_pages_with_the_lists_of_storms() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let over = |id, ended_ms| {
        let mut incident = incident(id);
        incident.ended = Some(at(ended_ms));
        incident
    };
    opened.record([incident_row(&over(5, 4_000)), incident_row(&over(6, 9_000))]);
    opened.record([incident_row(&incident(7)), notice(&incident(7), 1, &["chat"])]);
    // Of a list there is a notice, and no record.
    opened.record([notice(&incident(8), 1, &["chat"])]);
    let mut count = 0;
    while count < 2 {
        count += released(&opened).len();
    }
    let mut reader = StoreReader::open(dir.path()).unwrap();
    let mut ids = |since_ms: i64, until_ms: i64, after: u64| -> Vec<u64> {
        let (since_ms, until_ms) = (ZERO_MS + since_ms, ZERO_MS + until_ms);
        let (found, has_more) =
            reader.incidents_between(since_ms, until_ms, IncidentId(after)).unwrap();
        assert!(!has_more);
        found.iter().map(|incident| incident.id.0).collect()
    };
    assert_eq!(ids(0, 100_000, 0), [5, 6, 7, 8]);
    assert_eq!(ids(5_000, 100_000, 0), [6, 7], "5 was over, and the list was sent before");
    assert_eq!(ids(0, 100_000, 6), [7, 8]);
    assert_eq!(ids(0, 1_500, 0), [0_u64; 0], "nothing had begun");
}
