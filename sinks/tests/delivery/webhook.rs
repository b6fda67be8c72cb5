//! Webhooks, verified by the library that receivers use.

use std::io::Write as _;

use heartline_config::{Secret, SinkTarget};
use heartline_vocabulary::NoticeKind;
use serde_json::json;

use crate::python::PythonScript;
use crate::server::{Recorded, Reply, TestServer};
use crate::worker::{TestLog, notice, start};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "whsec_/////////////////////////////////////////w==";

struct Receiver(PythonScript);

impl Receiver {
    fn start() -> Self {
        Self(PythonScript::start("verify_webhook.py", &[]))
    }

    fn verify(&mut self, secret: &str, request: &Recorded) -> String {
        let line = json!({ "secret": secret, "headers": request.headers, "body": request.body });
        writeln!(self.0.input(), "{line}").unwrap();
        self.0.next_line()
    }
}

#[test]
fn a_receiver_verifies_each_attempt_also_while_secrets_are_rotated() {
    let server = TestServer::start(vec![Reply::Answer(503, &[], ""), Reply::Answer(200, &[], "")]);
    let (log, _entries) = TestLog::start();
    let secrets = Some(Secret::new(format!("{NEW}\n{OLD}\n")));
    let target = SinkTarget::Webhook { url: Secret::new(server.url()), secrets };
    let mut opened = notice(1, 1, NoticeKind::Opened);
    opened.notice.incident.scope.name = "ümlaut \u{202e}\u{0} 日本".to_owned();
    let worker = start(target, log, vec![opened]);
    let mut receiver = Receiver::start();
    let attempts = [server.next(), server.next()];
    assert_eq!(attempts[0].headers["webhook-id"], attempts[1].headers["webhook-id"]);
    for attempt in &attempts {
        for (secret, verified) in [(OLD, true), (NEW, true), (OTHER, false)] {
            assert_eq!(receiver.verify(secret, attempt) == "ok", verified, "{secret}");
        }
    }
    let mut changed = attempts[0].clone();
    changed.body = changed.body.replace("critical", "warning");
    assert!(receiver.verify(OLD, &changed).starts_with("refused: "));
    let mut old = attempts[0].clone();
    old.headers.insert("webhook-timestamp".into(), "1614265330".into());
    assert_eq!(receiver.verify(OLD, &old), "refused: Message timestamp too old");
    drop(worker.stop());
}

#[test]
fn the_example_of_the_specification_differs_in_its_age_alone() {
    // The library signs it as we do, and refuses it because it is of 2021.
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let body = r#"{"test": 2432232314}"#.to_owned();
    let request = Recorded { line: String::new(), headers, body };
    assert_eq!(Receiver::start().verify(OLD, &request), "refused: Message timestamp too old");
}
