//! Texts by templates, as they arrive.

use heartline_config::{Secret, SinkTarget};
use heartline_sinks::{LifeSign, sample};
use heartline_vocabulary::NoticeKind;
use serde_json::Value;

use crate::server::{Reply, TestServer};
use crate::support::{delivery, sink_with_texts, told};

fn body(server: &TestServer) -> Value {
    serde_json::from_str(&server.next().body).unwrap()
}

#[test]
fn a_chat_gets_the_text_of_its_template() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "ok")]);
    let target = SinkTarget::Slack { url: Secret::new(server.url()) };
    let text =
        "<!here> {{ name }}\n{% for m in members %}\n• {{ m.agent }}: {{ m.step }}\n{% endfor %}";
    let mut sink = sink_with_texts(target, "{{ severity|upper }} {{ about }}", text);
    let mut notice = sample::notice(NoticeKind::Opened);
    notice.incident.members[0].step = Some("<!channel> {{ 7 * 7 }}".to_owned());
    assert_eq!(told(&sink.send(&delivery(&[notice]))), "delivered: ");
    let sent = body(&server);
    assert_eq!(sent["blocks"][0]["text"]["text"], "CRITICAL mail.7 on m3");
    let expected = "<!here> mail.7\n• mail.7: &lt;!channel&gt; {{ 7 * 7 }}";
    assert_eq!(sent["blocks"][1]["text"]["text"], expected);
    assert_eq!(sent["text"], format!("CRITICAL mail.7 on m3\n{expected}"));
}

#[test]
fn a_text_that_fails_is_told_by_the_built_in_one_and_the_answer_says_so() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "{}")]);
    let url = Secret::new(server.url());
    let target = SinkTarget::Ntfy { url, topic: "ops".to_owned(), token: None };
    let mut sink = sink_with_texts(target, "{{ title }}", "{% if kind == 'test' %}x{% endif %}");
    let outcome = sink.send(&delivery(&[sample::notice(NoticeKind::Opened)]));
    let heartline_sinks::Outcome::Delivered { answer, .. } = outcome else { panic!("{outcome:?}") };
    assert!(answer.ends_with("text built-in, for the template body: it says nothing"), "{answer}");
    let message = body(&server)["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Why    10 beats missed"), "{message}");
    assert!(
        message.ends_with("Text   built-in, for the template body: it says nothing"),
        "{message}"
    );
    // One of another kind goes as it was written.
    sink.send(&delivery(&[sample::notice(NoticeKind::Test)]));
    assert_eq!(body(&server)["message"], "x");
}

#[test]
fn annotations_of_alertmanager_have_the_text_also_when_they_are_sent_again() {
    let server = TestServer::start(vec![Reply::Answer(200, &[], "")]);
    let urls = vec![Secret::new(server.url())];
    let target = SinkTarget::Alertmanager { urls, token: None };
    let mut sink = sink_with_texts(target, "own {{ name }}", "own {{ since }}");
    let notice = sample::notice(NoticeKind::Opened);
    sink.send(&delivery(std::slice::from_ref(&notice)));
    let first = body(&server);
    assert_eq!(first[0]["annotations"]["summary"], "own mail.7");
    assert_eq!(first[0]["annotations"]["description"], "own 14:02:31 UTC");
    sink.refresh(&[notice.incident], &[], LifeSign::Withheld, sample::NOW_MS);
    assert_eq!(body(&server)[0]["annotations"], first[0]["annotations"]);
}
