//! Mail, taken by a server that nobody here wrote.

use std::time::Duration;

use heartline_config::{MailTarget, MailTls, Secret, SinkTarget};
use heartline_operator::message::Notice;
use heartline_sinks::{Arrival, Outcome, Sink, sample};
use heartline_vocabulary::NoticeKind;
use serde_json::Value;

use crate::certificate::TestCertificate;
use crate::python::PythonScript;
use crate::support::{TIMEOUT, delivery, sink_that_trusts, told};

/// A mail server on loopback.
struct MailServer {
    script: PythonScript,
    port: u16,
    certificate: TestCertificate,
}

impl MailServer {
    fn start(mode: &str) -> Self {
        let certificate = TestCertificate::for_name("localhost");
        let files =
            [&certificate.certificate_file, &certificate.key_file].map(|it| it.to_str().unwrap());
        let script = PythonScript::start("mail_server.py", &[mode, files[0], files[1]]);
        let port = script.next_line().parse().unwrap();
        Self { script, port, certificate }
    }

    fn sink(&self, to: &[&str], change: impl FnOnce(&mut MailTarget)) -> Sink {
        let mut target = MailTarget {
            host: "localhost".into(),
            port: self.port,
            tls: MailTls::StartTls,
            login: Some(("heartline".into(), Secret::new("right"))),
            from: "Heartline <heartline@example.org>".into(),
            to: to.iter().map(|it| (*it).to_owned()).collect(),
        };
        change(&mut target);
        let timeout = TIMEOUT;
        sink_that_trusts(SinkTarget::Mail(target), timeout, Some(&self.certificate.ca_file))
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.script.next_line()).unwrap()
    }
}

fn send(sink: &mut Sink, kind: NoticeKind) -> Outcome {
    sink.send(&delivery(&[sample::notice(kind)]))
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"][name].as_str().unwrap_or_default()
}

#[test]
fn mails_of_an_incident_make_one_thread_and_preview_what_holds() {
    let server = MailServer::start("starttls");
    let mut sink = server.sink(&["ann@example.org"], |_| {});
    for kind in [NoticeKind::Opened, NoticeKind::Resolved] {
        assert_eq!(told(&send(&mut sink, kind)), "delivered: ");
    }
    let (opened, resolved) = (server.next(), server.next());
    assert_eq!((&opened["tls"], &opened["user"]), (&Value::Bool(true), &Value::from("heartline")));
    assert_eq!(header(&opened, "subject"), "mail.7 on m3: unreachable (inc tp55kg)");
    assert_eq!(header(&resolved, "subject"), "Re: mail.7 on m3: unreachable (inc tp55kg)");
    assert_eq!(header(&opened, "message-id"), "<heartline-k3x9-tp55kg-1@collector.example>");
    assert_eq!(header(&resolved, "message-id"), "<heartline-k3x9-tp55kg-3@collector.example>");
    for mail in [&opened, &resolved] {
        assert_eq!(header(mail, "references"), "<heartline-k3x9-tp55kg@collector.example>");
        assert_eq!(header(mail, "in-reply-to"), header(mail, "references"));
        assert_eq!(header(mail, "auto-submitted"), "auto-generated");
        assert_eq!(header(mail, "x-heartline-incident"), "heartline-k3x9-tp55kg");
        assert_eq!(header(mail, "list-id"), "Heartline alerts <heartline.collector.example>");
        assert_eq!(header(mail, "date"), "Fri, 27 Nov 2026 14:06:31 +0000");
        assert_eq!(mail["defects"], Value::Array(Vec::new()));
    }
    let body = resolved["body"].as_str().unwrap();
    assert!(body.starts_with("RESOLVED after 4 min (14:02:31–14:06:31 UTC)\r\n"), "{body}");
}

#[test]
fn one_refused_recipient_costs_the_others_nothing() {
    let server = MailServer::start("starttls");
    let to = ["refused@example.org", "ann@example.org", "full@example.org", "bob@example.org"];
    let mut sink = server.sink(&to, |_| {});
    let outcome = send(&mut sink, NoticeKind::Opened);
    let Outcome::Delivered { answer, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(answer.starts_with("2 recipients; refused: refused@example.org: 550 "), "{answer}");
    assert!(answer.contains("full@example.org: 552 "), "{answer}");
    let got = [server.next(), server.next()].map(|it| it["to"][0].as_str().unwrap().to_owned());
    assert_eq!(got, ["ann@example.org", "bob@example.org"]);
    let mut sink = server.sink(&["refused@example.org"], |_| {});
    assert!(
        told(&send(&mut sink, NoticeKind::Opened)).starts_with("message refused: 0 recipients")
    );
}

#[test]
fn a_recipient_that_is_put_off_gets_it_later_and_the_others_once() {
    let server = MailServer::start("starttls-open");
    let to = ["ann@example.org", "later@example.org"];
    let mut sink = server.sink(&to, |it| it.login = None);
    let outcome = told(&send(&mut sink, NoticeKind::Opened));
    assert!(outcome.starts_with("retry: later@example.org: 451 "), "{outcome}");
    assert_eq!(told(&send(&mut sink, NoticeKind::Opened)), "delivered: ");
    let mails = [server.next(), server.next()];
    assert_eq!(mails[0]["to"][0], "ann@example.org");
    assert_eq!(mails[1]["to"][0], "later@example.org");
    assert_eq!(header(&mails[0], "message-id"), header(&mails[1], "message-id"));
    assert!(!server.script.has_printed());
}

#[test]
fn nothing_is_sent_in_the_clear_nor_past_a_wrong_certificate_or_login() {
    let plain = MailServer::start("plain");
    let mut sink = plain.sink(&["ann@example.org"], |it| it.login = None);
    let outcome = told(&send(&mut sink, NoticeKind::Opened));
    assert!(outcome.starts_with("sink refused: "), "{outcome}");
    assert!(!plain.script.has_printed());

    let server = MailServer::start("starttls");
    let mut sink = server.sink(&["ann@example.org"], |it| {
        it.login = Some(("heartline".into(), Secret::new("wrong-SECRET")));
    });
    let outcome = told(&send(&mut sink, NoticeKind::Opened));
    assert!(outcome.starts_with("sink refused: the server refuses the login: 535 "), "{outcome}");
    assert!(!outcome.contains("SECRET"));

    let mut sink = server.sink(&["ann@example.org"], |it| it.host = "127.0.0.1".into());
    let outcome = told(&send(&mut sink, NoticeKind::Opened));
    assert!(outcome.starts_with("sink refused: TLS: "), "{outcome}");
    assert!(!server.script.has_printed());
}

#[test]
fn a_server_on_this_machine_may_be_plain() {
    let server = MailServer::start("plain");
    let mut sink = server.sink(&["ann@example.org"], |it| {
        (it.tls, it.login) = (MailTls::None, None);
    });
    assert_eq!(told(&send(&mut sink, NoticeKind::Opened)), "delivered: ");
    assert_eq!(server.next()["tls"], false);
}

#[test]
fn a_name_can_not_add_a_header() {
    let server = MailServer::start("starttls");
    let mut sink = server.sink(&["ann@example.org"], |_| {});
    let mut notice: Notice = sample::notice(NoticeKind::Opened);
    notice.incident.scope.name = "mail.7\r\nBcc: all@example.org\r\n\r\nhello".into();
    notice.incident.members[0].host = Some("m3\nX-Evil: 1".into());
    assert_eq!(told(&sink.send(&delivery(&[notice]))), "delivered: ");
    let mail = server.next();
    assert_eq!(mail["to"].as_array().unwrap().len(), 1);
    assert_eq!((header(&mail, "bcc"), header(&mail, "x-evil")), ("", ""));
    assert!(header(&mail, "subject").starts_with("mail.7  Bcc: all@example.org"));
}

#[test]
fn a_server_that_stalls_is_given_up_and_does_not_pile_up() {
    let server = MailServer::start("starttls-open");
    let target = SinkTarget::Mail(MailTarget {
        host: "localhost".into(),
        port: server.port,
        tls: MailTls::StartTls,
        login: None,
        from: "heartline@example.org".into(),
        to: vec!["stalls@example.org".into()],
    });
    let timeout = Duration::from_millis(500);
    let mut sink = sink_that_trusts(target, timeout, Some(&server.certificate.ca_file));
    let outcome = send(&mut sink, NoticeKind::Opened);
    assert!(matches!(outcome, Outcome::Retry { arrival: Arrival::Unknown, .. }), "{outcome:?}");
}
