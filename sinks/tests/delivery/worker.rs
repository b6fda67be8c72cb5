//! Workers: order, merging, refusals, health, and their end.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartline_config::{Secret, SinkTarget};
use heartline_operator::message::{Acknowledgement, Notice};
use heartline_sinks::{
    DeliveryLog, DeliveryRecord, Outcome, PendingNotice, SinkHealth, SinkWorker, WorkerStart,
    sample,
};
use heartline_vocabulary::{IncidentId, NoticeId, NoticeKind};
use jiff::tz::TimeZone;

use crate::server::{Recorded, Reply, TestServer, WAIT};
use crate::support::{TIMEOUT, sink, webhook};

/// A log in memory: it tells of each entry, in order.
pub struct TestLog {
    entries: Mutex<Sender<String>>,
}

impl TestLog {
    pub fn start() -> (Arc<Self>, Receiver<String>) {
        let (sender, entries) = mpsc::channel();
        (Arc::new(Self { entries: Mutex::new(sender) }), entries)
    }

    fn tell(&self, entry: String) {
        // The test may have seen enough.
        let _ended = self.entries.lock().unwrap().send(entry);
    }
}

fn names(ids: impl IntoIterator<Item = NoticeId>) -> String {
    ids.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(" ")
}

impl DeliveryLog for TestLog {
    fn attempt(&self, _: &str, notices: &[PendingNotice], _: i64) {
        self.tell(format!("attempt {}", names(notices.iter().map(|it| it.notice.id))));
    }

    fn outcome(&self, _: &str, notices: &[NoticeId], record: &DeliveryRecord<'_>) {
        let DeliveryRecord { state, answer, .. } = record;
        self.tell(format!("{} {}: {answer}", state.name(), names(notices.iter().copied())));
    }

    fn health(&self, sink: &str, health: &SinkHealth) {
        self.tell(format!("{sink} {health:?}"));
    }

    fn acknowledged(&self, _: &str, incident: IncidentId, by: Acknowledgement) {
        self.tell(format!("{incident} acknowledged by {}", by.by));
    }
}

pub fn notice(incident: u64, number: u32, kind: NoticeKind) -> PendingNotice {
    let mut notice = sample::notice(kind);
    notice.incident.id = IncidentId(incident);
    notice.id = NoticeId { incident: IncidentId(incident), number };
    PendingNotice { notice, is_stored: true, may_have_arrived: false }
}

pub fn start(target: SinkTarget, log: Arc<TestLog>, pending: Vec<PendingNotice>) -> SinkWorker {
    start_within(target, log, pending, TIMEOUT)
}

fn start_within(
    target: SinkTarget,
    log: Arc<TestLog>,
    pending: Vec<PendingNotice>,
    timeout: Duration,
) -> SinkWorker {
    let (sink, zone) = (sink(target, timeout), TimeZone::UTC);
    let (open, ended, silenced) = (Vec::new(), Vec::new(), BTreeSet::new());
    SinkWorker::start(WorkerStart { sink, log, zone, pending, open, ended, silenced }).unwrap()
}

fn next(entries: &Receiver<String>) -> String {
    entries.recv_timeout(WAIT).expect("the worker tells something")
}

fn title(request: &Recorded) -> String {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    body["data"]["title"].as_str().unwrap().to_owned()
}

#[test]
fn notices_go_out_in_order_and_each_attempt_is_noted_before_it_is_made() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "fine")]);
    let (log, entries) = TestLog::start();
    let pending = (1..=3).map(|it| notice(it, 1, NoticeKind::Opened)).collect();
    let worker = start(webhook(&server.url()), log, pending);
    worker.enqueue(notice(4, 1, NoticeKind::Opened));
    for id in 1..=4 {
        assert_eq!(next(&entries), format!("attempt {id}-1"));
        assert_eq!(next(&entries), format!("delivered {id}-1: HTTP 200: fine"));
        assert_eq!(server.next().headers["webhook-id"], format!("heartline-k3x9-{id}-1"));
    }
    let status = worker.status();
    assert_eq!((status.delivered, status.pending, status.health), (4, 0, SinkHealth::Works));
    assert!(worker.stop().is_empty());
}

#[test]
fn retries_have_one_id_and_say_that_they_may_be_repeats() {
    let server = TestServer::start(vec![
        Reply::Answer(503, &[], ""),
        Reply::Cut,
        Reply::Answer(200, &[], ""),
    ]);
    let (log, _entries) = TestLog::start();
    let worker = start(webhook(&server.url()), log, vec![notice(1, 1, NoticeKind::Opened)]);
    let requests = [server.next(), server.next(), server.next()];
    for request in &requests {
        assert_eq!(request.headers["webhook-id"], "heartline-k3x9-1-1");
    }
    // 503 was an answer: it did not arrive. After the cut nobody knows.
    let repeats = requests.map(|it| title(&it).contains("may be a repeat"));
    assert_eq!(repeats, [false, false, true]);
    drop(worker.stop());
}

#[test]
fn what_has_become_stale_is_told_as_one_and_named() {
    let server = TestServer::start(vec![
        Reply::Answer(503, &[("retry-after", "1")], ""),
        Reply::Answer(200, &[], ""),
    ]);
    let (log, entries) = TestLog::start();
    let worker = start(webhook(&server.url()), log, vec![notice(1, 1, NoticeKind::Opened)]);
    assert_eq!(next(&entries), "attempt 1-1");
    assert_eq!(next(&entries), "pending 1-1: HTTP 503");
    worker.enqueue(notice(1, 2, NoticeKind::Updated));
    worker.enqueue(notice(2, 1, NoticeKind::Opened));
    worker.enqueue(notice(1, 3, NoticeKind::Resolved));
    assert_eq!(next(&entries), "attempt 1-1 1-2 1-3");
    assert_eq!(next(&entries), "delivered 1-3: HTTP 200");
    assert_eq!(next(&entries), "merged 1-1 1-2: told by 1-3");
    assert_eq!(next(&entries), "attempt 2-1");
    server.next();
    let merged = server.next();
    assert!(
        title(&merged).contains("RESOLVED after 4 min")
            && title(&merged).ends_with("delivered late")
    );
    assert!(
        merged.body.contains("\"told\":[{\"id\":\"1-1\",\"kind\":\"opened\""),
        "{}",
        merged.body
    );
    drop(worker.stop());
}

#[test]
fn a_refused_message_goes_once_more_as_plain_text() {
    let server = TestServer::start(vec![
        Reply::Answer(400, &[], "invalid_blocks"),
        Reply::Answer(200, &[], "ok"),
        Reply::Answer(422, &[], "no"),
        Reply::Answer(422, &[], "still no"),
        Reply::Answer(200, &[], "ok"),
    ]);
    let (log, entries) = TestLog::start();
    let target = SinkTarget::Slack { url: Secret::new(server.url()) };
    let pending = (1..=3).map(|it| notice(it, 1, NoticeKind::Opened)).collect();
    let worker = start(target, log, pending);
    let told: Vec<String> = (0..8).map(|_| next(&entries)).collect();
    assert_eq!(
        told,
        [
            "attempt 1-1",
            "attempt 1-1",
            "delivered 1-1: HTTP 200: ok",
            "attempt 2-1",
            "attempt 2-1",
            "refused 2-1: HTTP 422: still no",
            "attempt 3-1",
            "delivered 3-1: HTTP 200: ok",
        ]
    );
    let has_blocks = |it: Recorded| it.body.contains("\"blocks\"");
    let forms = [(); 5].map(|()| has_blocks(server.next()));
    assert_eq!(forms, [true, false, true, false, true]);
    let status = worker.status();
    assert_eq!((status.refused, status.health), (1, SinkHealth::Works));
    drop(worker.stop());
}

#[test]
fn a_sink_that_refuses_is_broken_and_keeps_what_is_pending() {
    let server = TestServer::start(vec![Reply::Answer(404, &[], "no_service")]);
    let (log, entries) = TestLog::start();
    let pending = vec![notice(1, 1, NoticeKind::Opened), notice(2, 1, NoticeKind::Opened)];
    let worker = start(webhook(&server.url()), log, pending.clone());
    assert_eq!(next(&entries), "attempt 1-1");
    assert_eq!(next(&entries), "ops Broken { why: \"HTTP 404: no_service\" }");
    assert_eq!(next(&entries), "pending 1-1: HTTP 404: no_service");
    assert_eq!(worker.status().last_failure.as_deref(), Some("HTTP 404: no_service"));
    assert_eq!(worker.stop(), pending);
}

#[test]
fn a_test_is_answered_at_once_and_shows_that_a_sink_works_again() {
    let server =
        TestServer::start(vec![Reply::Answer(410, &[], "gone"), Reply::Answer(200, &[], "")]);
    let (log, entries) = TestLog::start();
    let worker = start(webhook(&server.url()), log, vec![notice(1, 1, NoticeKind::Opened)]);
    next(&entries);
    assert_eq!(next(&entries), "ops Disabled { why: \"HTTP 410: gone\" }");
    let (reply, answer) = mpsc::channel();
    let test: Notice = sample::notice(NoticeKind::Test);
    worker.test(test, move |outcome| reply.send(outcome).unwrap());
    let outcome = answer.recv_timeout(WAIT).unwrap();
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let told: Vec<String> = (0..4).map(|_| next(&entries)).collect();
    assert_eq!(told[1..], ["ops Works", "attempt 1-1", "delivered 1-1: HTTP 200"]);
    drop(worker.stop());
}

#[test]
fn a_worker_ends_with_the_request_that_is_under_way() {
    let server = TestServer::start(vec![Reply::Stall]);
    let (log, _entries) = TestLog::start();
    let pending: Vec<_> = (1..=5).map(|it| notice(it, 1, NoticeKind::Opened)).collect();
    let target = webhook(&server.url());
    let worker = start_within(target, log, pending.clone(), Duration::from_millis(500));
    server.next();
    let back = worker.stop();
    assert_eq!(back.len(), 5);
    // Its request may have arrived, so the next attempt says so.
    assert!(back[0].may_have_arrived && !back[1].may_have_arrived);
    assert!(server.is_idle(), "nothing else was sent");
}

#[test]
fn alertmanager_is_told_of_all_that_is_open_without_being_asked() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let (log, _entries) = TestLog::start();
    let urls = vec![Secret::new(format!("http://{}", server.address))];
    let open = vec![sample::incident(heartline_vocabulary::ScopeKind::Host)];
    let sink = sink(SinkTarget::Alertmanager { urls, token: None }, TIMEOUT);
    let (zone, pending, ended) = (TimeZone::UTC, Vec::new(), Vec::new());
    let silenced = BTreeSet::new();
    let start = WorkerStart { sink, log, zone, pending, open, ended, silenced };
    let worker = SinkWorker::start(start).unwrap();
    let alerts: serde_json::Value = serde_json::from_str(&server.next().body).unwrap();
    let names: Vec<_> =
        alerts.as_array().unwrap().iter().map(|it| &it["labels"]["alertname"]).collect();
    // Whether agents are judged was not said yet.
    assert_eq!(names, ["HeartlineHost"]);
    drop(worker.stop());
}

#[test]
fn alertmanager_is_told_that_the_collector_lives_only_when_whoever_judges_says_so() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let (log, entries) = TestLog::start();
    let urls = vec![Secret::new(format!("http://{}", server.address))];
    let worker = start(SinkTarget::Alertmanager { urls, token: None }, log, Vec::new());
    let begun = worker.pulse().turns();
    // It looks for a life sign, and turns, and sends nothing.
    let deadline = std::time::Duration::from_millis(10);
    while worker.pulse().turns() < begun + 3 {
        assert!(entries.recv_timeout(deadline).is_err(), "nothing is found out about the sink");
    }
    assert!(server.is_idle());
    worker.pulse().permit();
    let alerts: serde_json::Value = serde_json::from_str(&server.next().body).unwrap();
    assert_eq!(alerts[0]["labels"]["alertname"], "HeartlineWatchdog");
    drop(worker.stop());
}

#[test]
fn a_silence_that_begins_between_two_attempts_holds_the_second_one_back() {
    let server = TestServer::start(vec![
        Reply::Answer(503, &[("retry-after", "1")], ""),
        Reply::Answer(200, &[], ""),
    ]);
    let (log, entries) = TestLog::start();
    let worker = start(webhook(&server.url()), log, vec![notice(1, 1, NoticeKind::Opened)]);
    server.next();
    let silenced = BTreeSet::from([IncidentId(1)]);
    worker.hold(&silenced);
    // What is of no silenced incident goes on, in the time of the second attempt.
    worker.enqueue(notice(2, 1, NoticeKind::Opened));
    assert_eq!(server.next().headers["webhook-id"], "heartline-k3x9-2-1");
    assert_eq!(worker.status().pending, 1);
    worker.release(&silenced);
    assert_eq!(server.next().headers["webhook-id"], "heartline-k3x9-1-1");
    let told: Vec<String> = std::iter::repeat_with(|| next(&entries)).take(8).collect();
    for wanted in ["held 1-1: silenced", "pending 1-1: the silence is over"] {
        assert!(told.iter().any(|it| it == wanted), "{wanted}: {told:?}");
    }
    drop(worker.stop());
}

#[test]
fn a_silence_until_the_end_lets_nobody_hear_of_it_and_alertmanager_neither() {
    let server = TestServer::start(vec![
        Reply::Answer(503, &[("retry-after", "1")], ""),
        Reply::Answer(200, &[], ""),
    ]);
    let (log, entries) = TestLog::start();
    let urls = vec![Secret::new(format!("http://{}", server.address))];
    let pending = vec![notice(1, 1, NoticeKind::Opened)];
    let worker = start(SinkTarget::Alertmanager { urls, token: None }, log, pending);
    server.next();
    let silenced = BTreeSet::from([IncidentId(1)]);
    worker.hold(&silenced);
    worker.enqueue(notice(1, 2, NoticeKind::Resolved));
    worker.release(&silenced);
    while next(&entries) != "silenced 1-1 1-2: silenced until it was over" {}
    assert_eq!(worker.status().pending, 0);
    // The next request is of the life sign, with no word of the incident.
    worker.pulse().permit();
    let alerts: serde_json::Value = serde_json::from_str(&server.next().body).unwrap();
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    assert_eq!(alerts[0]["labels"]["alertname"], "HeartlineWatchdog");
    drop(worker.stop());
}
