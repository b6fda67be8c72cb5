//! What holds for every format, whatever agents are called.

use heartline_config::Secret;
use heartline_operator::message::Notice;
use heartline_vocabulary::text::is_hostile;
use heartline_vocabulary::{NoticeKind, ScopeKind};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Form, Permanence, sample};

fn url() -> Secret {
    Secret::new("https://sink.example/path")
}

fn formats() -> Vec<(&'static str, usize, Box<dyn HttpFormat>)> {
    let key = || Secret::new("KEY");
    vec![
        ("webhook", 20 << 10, Box::new(WebhookFormat { url: url(), secrets: None })),
        ("slack", 40_000, Box::new(SlackFormat { url: url() })),
        ("teams", 28_000, Box::new(TeamsFormat { url: url() })),
        ("discord", 40_000, Box::new(DiscordFormat { url: url() })),
        ("pagerduty", 512_000, Box::new(PagerDutyFormat { events_url: url(), key: key() })),
        ("opsgenie", 200_000, Box::new(OpsgenieFormat { url: url(), key: key() })),
        ("ntfy", 40_000, Box::new(NtfyFormat { url: url(), topic: "ops".into(), token: None })),
    ]
}

fn requests(format: &dyn HttpFormat, notices: &[Notice], form: Form) -> Vec<HttpRequest> {
    let zone = &TimeZone::UTC;
    let (is_repeat, is_stored, now_ms) = (false, true, sample::NOW_MS);
    let delivery = Delivery { notices, form, is_repeat, is_stored, now_ms, zone };
    let label = sample::label();
    let message = Message::of(&delivery, &label).unwrap();
    format.requests(FormatInput { message: &message, delivery: &delivery, label: &label })
}

fn bodies(format: &dyn HttpFormat, notices: &[Notice], form: Form) -> Vec<Value> {
    let requests = requests(format, notices, form);
    requests.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect()
}

/// Calls `visit` with each string, and the key that it stands under.
fn strings<'a>(value: &'a Value, key: &'a str, visit: &mut impl FnMut(&str, &'a str)) {
    match value {
        Value::String(text) => visit(key, text),
        Value::Array(items) => items.iter().for_each(|it| strings(it, key, visit)),
        Value::Object(fields) => fields.iter().for_each(|(key, it)| strings(it, key, visit)),
        _ => {}
    }
}

fn length(text: &Value) -> usize {
    text.as_str().map_or(0, |it| it.encode_utf16().count())
}

/// A notice whose every text is this.
fn hostile(text: &str, kind: NoticeKind, scope: ScopeKind, members: usize) -> Notice {
    let mut notice = sample::notice_of(kind, scope);
    for incident in std::iter::once(&mut notice.incident).chain(&mut notice.listed) {
        incident.scope.name = text.to_owned();
        incident.remark = Some(text.to_owned());
        let mut member = sample::incident(ScopeKind::Agent).members[0].clone();
        member.agent = text.to_owned();
        for field in [&mut member.host, &mut member.cause, &mut member.step] {
            *field = Some(text.to_owned());
        }
        incident.members = vec![member; members];
    }
    notice
}

fn check(format: (&'static str, usize, &dyn HttpFormat), notice: &Notice, form: Form) {
    let (name, limit, format) = format;
    for request in requests(format, std::slice::from_ref(notice), form) {
        assert!(request.body.len() <= limit, "{name}: {} bytes", request.body.len());
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        strings(&body, "", &mut |key, text| {
            let hostile = text.chars().find(|it| is_hostile(*it) && *it != '\n');
            assert_eq!(hostile, None, "{name} {key}: {text:?}");
        });
        let header = request.headers.iter().find(|it| it.1.expose().chars().any(char::is_control));
        assert!(header.is_none(), "{name}");
        check_limits(name, &body);
    }
}

fn check_limits(name: &str, body: &Value) {
    match name {
        "slack" => {
            assert!(length(&body["text"]) <= 4_000);
            let blocks = &body["blocks"];
            assert!(length(&blocks[0]["text"]["text"]) <= 150);
            assert!(length(&blocks[1]["text"]["text"]) <= 3_000);
            // Our own date is the only thing that is not escaped.
            strings(&json!([body["text"], blocks[1]]), "", &mut |_, text| {
                assert!(!text.contains('<') && !text.contains('>'), "{text}");
                let entity = text
                    .split('&')
                    .skip(1)
                    .all(|it| ["amp;", "lt;", "gt;"].iter().any(|entity| it.starts_with(entity)));
                assert!(entity, "{text}");
            });
        }
        "discord" => {
            assert!(length(&body["content"]) <= 2_000);
            let embed = &body["embeds"][0];
            assert!(length(&embed["description"]) <= 4_096);
            assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
            let text = format!("{}{}", body["content"], embed["description"]);
            assert!(!text.replace("\\\\@", "").contains('@'), "{text}");
        }
        "teams" => strings(body, "", &mut |_, text| assert!(!text.contains("]("), "{text}")),
        "pagerduty" => {
            assert!(length(&body["payload"]["summary"]) <= 1_024);
            assert!(length(&body["dedup_key"]) <= 255);
        }
        "opsgenie" => {
            assert!(length(&body["message"]) <= 130);
            assert!(length(&body["alias"]) <= 512 && length(&body["description"]) <= 15_000);
        }
        "ntfy" => {
            let bytes = |it: &Value| it.as_str().map_or(0, str::len);
            assert!(bytes(&body["message"]) <= 4_096 && bytes(&body["title"]) <= 250);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_of_an_agent_breaks_a_format(
        text in "(\\PC|[\u{0}-\u{1f}\u{202a}-\u{202e}\u{200b}<>&@\\[\\]()*_`|\\\\]){0,400}",
        kind in prop::sample::select(NoticeKind::ALL.to_vec()),
        scope in prop::sample::select(ScopeKind::ALL.to_vec()),
        members in 1_usize..=50,
    ) {
        let notice = hostile(&text, kind, scope, members);
        for (name, limit, format) in formats() {
            for form in [Form::Full, Form::Plain] {
                check((name, limit, format.as_ref()), &notice, form);
            }
        }
    }
}

#[test]
fn known_attacks_do_nothing() {
    let attacks = [
        "<!channel> <@U123> <https://evil|click>",
        "@everyone @here <@&42> [x](http://evil)",
        "\u{202e}lin\u{200d}k\r\nBcc: all@example.org",
        "\u{1b}]8;;http://evil\u{7}\"}],\"x\":[{\"",
        &"𝕏".repeat(5_000),
        &"&".repeat(5_000),
        "](x)]](x)",
    ];
    for attack in attacks {
        for scope in [ScopeKind::Agent, ScopeKind::Group] {
            let notice = hostile(attack, NoticeKind::Opened, scope, 50);
            for (name, limit, format) in formats() {
                check((name, limit, format.as_ref()), &notice, Form::Full);
                check((name, limit, format.as_ref()), &notice, Form::Plain);
            }
        }
    }
}

#[test]
fn each_service_is_sent_what_it_documents() {
    let mut all = String::new();
    for (name, _, format) in formats() {
        for kind in [NoticeKind::Opened, NoticeKind::Resolved] {
            for request in requests(format.as_ref(), &[sample::notice(kind)], Form::Full) {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let body = serde_json::to_string_pretty(&body).unwrap();
                let headers = request
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}\n", value.expose()));
                let headers: String = headers.collect();
                all += &format!(
                    "--- {name} {}: {}\n{headers}{body}\n",
                    kind.name(),
                    request.url.expose()
                );
            }
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_key_of_an_incident_and_the_id_of_a_message_stay() {
    let webhook = WebhookFormat { url: url(), secrets: None };
    let id = |notices: &[Notice], form| {
        let request = requests(&webhook, notices, form).remove(0);
        request.headers.iter().find(|it| it.0 == "webhook-id").unwrap().1.expose().to_owned()
    };
    let [opened, resolved] = [NoticeKind::Opened, NoticeKind::Resolved].map(sample::notice);
    assert_eq!(id(std::slice::from_ref(&opened), Form::Full), "heartline-k3x9-tp55kg-1");
    assert_eq!(id(std::slice::from_ref(&opened), Form::Plain), "heartline-k3x9-tp55kg-1");
    assert_eq!(id(&[opened, resolved], Form::Full), "heartline-k3x9-tp55kg-3");
}

#[test]
fn pagers_open_and_close_the_same_alert() {
    let actions = |notices: &[Notice]| -> Vec<String> {
        let format = PagerDutyFormat { events_url: url(), key: Secret::new("K") };
        let event = |it: &Value| {
            let severity = it["payload"]["severity"].as_str().unwrap_or("-");
            format!(
                "{} {} {severity}",
                it["event_action"].as_str().unwrap(),
                it["dedup_key"].as_str().unwrap()
            )
        };
        bodies(&format, notices, Form::Full).iter().map(event).collect()
    };
    let of = |kind| actions(&[sample::notice(kind)]);
    assert_eq!(of(NoticeKind::Opened), ["trigger heartline-k3x9-tp55kg critical"]);
    assert_eq!(of(NoticeKind::Updated), ["trigger heartline-k3x9-tp55kg-grown critical"]);
    let closed = ["resolve heartline-k3x9-tp55kg -", "resolve heartline-k3x9-tp55kg-grown -"];
    assert_eq!(of(NoticeKind::Resolved), closed);
    assert_eq!(of(NoticeKind::Merged), closed);
    assert!(of(NoticeKind::Reminder).is_empty());
    assert_eq!(of(NoticeKind::Test).len(), 2);
    let over = [NoticeKind::Opened, NoticeKind::Resolved].map(sample::notice);
    let untold = ["trigger heartline-k3x9-tp55kg info", "resolve heartline-k3x9-tp55kg -"];
    assert_eq!(actions(&over), untold);
    let storm = of(NoticeKind::Digest);
    assert_eq!(storm[0], "trigger heartline-k3x9-storm critical");
    assert_eq!(storm.len(), 2);
    let mut last = sample::notice(NoticeKind::Digest);
    last.listed.iter_mut().for_each(|it| it.ended_ms = Some(it.opened_ms));
    let calm = actions(&[last]);
    assert_eq!(calm[0], "resolve heartline-k3x9-storm -");
}

#[test]
fn what_counts_as_success_is_what_each_service_documents() {
    let outcome = |format: &dyn HttpFormat, status, body: &str| {
        format.outcome(&HttpAnswer { status, body: body.into(), ..HttpAnswer::default() }, 0)
    };
    let is_taken = |it: &Outcome| matches!(it, Outcome::Delivered { .. });
    let slack = SlackFormat { url: url() };
    assert!(is_taken(&outcome(&slack, 200, "ok")));
    assert!(!is_taken(&outcome(&slack, 200, "")));
    assert!(!is_taken(&outcome(&slack, 200, "<html>sign in</html>")));
    assert!(matches!(outcome(&slack, 400, "invalid_blocks"), Outcome::MessageRefused { .. }));
    assert!(matches!(outcome(&slack, 500, "rollup_error"), Outcome::Retry { .. }));
    let gone = outcome(&slack, 410, "channel_is_archived");
    assert!(matches!(gone, Outcome::SinkRefused { permanence: Permanence::Final, .. }));
    let teams = TeamsFormat { url: url() };
    assert!(is_taken(&outcome(&teams, 202, "")));
    let lie = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
    assert!(matches!(outcome(&teams, 200, lie), Outcome::Retry { .. }));
    let discord = DiscordFormat { url: url() };
    assert!(is_taken(&outcome(&discord, 200, "{\"id\":\"1\"}")));
    let limited = outcome(&discord, 429, "{\"retry_after\":1.5}");
    let Outcome::Retry { after, .. } = limited else { panic!("{limited:?}") };
    assert_eq!(after, Some(std::time::Duration::from_millis(1_500)));
    let pagerduty = PagerDutyFormat { events_url: url(), key: Secret::new("K") };
    assert!(is_taken(&outcome(&pagerduty, 202, "{\"status\":\"success\"}")));
    assert!(matches!(outcome(&pagerduty, 400, "invalid"), Outcome::MessageRefused { .. }));
    let after = |body| match outcome(&pagerduty, 429, body) {
        Outcome::Retry { after, .. } => after.map(|it| it.as_secs()),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!((after(""), after("{\"retry_after\":90}")), (Some(30), Some(90)));
}

#[test]
fn an_acknowledgement_is_read_from_the_answer_of_pagerduty() {
    let body = r#"{"incidents":[{"status":"acknowledged","acknowledgements":[{"at":"2026-11-27T14:05:00Z","acknowledger":{"summary":"Ann\u202e"}}]}]}"#;
    let by = AcknowledgementQuestion::read(body, 7).unwrap().unwrap();
    assert_eq!((by.by.as_str(), by.at_ms), ("Ann\u{fffd} in PagerDuty", 1_795_788_300_000));
    assert_eq!(AcknowledgementQuestion::read(r#"{"incidents":[]}"#, 7), Ok(None));
    let somebody = AcknowledgementQuestion::read(r#"{"incidents":[{}]}"#, 7).unwrap().unwrap();
    assert_eq!((somebody.by.as_str(), somebody.at_ms), ("somebody in PagerDuty", 7));
    assert!(AcknowledgementQuestion::read("<html>", 7).is_err());
    assert!(AcknowledgementQuestion::read("{}", 7).is_err());
}

#[test]
fn an_alert_has_labels_that_stay_and_ends_that_are_true() {
    let label = sample::label();
    let mut format = AlertmanagerFormat::new(label.clone(), None);
    let mut alerts = |notice: &Notice, now_ms| {
        let zone = &TimeZone::UTC;
        let notices = std::slice::from_ref(notice);
        let (form, is_repeat, is_stored) = (Form::Full, false, true);
        let delivery = Delivery { notices, form, is_repeat, is_stored, now_ms, zone };
        let message = Message::of(&delivery, &label).unwrap();
        format.alerts(&notice.incident, &message, now_ms)
    };
    let mut opened = sample::notice(NoticeKind::Opened);
    opened.incident.severity = heartline_vocabulary::Severity::Warning;
    let warning = alerts(&opened, sample::NOW_MS);
    assert_eq!(warning.len(), 1);
    assert_eq!(warning[0]["startsAt"], "2026-11-27T14:02:31Z");
    assert_eq!(warning[0]["endsAt"], "2026-11-27T14:36:31Z");
    // It moves to another host and becomes worse.
    let mut worse = sample::notice(NoticeKind::Updated);
    worse.incident.members[0].host = Some("m4".into());
    let both = alerts(&worse, sample::NOW_MS + 60_000);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["labels"]["severity"], "critical");
    assert_eq!(both[1]["labels"], warning[0]["labels"]);
    assert_eq!(both[1]["startsAt"], "2026-11-27T14:02:31Z");
    assert_eq!(both[1]["endsAt"], "2026-11-27T14:06:31Z");
    let over = alerts(&sample::notice(NoticeKind::Resolved), sample::NOW_MS + 600_000);
    assert!(over.iter().all(|it| it["endsAt"] == "2026-11-27T14:06:31Z"), "{over:?}");
    assert_eq!(over[0]["labels"], both[0]["labels"]);
    let watchdog = format.watchdog(sample::NOW_MS);
    assert_eq!(watchdog["endsAt"], "2026-11-27T14:10:31Z");
    insta::assert_snapshot!(serde_json::to_string_pretty(&json!([over[0], watchdog])).unwrap());
}
