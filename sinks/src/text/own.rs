//! Texts by the templates of a sink, in the place of the built-in ones.
//!
//! A template that fails, or says nothing, costs no notice: the built-in text goes in its place, and says so in its last
//! line; so do the log and what is kept of the delivery.

use heartline_config::{RenderedText, SinkTemplates, TemplateFacts, TextTemplate};

use super::facts;
use super::lines::MessageLine;
use super::message::Message;
use crate::{CollectorLabel, Delivery, Form, Outcome};

/// The templates of a sink, and how they do.
pub(crate) struct OwnTexts {
    sink: String,
    templates: SinkTemplates,
    /// Why a built-in text went in the place of the last one.
    failure: Option<String>,
}

impl OwnTexts {
    pub(crate) fn new(sink: String, templates: SinkTemplates) -> Self {
        Self { sink, templates, failure: None }
    }

    /// Gives a message its own texts. One that the sink has refused goes with the built-in ones.
    pub(crate) fn apply(
        &mut self,
        message: &mut Message,
        delivery: &Delivery<'_>,
        label: &CollectorLabel,
    ) {
        let before = self.failure.take();
        let SinkTemplates { title, body } = &self.templates;
        if delivery.form == Form::Plain || (title.is_none() && body.is_none()) {
            return;
        }
        let Some(facts) = facts::of(delivery, message, label, &self.sink) else { return };
        let facts = TemplateFacts::from(&facts);
        let mut failures = Vec::new();
        let mut render = |setting: &str, template: &Option<TextTemplate>| -> Option<RenderedText> {
            let failed = match template.as_ref()?.render(&facts) {
                Ok(text) if text.is_blank() => "it says nothing".to_owned(),
                Ok(text) => return Some(text),
                Err(error) => error.to_string(),
            };
            failures.push(format!("the template {setting}: {failed}"));
            None
        };
        message.own_title = render("title", title).map(RenderedText::one_line);
        message.own_body = render("body", body);
        if failures.is_empty() {
            return;
        }
        let failure = format!("built-in, for {}", failures.join("; "));
        if before.as_ref() != Some(&failure) {
            tracing::warn!(sink = self.sink, "the text of a notice is {failure}");
        }
        message.lines.push(MessageLine { label: "Text", text: failure.clone() });
        self.failure = Some(failure);
    }

    /// Adds to the answer of a sink that it was sent a built-in text, and why.
    pub(crate) fn annotate(&self, outcome: Outcome) -> Outcome {
        match (outcome, &self.failure) {
            (Outcome::Delivered { answer, pause }, Some(failure)) => {
                Outcome::Delivered { answer: format!("{answer}; text {failure}"), pause }
            }
            (outcome, _) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_config::{ConfigFile, ConfigText};
    use heartline_vocabulary::{NoticeKind, ScopeKind};
    use jiff::tz::TimeZone;

    use super::*;
    use crate::sample;
    use crate::text::{TextFormat, utf16, verbatim};

    fn templates(title: &str, body: &str) -> SinkTemplates {
        let parse = |text| Some(TextTemplate::parse(text).unwrap());
        SinkTemplates { title: parse(title), body: parse(body) }
    }

    fn told(own: &mut OwnTexts, kind: NoticeKind, scope: ScopeKind, form: Form) -> String {
        let notices = [sample::notice_of(kind, scope)];
        let (is_repeat, is_stored, zone) = (false, true, &TimeZone::UTC);
        let now_ms = sample::NOW_MS;
        let delivery = Delivery { notices: &notices, form, is_repeat, is_stored, now_ms, zone };
        let label = sample::label();
        let mut message = Message::of(&delivery, &label).unwrap();
        own.apply(&mut message, &delivery, &label);
        TextFormat { limit: 4_000, measure: utf16, escape: verbatim }.whole(&message)
    }

    #[test]
    fn every_kind_of_notice_has_all_names() {
        let body = "{{ kind }} {{ severity }} {{ state }} {{ reason }} {{ scope }} {{ name }}|{{ about }}|{{ trouble }}\n\
            {{ agent }}|{{ host }}|{{ group }}|{{ id }} {{ since }} {{ since_ms }} {{ at }} {{ at_ms }} {{ ended }} \
            {{ ended_ms }} {{ lasted }} {{ lasted_ms }}\n{{ why }}|{{ last }}|{{ reach }}|{{ remark }}\n\
            {{ acknowledged_by }}|{{ acknowledged_at }}|{{ in_trouble }} {{ affected }} {{ total }} {{ of }} {{ outages }} \
            {{ left_off }}|{{ merged_into }}|{{ see }}|{{ quiet }}|{{ collector }}|{{ sink }}|{{ late }} \
            {{ may_be_repeat }} {{ stored }}\n\
            {% for m in members %}\n- {{ m.agent }} {{ m.host }} {{ m.state }} {{ m.reason }} {{ m.since }} {{ m.since_ms }} \
            {{ m.lasted }} {{ m.lasted_ms }} {{ m.cause }} {{ m.step }} {{ m.last_beat }} {{ m.last_beat_ms }} \
            {{ m.interval_ms }} {{ m.in_flight }} {{ m.affected }}\n{% endfor %}\n\
            {% for i in incidents %}\n* {{ i.about }} {{ i.severity }} {{ i.since }} {{ i.lasted }} {{ i.trouble }} {{ i.ended }}\n{% endfor %}";
        let mut own = OwnTexts::new("ops".to_owned(), templates("[{{ kind }}] {{ title }}", body));
        let mut all = String::new();
        for kind in NoticeKind::ALL {
            all += &format!("--- {}\n", kind.name());
            all += &told(&mut own, kind, ScopeKind::Agent, Form::Full);
            all.push('\n');
        }
        for scope in ScopeKind::ALL {
            all += &format!("--- {}\n", scope.name());
            all += &told(&mut own, NoticeKind::Opened, scope, Form::Full);
            all.push('\n');
        }
        assert_eq!(own.failure, None);
        insta::assert_snapshot!(all);
    }

    #[test]
    fn what_a_template_does_not_say_is_told_by_the_built_in_text() {
        let silent = "{% if kind == 'resolved' %}over\n{{ title }}{% endif %}";
        let mut own = OwnTexts::new("ops".to_owned(), templates(silent, silent));
        let text = told(&mut own, NoticeKind::Opened, ScopeKind::Agent, Form::Full);
        let begin = "mail.7 on m3: UNREACHABLE since 14:02:31 UTC (4 min)\nWhy    10 beats missed";
        assert!(text.starts_with(begin), "{text}");
        let last = "Text   built-in, for the template title: it says nothing; the template body: it says nothing";
        assert_eq!(text.lines().last(), Some(last));
        let delivered = || Outcome::Delivered { answer: "HTTP 200".to_owned(), pause: None };
        let Outcome::Delivered { answer, .. } = own.annotate(delivered()) else { panic!() };
        assert!(answer.starts_with("HTTP 200; text built-in, for the template title:"), "{answer}");

        let text = told(&mut own, NoticeKind::Resolved, ScopeKind::Agent, Form::Full);
        let title = "mail.7 on m3: RESOLVED after 4 min (14:02:31–14:06:31 UTC)";
        assert_eq!(text, format!("over {title}\nover\n{title}"));
        assert_eq!(own.annotate(delivered()), delivered());
        let plain = told(&mut own, NoticeKind::Resolved, ScopeKind::Agent, Form::Plain);
        assert!(plain.starts_with("mail.7 on m3: RESOLVED"), "{plain}");
    }

    #[test]
    fn a_template_that_fails_costs_no_notice() {
        // No sample has so many members.
        let body = "{% for a in members %}{% for b in members %}{% for c in members %}x{% endfor %}{% endfor %}{% endfor %}";
        let mut own = OwnTexts::new(
            "ops".to_owned(),
            templates("{{ members[1].agent if members|length > 1 else name }}", body),
        );
        let mut notice = sample::notice_of(NoticeKind::Opened, ScopeKind::Host);
        notice.incident.members = vec![notice.incident.members[0].clone(); 50];
        let (is_repeat, is_stored, zone) = (false, true, &TimeZone::UTC);
        let (notices, now_ms, form) = ([notice], sample::NOW_MS, Form::Full);
        let delivery = Delivery { notices: &notices, form, is_repeat, is_stored, now_ms, zone };
        let mut message = Message::of(&delivery, &sample::label()).unwrap();
        own.apply(&mut message, &delivery, &sample::label());
        let text = TextFormat { limit: 9_000, measure: utf16, escape: verbatim }.whole(&message);
        assert!(text.starts_with("mail.7\nWhy    lost between"), "{text}");
        let note =
            "Text   built-in, for the template body: line 1 of the text: it takes too many steps";
        assert!(text.lines().any(|line| line == note), "{text}");
    }

    #[test]
    fn the_example_of_the_guide_reads_as_it_says() {
        let guide = include_str!("../../../docs/alerting.md");
        let (_, rest) = guide.split_once("```toml texts\n").unwrap();
        let (config, rest) = rest.split_once("```").unwrap();
        let (_, rest) = rest.split_once("```text\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let config = ConfigText::new(Path::new("heartline.toml"), config.to_owned());
        let sink = <ConfigFile>::parse(&config).unwrap().sink.remove(0);
        let title = sink.title.unwrap().into_inner().0.0;
        let body = sink.body.unwrap().into_inner().0.0;
        let mut own = OwnTexts::new("chat".to_owned(), templates(&title, &body));
        let told = told(&mut own, NoticeKind::Opened, ScopeKind::Agent, Form::Full);
        assert_eq!(told, text.trim_end());
    }
}
