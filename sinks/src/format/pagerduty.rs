//! PagerDuty: Events API v2, and what its REST API knows of acknowledgements.
//!
//! 1. A trigger of a key that is open pages nobody. So what an incident grew to is a second alert of it,
//!    with a key of its own; both are resolved together.
//! 2. Reminders are PagerDuty's own.
//! 3. What began and ended before it could be told is triggered as information, and resolved.
//! 4. A storm is one alert; what is over in it is resolved under its own key, too.
//! 5. A test is triggered as information, and resolved.
//! 6. What it could not take is tried again after half a minute at the earliest, as it asks.

use std::time::Duration;

use heartline_config::Secret;
use heartline_operator::message::Acknowledgement;
use heartline_vocabulary::NoticeKind;
use serde_json::{Value, json};

use super::{FormatInput, HttpFormat, is_over_untold};
use crate::http::{HttpAnswer, HttpRequest, classify};
use crate::text::{TextFormat, Tone, clean, incident_key, rfc3339, utf16, verbatim};
use crate::{Form, Outcome};

/// Most characters of a summary: a longer one is refused.
const SUMMARY_MAX: usize = 1_024;

/// Most characters of the details.
const DETAILS_MAX: usize = 20_000;

/// Shortest time between two attempts.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(30);

/// Most incidents of a digest that are resolved one by one.
const RESOLVED_MAX: usize = 20;

/// A service of PagerDuty.
pub(crate) struct PagerDutyFormat {
    /// Without the path.
    pub(crate) events_url: Secret,
    pub(crate) key: Secret,
}

impl HttpFormat for PagerDutyFormat {
    fn requests(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let message = input.message;
        let key = message.incident_key.as_str();
        let grown = format!("{key}-grown");
        match message.kind {
            NoticeKind::Reminder => Vec::new(),
            NoticeKind::Test => {
                vec![self.trigger(input, &message.id, "info"), self.resolve(&message.id)]
            }
            NoticeKind::Resolved if is_over_untold(input.delivery) => {
                vec![self.trigger(input, key, "info"), self.resolve(key)]
            }
            NoticeKind::Resolved | NoticeKind::Merged => {
                vec![self.resolve(key), self.resolve(&grown)]
            }
            NoticeKind::Updated => vec![self.trigger(input, &grown, severity(message.tone))],
            NoticeKind::Digest => self.digest(input),
            NoticeKind::Opened
            | NoticeKind::Escalated
            | NoticeKind::Flapping
            | NoticeKind::Settled => {
                vec![self.trigger(input, key, severity(message.tone))]
            }
        }
    }

    fn outcome(&self, answer: &HttpAnswer, now_ms: i64) -> Outcome {
        match classify(answer, now_ms) {
            Outcome::Retry { after, arrival, why } => {
                Outcome::Retry { after: after.max(Some(RETRY_AFTER_MIN)), arrival, why }
            }
            outcome => outcome,
        }
    }
}

impl PagerDutyFormat {
    fn digest(&self, input: FormatInput<'_>) -> Vec<HttpRequest> {
        let storm = format!("heartline-{}-storm", input.label.key_prefix);
        let mut requests = match input.message.tone {
            Tone::Good => vec![self.resolve(&storm)],
            tone => vec![self.trigger(input, &storm, severity(tone))],
        };
        let listed = input.delivery.notices.last().into_iter().flat_map(|it| &it.listed);
        let over = listed.filter(|it| it.ended_ms.is_some()).take(RESOLVED_MAX);
        requests.extend(over.map(|it| self.resolve(&incident_key(it, input.label))));
        requests
    }

    fn trigger(&self, input: FormatInput<'_>, key: &str, severity: &str) -> HttpRequest {
        let FormatInput { message, delivery, label } = input;
        let summary = TextFormat { limit: SUMMARY_MAX, measure: utf16, escape: verbatim };
        let mut payload = json!({
            "summary": summary.title(message),
            "source": clean(&label.host),
            "severity": severity,
            "timestamp": rfc3339(message.at_ms),
        });
        if let Some(last) = delivery.notices.last().filter(|_| delivery.form == Form::Full) {
            payload["component"] = json!(clean(&last.incident.scope.name));
            payload["class"] = json!(last.incident.worst.state.name());
            let details = TextFormat { limit: DETAILS_MAX, ..summary }.body(message);
            payload["custom_details"] =
                json!({ "details": details, "incident": last.incident.id.to_string() });
        }
        self.event("trigger", key, &json!({ "payload": payload, "client": "Heartline" }))
    }

    fn resolve(&self, key: &str) -> HttpRequest {
        self.event("resolve", key, &json!({}))
    }

    fn event(&self, action: &str, key: &str, more: &Value) -> HttpRequest {
        let mut event = json!({
            "routing_key": self.key.expose(), "event_action": action, "dedup_key": key,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        let url =
            Secret::new(format!("{}/v2/enqueue", self.events_url.expose().trim_end_matches('/')));
        HttpRequest::post_json(url, &event)
    }
}

const fn severity(tone: Tone) -> &'static str {
    match tone {
        Tone::Critical => "critical",
        Tone::Warning => "warning",
        Tone::Good | Tone::Neutral => "info",
    }
}

/// The question whether somebody has acknowledged an incident. The Events API answers nothing, so the
/// REST API is asked with a token that may only read.
pub(crate) struct AcknowledgementQuestion {
    pub(crate) api_url: Secret,
    pub(crate) token: Secret,
}

impl AcknowledgementQuestion {
    /// Returns the question for one incident.
    pub(crate) fn request(&self, incident_key: &str) -> HttpRequest {
        let base = self.api_url.expose().trim_end_matches('/');
        let query = format!("incident_key={incident_key}&statuses%5B%5D=acknowledged&limit=1");
        HttpRequest::get(Secret::new(format!("{base}/incidents?{query}")))
            .with("authorization", format!("Token token={}", self.token.expose()))
            .with("accept", "application/vnd.pagerduty+json;version=2")
    }

    /// Returns who has acknowledged; `None`: nobody has.
    ///
    /// # Errors
    /// Says what is wrong with the answer.
    pub(crate) fn read(body: &str, now_ms: i64) -> Result<Option<Acknowledgement>, String> {
        let answer: Value = serde_json::from_str(body)
            .map_err(|_| "expected JSON with incidents from the API of PagerDuty".to_owned())?;
        let incidents = answer.get("incidents").and_then(Value::as_array);
        let incidents =
            incidents.ok_or("expected a list of incidents from the API of PagerDuty".to_owned())?;
        let Some(incident) = incidents.first() else { return Ok(None) };
        let by = &incident["acknowledgements"][0];
        let at = by["at"].as_str().and_then(|it| it.parse::<jiff::Timestamp>().ok());
        let name = clean(by["acknowledger"]["summary"].as_str().unwrap_or("somebody"));
        Ok(Some(Acknowledgement {
            by: format!("{name} in PagerDuty"),
            at_ms: at.map_or(now_ms, jiff::Timestamp::as_millisecond),
        }))
    }
}
