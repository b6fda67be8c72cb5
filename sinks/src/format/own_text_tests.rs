use heartline_config::{Secret, SinkTemplates, TextTemplate};
use heartline_operator::message::Notice;
use heartline_vocabulary::text::is_hostile;
use heartline_vocabulary::{NoticeKind, ScopeKind};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::text::OwnTexts;
use crate::{Form, sample};

fn formats() -> Vec<(&'static str, Box<dyn HttpFormat>)> {
    let url = || Secret::new("https://sink.example/path");
    let key = || Secret::new("KEY");
    vec![
        ("slack", Box::new(SlackFormat { url: url() })),
        ("teams", Box::new(TeamsFormat { url: url() })),
        ("discord", Box::new(DiscordFormat { url: url() })),
        ("pagerduty", Box::new(PagerDutyFormat { events_url: url(), key: key() })),
        ("opsgenie", Box::new(OpsgenieFormat { url: url(), key: key() })),
        ("ntfy", Box::new(NtfyFormat { url: url(), topic: "ops".into(), token: None })),
    ]
}

/// Returns the texts of title and body in what a service is sent.
fn texts(name: &str, body: &Value) -> [String; 2] {
    let places = match name {
        "slack" => ["/blocks/0/text/text", "/blocks/1/text/text"],
        "teams" => ["/attachments/0/content/body/0/text", "/attachments/0/content/body/1/text"],
        "discord" => ["/content", "/embeds/0/description"],
        "pagerduty" => ["/payload/summary", "/payload/custom_details/details"],
        "opsgenie" => ["/message", "/description"],
        "ntfy" => ["/title", "/message"],
        _ => panic!("{name}"),
    };
    places.map(|it| body.pointer(it).and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn sent(
    format: &dyn HttpFormat,
    title: &str,
    body: &str,
    notice: &Notice,
    form: Form,
) -> (Value, usize) {
    let template = |text| Some(TextTemplate::parse(text).unwrap());
    let templates = SinkTemplates { title: template(title), body: template(body) };
    let mut own = OwnTexts::new("ops".to_owned(), templates);
    let (zone, now_ms) = (&TimeZone::UTC, sample::NOW_MS);
    let (is_repeat, is_stored, notices) = (false, true, std::slice::from_ref(notice));
    let delivery = Delivery { notices, form, is_repeat, is_stored, now_ms, zone };
    let label = sample::label();
    let mut message = Message::of(&delivery, &label).unwrap();
    own.apply(&mut message, &delivery, &label);
    let input = FormatInput { message: &message, delivery: &delivery, label: &label };
    let request = format.requests(input).remove(0);
    (serde_json::from_slice(&request.body).unwrap(), request.body.len())
}

fn named(name: &str) -> Notice {
    let mut notice = sample::notice(NoticeKind::Opened);
    notice.incident.scope.name = name.to_owned();
    notice.incident.members[0].step = Some(name.to_owned());
    notice
}

#[test]
fn own_text_goes_as_it_was_written_and_values_are_escaped() {
    let attack = "<!channel> <@U1> [x](http://evil) @everyone {{ host }}\u{202e}\n*b*";
    let body = "<@U123> <https://wiki/{{ agent|urlencode }}|run book>\n[a](https://b) {{ name }}";
    let mut all = String::new();
    for (name, format) in formats() {
        let (sent, _) =
            sent(format.as_ref(), "<!here> {{ name }}", body, &named(attack), Form::Full);
        let [title, body] = texts(name, &sent);
        assert!(
            title.starts_with("<!here> ") && body.starts_with("<@U123> <https://wiki/"),
            "{name}"
        );
        all += &format!("--- {name}\n{title}\n{body}\n");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_sink_that_has_refused_a_text_gets_the_built_in_one() {
    for (name, format) in formats() {
        let (sent, _) = sent(format.as_ref(), "own", "own", &named("mail.7"), Form::Plain);
        assert!(
            !sent.to_string().contains("own") && sent.to_string().contains("UNREACHABLE"),
            "{name}"
        );
    }
}

#[test]
fn discord_mentions_whom_the_title_names_and_nobody_else() {
    let format = DiscordFormat { url: Secret::new("https://d.example/x") };
    let sent = |title| sent(&format, title, "<@9>", &named("<@7> <@&8> @everyone"), Form::Full).0;
    let mentions = |title| sent(title)["allowed_mentions"].clone();
    assert_eq!(mentions("{{ name }} {{ '<@5>' }} @everyone"), json!({ "parse": [] }));
    assert_eq!(
        mentions("<@1> <@!2> <@&3> <@x> <@> <@4 {{ name }}"),
        json!({ "parse": [], "users": ["1", "2"], "roles": ["3"] })
    );
    assert_eq!(sent("<@1> {{ name }}")["content"], "<@1> \\<\\@7\\> \\<\\@&8\\> \\@everyone");
}

#[test]
fn a_text_that_is_too_long_is_cut_to_what_each_service_takes() {
    let limits = |name| match name {
        "slack" => ([3_000, 3_000], 40_000),
        "teams" => ([2_000, 20_000], 28_000),
        "discord" => ([2_000, 4_096], 40_000),
        "pagerduty" => ([1_024, 20_000], 512_000),
        "opsgenie" => ([130, 15_000], 200_000),
        _ => ([250, 4_096], 40_000),
    };
    let line = format!("{} {{{{ name }}}}\n", "x".repeat(60));
    for (repeated, name) in
        [("\\{{ name }}", "&<"), ("{{ name }}\n\n", "\"\""), (&line, "ü<"), ("\n.", "")]
    {
        let body = repeated.repeat(15_000 / repeated.len());
        for (service, format) in formats() {
            let (sent, bytes) = sent(format.as_ref(), &body, &body, &named(name), Form::Full);
            let (limits, bytes_max) = limits(service);
            for (text, limit) in texts(service, &sent).iter().zip(limits) {
                assert!(text.encode_utf16().count() <= limit, "{service} {}", text.len());
                assert!(text.ends_with('…') || text.encode_utf16().count() < limit, "{service}");
            }
            assert!(bytes <= bytes_max, "{service}: {bytes} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_value_breaks_out_of_its_escape(
        text in "(\\PC|[\u{0}-\u{1f}\u{202a}-\u{202e}\u{200b}<>&@\\[\\]()*_`|\\\\{}%]){0,400}",
        kind in prop::sample::select(NoticeKind::ALL.to_vec()),
        scope in prop::sample::select(ScopeKind::ALL.to_vec()),
    ) {
        let mut notice = sample::notice_of(kind, scope);
        for incident in std::iter::once(&mut notice.incident).chain(&mut notice.listed) {
            incident.scope.name = text.clone();
            incident.remark = Some(text.clone());
            for member in &mut incident.members {
                member.agent = text.clone();
                for field in [&mut member.host, &mut member.cause, &mut member.step] {
                    *field = Some(text.clone());
                }
            }
        }
        let title = "{{ name }}({{ host }}) {{ title }}";
        let body = "{{ body }}\n{% for m in members %}\n{{ m.agent }}({{ m.step }}){{ m.cause|upper }}\n{% endfor %}\n{{ remark }}";
        for (service, format) in formats() {
            let is_sent = !matches!(
                (service, kind),
                ("pagerduty" | "opsgenie", NoticeKind::Reminder | NoticeKind::Resolved | NoticeKind::Merged)
            );
            if !is_sent {
                continue;
            }
            let (sent, _) = sent(format.as_ref(), title, body, &notice, Form::Full);
            for text in texts(service, &sent) {
                let hostile = text.chars().find(|it| is_hostile(*it) && *it != '\n');
                prop_assert_eq!(hostile, None, "{}: {:?}", service, text);
                match service {
                    "slack" => prop_assert!(!text.contains(['<', '>']), "{}", text),
                    "teams" => prop_assert!(!text.contains("]("), "{}", text),
                    "discord" => {
                        let bare = text.replace("\\\\", "").replace("\\@", "").replace("\\<", "");
                        prop_assert!(!bare.contains(['@', '<']), "{}", text);
                    }
                    _ => {}
                }
            }
        }
    }
}
