//! Pings of a watchdog: what they say, what their answers mean, and that nothing is sent ungranted.

use std::time::Duration;

use heartline_config::{Secret, WatchdogConfig};
use heartline_sinks::{Ping, PingRefusal, PingReport, Pinger};

use crate::server::{Reply, TestServer, WAIT};

fn start(url: &str) -> Pinger {
    let (url, every, ca_file) = (Secret::new(url), Duration::from_secs(60), None);
    Pinger::start(WatchdogConfig { url, every, ca_file }).unwrap()
}

/// Grants a ping and waits for what becomes of it.
fn ping(pinger: &Pinger, ping: Ping) -> PingReport {
    pinger.grant(ping).unwrap();
    report(pinger)
}

fn report(pinger: &Pinger) -> PingReport {
    for _ in 0..WAIT.as_millis() {
        if let Some(report) = pinger.take_report() {
            return report;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing became of a ping");
}

#[test]
fn each_kind_has_its_path_and_doubts_have_reasons() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "OK")]);
    let pinger = start(&server.url());
    assert!(server.is_idle(), "nothing is sent before it is granted");
    let reasons = vec!["history is paused: the disk is full".to_owned(), "no tick".to_owned()];
    for (kind, path, body) in [
        (Ping::Start, "/start", ""),
        (Ping::Alive, "", ""),
        (Ping::Doubt(reasons), "/fail", "history is paused: the disk is full\nno tick\n"),
    ] {
        let PingReport { ping: sent, answer, .. } = ping(&pinger, kind.clone());
        assert_eq!((sent, answer), (kind, Ok("HTTP 200: OK".to_owned())));
        let request = server.next();
        assert_eq!(request.line, format!("POST /hook/SECRETSECRETSECRET{path} HTTP/1.1"));
        assert_eq!(request.body, body);
    }
    assert!(server.is_idle());
}

#[test]
fn what_is_no_yes_is_an_error_without_the_url() {
    let elsewhere = &[("location", "http://127.0.0.1:1/SECRETSECRETSECRET")];
    let server = TestServer::start(vec![
        Reply::Answer(302, elsewhere, ""),
        Reply::Answer(200, &[], "OK (not found)"),
        Reply::Answer(404, &[], "not found"),
        Reply::Cut,
    ]);
    let pinger = start(&server.url());
    let host = server.address;
    let said: Vec<String> =
        (0..4).map(|_| ping(&pinger, Ping::Alive).answer.unwrap_err()).collect();
    assert!(said[0].starts_with("HTTP 302: it redirects to http://127.0.0.1:1/"), "{}", said[0]);
    assert_eq!(said[1..3], ["HTTP 200: OK (not found)", "HTTP 404: not found"]);
    assert!(said[3].starts_with(&format!("{host} gave no answer")), "{}", said[3]);
    assert!(said.iter().all(|it| !it.contains("SECRETSECRET")), "{said:?}");
    let nobody = start("http://127.0.0.1:1/SECRETSECRETSECRET");
    let answer = ping(&nobody, Ping::Alive).answer.unwrap_err();
    assert!(answer.starts_with("127.0.0.1:1 could not be reached"), "{answer}");
}

#[test]
fn a_service_that_hangs_holds_up_nobody_and_nothing_piles_up() {
    let server = TestServer::start(vec![Reply::Stall, Reply::Answer(200, &[], "OK")]);
    let pinger = start(&server.url());
    pinger.grant(Ping::Start).unwrap();
    server.next();
    pinger.grant(Ping::Alive).unwrap();
    assert_eq!(pinger.grant(Ping::Alive), Err(PingRefusal::Busy));
    let given_up = report(&pinger);
    assert_eq!(given_up.answer, Err(format!("no answer from {} within 5 s", server.address)));
    assert_eq!(report(&pinger).ping, Ping::Alive, "the one that waited");
}
