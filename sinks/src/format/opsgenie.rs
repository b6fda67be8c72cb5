//! Opsgenie, and Jira Service Management, which takes the same under another URL.
//!
//! As with PagerDuty: an open alias pages nobody again, reminders are the service's own, and an alert that
//! an incident grew to has an alias of its own.

use heartline_config::Secret;
use heartline_vocabulary::NoticeKind;
use serde_json::json;

use super::{FormatInput, HttpFormat, is_over_untold};
use crate::Form;
use crate::http::HttpRequest;
use crate::text::{TextFormat, Tone, clean, incident_key, utf16, verbatim};

/// Most characters of a message.
const MESSAGE_MAX: usize = 130;

/// Most characters of a description.
const DESCRIPTION_MAX: usize = 15_000;

/// Most incidents of a digest that are closed one by one.
const CLOSED_MAX: usize = 20;

/// An integration of Opsgenie.
pub(crate) struct OpsgenieFormat {
    /// Where alerts are created.
    pub(crate) url: Secret,
    pub(crate) key: Secret,
}

impl HttpFormat for OpsgenieFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let alias = message.incident_key.as_str();
        let grown = format!("{alias}-grown");
        match message.kind {
            NoticeKind::Reminder => Vec::new(),
            NoticeKind::Test => {
                vec![self.create(input, &message.id, "P5"), self.close(&message.id)]
            }
            NoticeKind::Resolved if is_over_untold(input.delivery) => {
                vec![self.create(input, alias, "P5"), self.close(alias)]
            }
            NoticeKind::Resolved | NoticeKind::Merged => {
                vec![self.close(alias), self.close(&grown)]
            }
            NoticeKind::Updated => vec![self.create(input, &grown, priority(message.tone))],
            NoticeKind::Digest => self.digest(input),
            NoticeKind::Opened
            | NoticeKind::Escalated
            | NoticeKind::Flapping
            | NoticeKind::Settled => {
                vec![self.create(input, alias, priority(message.tone))]
            }
        }
    }
}

impl OpsgenieFormat {
    fn digest(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let storm = format!("heartline-{}-storm", input.label.key_prefix);
        let mut requests = match input.message.tone {
            Tone::Good => vec![self.close(&storm)],
            tone => vec![self.create(input, &storm, priority(tone))],
        };
        let listed = input.delivery.notices.last().into_iter().flat_map(|it| &it.listed);
        let over = listed.filter(|it| it.ended_ms.is_some()).take(CLOSED_MAX);
        requests.extend(over.map(|it| self.close(&incident_key(it, input.label))));
        requests
    }

    fn create(&self, input: FormatInput<'_>, alias: &str, priority: &str) -> HttpRequest {
        let FormatInput { message, delivery, label } = input;
        let text = TextFormat { limit: MESSAGE_MAX, measure: utf16, escape: verbatim };
        let mut alert = json!({
            "message": text.title(message),
            "alias": alias,
            "priority": priority,
            "source": clean(&label.host),
        });
        if let Some(last) = delivery.notices.last().filter(|_| delivery.form == Form::Full) {
            // The message is short: the description repeats it whole, unless it has a text of its own.
            let description = TextFormat { limit: DESCRIPTION_MAX, ..text };
            alert["description"] = match message.own_body {
                Some(_) => json!(description.body(message)),
                None => json!(description.whole(message)),
            };
            alert["tags"] = json!(["heartline", last.incident.scope.kind.name()]);
            alert["details"] = json!({
                "incident": last.incident.id.to_string(),
                "state": last.incident.worst.state.name(),
                "agents": last.incident.counts.in_trouble.to_string(),
            });
        }
        self.post(self.url.expose().to_owned(), &alert)
    }

    fn close(&self, alias: &str) -> HttpRequest {
        let base = self.url.expose().trim_end_matches('/');
        let url = format!("{base}/{alias}/close?identifierType=alias");
        self.post(url, &json!({ "source": "Heartline" }))
    }

    fn post(&self, url: String, body: &serde_json::Value) -> HttpRequest {
        HttpRequest::post_json(Secret::new(url), body)
            .with("authorization", format!("GenieKey {}", self.key.expose()))
    }
}

const fn priority(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "P1",
        Tone::Warning => "P3",
        Tone::Good | Tone::Neutral => "P5",
    }
}
