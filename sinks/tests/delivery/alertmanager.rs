//! Alertmanager itself: one alert for each incident, its true end, and the watchdog.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use heartline_config::{Secret, SinkTarget};
use heartline_operator::message::Incident;
use heartline_sinks::{LifeSign, sample};
use heartline_vocabulary::ScopeKind;
use serde_json::Value;

use crate::server::{Reply, TestServer};
use crate::support::{TIMEOUT, sink, told};

const PROGRAM: &str = "prometheus-alertmanager";

/// A running Alertmanager, which notifies a server of the test.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Alertmanager {
    fn start(receiver: &TestServer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "route: {{ receiver: test, group_by: [alertname, incident], group_wait: 1s, group_interval: 1s }}\n\
             receivers:\n- name: test\n  webhook_configs:\n  - url: http://{}/\n",
            receiver.address
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{PROGRAM}: {error}; `cargo xtask test` installs it as root, by apt-get")
        });
        let alertmanager = Self { child, address, _dir: dir };
        alertmanager.wait_until("it is ready", |it| it.get("/-/ready").is_some());
        alertmanager
    }

    /// Waits until something holds, with a deadline.
    fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..200 {
            if holds(self) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("it never came to pass that {what}");
    }

    /// Returns the body of an answer with status 200.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    /// Returns the alerts that are active, by their names.
    fn alerts(&self) -> Vec<Value> {
        let body = self.get("/api/v2/alerts").unwrap();
        let mut alerts: Vec<Value> = serde_json::from_str(&body).unwrap();
        alerts.sort_by_key(|it| it["labels"]["alertname"].to_string());
        alerts
    }

    fn names(&self) -> Vec<String> {
        self.alerts()
            .iter()
            .map(|it| it["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "Alertmanager compares with its own clock")]
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn ms(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Returns the next notification of this alert, and passes over others.
fn next_notification(receiver: &TestServer, name: &str) -> Value {
    loop {
        let notification: Value = serde_json::from_str(&receiver.next().body).unwrap();
        if notification["groupLabels"]["alertname"] == name {
            return notification;
        }
    }
}

#[test]
fn an_incident_is_one_alert_and_ends_when_it_ended() {
    let receiver = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let alertmanager = Alertmanager::start(&receiver);
    let urls = vec![Secret::new(format!("http://{}", alertmanager.address))];
    let mut sink = sink(SinkTarget::Alertmanager { urls, token: None }, TIMEOUT);
    let now = now_ms() / 1_000 * 1_000;
    // 5 members, and open for 4 minutes already.
    let host = Incident { opened_ms: now - 240_000, ..sample::incident(ScopeKind::Host) };
    for at in [now - 2_000, now - 1_000, now] {
        assert_eq!(
            told(&sink.refresh(std::slice::from_ref(&host), &[], LifeSign::Given, at)),
            "delivered: "
        );
    }
    assert_eq!(alertmanager.names(), ["HeartlineHost", "HeartlineWatchdog"]);
    let alerts = alertmanager.alerts();
    assert_eq!(ms(&alerts[0]["startsAt"]), host.opened_ms);
    assert_eq!(ms(&alerts[0]["endsAt"]), now + 30 * 60_000);
    assert_eq!(alerts[0]["labels"]["severity"], "critical");
    assert_eq!(ms(&alerts[1]["endsAt"]), now + 4 * 60_000);
    let told_open = next_notification(&receiver, "HeartlineHost");
    assert_eq!(
        (&told_open["status"], told_open["alerts"].as_array().unwrap().len()),
        (&"firing".into(), 1)
    );
    let description = told_open["alerts"][0]["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("- mail.7 on m3 UNREACHABLE since "), "{description}");

    let ended = Incident { ended_ms: Some(now - 30_000), ..host.clone() };
    for _ in 0..2 {
        assert_eq!(
            told(&sink.refresh(&[], std::slice::from_ref(&ended), LifeSign::Given, now_ms())),
            "delivered: "
        );
    }
    let told_over = next_notification(&receiver, "HeartlineHost");
    assert_eq!(told_over["status"], "resolved");
    assert_eq!(ms(&told_over["alerts"][0]["startsAt"]), host.opened_ms);
    assert_eq!(ms(&told_over["alerts"][0]["endsAt"]), now - 30_000);
    assert_eq!(alertmanager.names(), ["HeartlineWatchdog"]);
}

#[test]
fn ten_thousand_members_are_one_alert_that_it_takes() {
    let receiver = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let alertmanager = Alertmanager::start(&receiver);
    let urls = vec![Secret::new(format!("http://{}", alertmanager.address))];
    let mut sink = sink(SinkTarget::Alertmanager { urls, token: None }, TIMEOUT);
    let mut fleet = sample::incident(ScopeKind::Fleet);
    (fleet.counts.total, fleet.counts.in_trouble, fleet.counts.of) = (10_000, 10_000, 20_000);
    fleet.members = vec![fleet.members[0].clone(); 50];
    fleet.members[0].step = Some("\u{1b}\"}],\u{202e}".repeat(100));
    fleet.opened_ms = now_ms() - 60_000;
    assert_eq!(told(&sink.refresh(&[fleet], &[], LifeSign::Given, now_ms())), "delivered: ");
    let alerts = alertmanager.alerts();
    assert_eq!(alertmanager.names(), ["HeartlineFleet", "HeartlineWatchdog"]);
    let description = alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("… and 9950 more: heartline --ssh ops@collector incidents "),
        "{description}"
    );
    drop(receiver);
}
