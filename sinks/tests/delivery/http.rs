//! What a sink makes of servers that fail in every way.

use std::net::TcpListener;
use std::time::Duration;

use heartline_config::{Secret, SinkTarget};
use heartline_sinks::{Arrival, Outcome, sample};
use heartline_vocabulary::{IncidentId, NoticeKind};

use crate::server::{Reply, TestServer};
use crate::support::{TIMEOUT, delivery, sink, told, webhook};

fn send_to(url: &str, timeout: Duration) -> Outcome {
    let notices = [sample::notice(NoticeKind::Opened)];
    sink(webhook(url), timeout).send(&delivery(&notices))
}

fn send(reply: Reply) -> Outcome {
    send_to(&TestServer::start(vec![reply]).url(), TIMEOUT)
}

#[test]
fn a_request_is_posted_with_its_id() {
    let server = TestServer::start(vec![Reply::Answer(204, &[], "")]);
    let outcome = send_to(&server.url(), TIMEOUT);
    assert_eq!(told(&outcome), "delivered: ");
    let request = server.next();
    assert_eq!(request.line, "POST /hook/SECRETSECRETSECRET HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["webhook-id"], "heartline-k3x9-tp55kg-1");
    assert!(request.headers["user-agent"].starts_with("heartline/"));
    assert!(!request.headers.contains_key("webhook-signature"));
    assert!(request.body.starts_with("{\"type\":\"incident.opened\""));
}

#[test]
fn every_status_has_its_outcome() {
    let table: &[(&[u16], &str)] = &[
        (&[200, 202, 204], "delivered"),
        (&[301, 302, 303, 307, 308, 401, 403, 404, 405, 410], "sink refused"),
        (&[408, 425, 429, 500, 502, 503], "retry"),
        (&[400, 413, 422], "message refused"),
    ];
    for (statuses, expected) in table {
        for &status in *statuses {
            let outcome = told(&send(Reply::Answer(status, &[], "why\u{1b}[2J")));
            assert!(outcome.starts_with(&format!("{expected}: ")), "{status}: {outcome}");
            assert!(!outcome.contains('\u{1b}') && !outcome.contains("SECRET"), "{outcome}");
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let inner = TestServer::start(vec![Reply::Answer(200, &[], "ok")]);
    let location: &'static str = Box::leak(inner.url().into_boxed_str());
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    for status in [301, 302, 303, 307, 308] {
        let outcome = told(&send(Reply::Answer(status, headers, "")));
        let host = format!("redirects to http://{}/…", inner.address);
        assert!(outcome.starts_with("sink refused: ") && outcome.contains(&host), "{outcome}");
        assert!(!outcome.contains("SECRETSECRET"), "{outcome}");
    }
    assert!(inner.is_idle());
}

#[test]
fn a_server_that_hangs_or_dribbles_is_given_up_at_the_deadline() {
    for reply in [Reply::Stall, Reply::Dribble] {
        let server = TestServer::start(vec![reply.clone()]);
        // A server that hangs would hold up the test for ever.
        let outcome = send_to(&server.url(), Duration::from_millis(400));
        let Outcome::Retry { arrival, why, .. } = outcome else { panic!("{reply:?}: {outcome:?}") };
        assert_eq!(arrival, Arrival::Unknown);
        assert_eq!(why, format!("no answer from {} within 0.4 s", server.address));
    }
}

#[test]
fn answers_that_are_none_cost_little_and_are_tried_again() {
    for reply in [Reply::HeaderBomb(1 << 20), Reply::Cut, Reply::Nonsense] {
        let outcome = send(reply.clone());
        let Outcome::Retry { arrival: Arrival::Unknown, why, .. } = &outcome else {
            panic!("{reply:?}: {outcome:?}")
        };
        assert!(!why.contains("SECRET"), "{why}");
    }
    // The status has said what counts; of the body four kilobytes are read.
    let outcome = send(Reply::BodyBomb);
    let Outcome::Delivered { answer, .. } = outcome else { panic!("{outcome:?}") };
    assert!(answer.starts_with("HTTP 200: zzz") && answer.chars().count() < 250);
}

#[test]
fn a_server_that_is_not_there_has_not_got_the_message() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for host in [address.to_string(), "no-such-host.invalid:80".to_owned()] {
        let outcome = send_to(&format!("http://{host}/hook/SECRETSECRETSECRET"), TIMEOUT);
        let Outcome::Retry { arrival: Arrival::No, why, .. } = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(why.starts_with(&format!("{host} could not be reached: ")), "{why}");
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn a_wish_for_a_pause_is_heard_in_all_its_forms() {
    let after = |headers, body| match send(Reply::Answer(429, headers, body)) {
        Outcome::Retry { after, .. } => after.map(|it| it.as_millis()),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(after(&[("Retry-After", "7")], ""), Some(7_000));
    assert_eq!(after(&[("Retry-After", "0.5")], ""), Some(500));
    // A minute after the delivery.
    assert_eq!(after(&[("Retry-After", "Fri, 27 Nov 2026 14:07:31 GMT")], ""), Some(60_000));
    assert_eq!(after(&[], "{\"retry_after\": 1.25}"), Some(1_250));
    let limits = &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", "2.5")];
    assert_eq!(after(limits, ""), Some(2_500));
    assert_eq!(after(&[("Retry-After", "999999")], ""), Some(3_600_000));
}

#[test]
fn slack_that_does_not_say_ok_has_not_got_it() {
    let server = TestServer::start(vec![
        Reply::Answer(200, &[], "<html>maintenance</html>"),
        Reply::Answer(200, &[], "ok"),
    ]);
    let mut slack = sink(SinkTarget::Slack { url: Secret::new(server.url()) }, TIMEOUT);
    let notices = [sample::notice(NoticeKind::Opened)];
    assert!(told(&slack.send(&delivery(&notices))).starts_with("retry: expected Slack to say ok"));
    assert_eq!(told(&slack.send(&delivery(&notices))), "delivered: ");
}

#[test]
fn pagerduty_is_asked_who_has_acknowledged() {
    let body = r#"{"incidents":[{"acknowledgements":[{"at":"2026-11-27T14:05:00Z","acknowledger":{"summary":"Ann"}}]}]}"#;
    let server = TestServer::start(vec![
        Reply::Answer(200, &[], r#"{"incidents":[]}"#),
        Reply::Answer(200, &[], body),
        Reply::Answer(401, &[], "{}"),
    ]);
    let base = Secret::new(format!("http://{}", server.address));
    let mut sink = sink(
        SinkTarget::PagerDuty {
            events_url: base.clone(),
            api_url: base,
            key: Secret::new("key"),
            token: Some(Secret::new("token")),
        },
        TIMEOUT,
    );
    let mut ask = || sink.poll_acknowledged(IncidentId(1_795_750_000), 0);
    assert_eq!(ask(), Ok(None));
    assert_eq!(ask().unwrap().unwrap().by, "Ann in PagerDuty");
    assert_eq!(ask(), Err("HTTP 401: {}".to_owned()));
    let request = server.next();
    assert!(request.line.starts_with("GET /incidents?incident_key=heartline-k3x9-tp55kg&statuses"));
    assert_eq!(request.headers["authorization"], "Token token=token");
}

#[test]
fn an_instance_of_alertmanager_that_is_down_costs_the_others_nothing() {
    let up = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let down = TestServer::start(vec![Reply::Answer(503, &[], "")]);
    let urls = [&down, &up].map(|it| Secret::new(format!("http://{}", it.address))).to_vec();
    let mut sink = sink(SinkTarget::Alertmanager { urls, token: None }, TIMEOUT);
    let outcome = sink.send(&delivery(&[sample::notice(NoticeKind::Opened)]));
    let Outcome::Delivered { answer, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(answer, "1 of 2 instances; HTTP 503");
    assert_eq!(up.next().line, "POST /api/v2/alerts HTTP/1.1");
    assert_eq!(down.next().body, {
        let _same = sink.send(&delivery(&[sample::notice(NoticeKind::Opened)]));
        up.next().body
    });
}
