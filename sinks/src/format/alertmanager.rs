//! Alertmanager, API v2: one alert for each incident, sent again every minute.
//!
//! 1. The labels of an incident never change, or Alertmanager would see two: they are those of when it was
//!    first sent, and hold no count, reason or value. Members and numbers are annotations.
//! 2. What goes on ends in half an hour, unless it is sent again; what is over ended when it did.
//! 3. A severity that rose is another label: the alert with the lower one is resolved in the same request.
//!    Its end lies a minute back: on a clock that is behind, an end of now would let it fire. Where the
//!    collector was restarted in between, it ends by itself: to resolve what never fired would show it.
//! 4. A watchdog fires for as long as the collector sends.

use std::collections::BTreeMap;

use heartline_config::Secret;
use heartline_operator::message::Incident;
use heartline_vocabulary::{IncidentId, ScopeKind, Severity};
use serde_json::{Value, json};

use crate::CollectorLabel;
use crate::http::HttpRequest;
use crate::text::{Message, TextFormat, clean, rfc3339, verbatim};

/// Time until an alert that is not sent again ends: Alertmanager would otherwise tell of an end when it is
/// the collector that has died.
const ENDS_AFTER_MS: i64 = 30 * 60_000;

/// The same of the watchdog: its end is what is to be told.
const WATCHDOG_ENDS_AFTER_MS: i64 = 4 * 60_000;

/// The same of a test.
const TEST_ENDS_AFTER_MS: i64 = 5 * 60_000;

/// How far an end that is told at once lies back.
const CLOCK_SLACK_MS: i64 = 60_000;

/// Most incidents whose labels are remembered.
const LABELS_MAX: usize = 20_000;

/// Most bytes of a description.
const DESCRIPTION_MAX: usize = 15_000;

type Labels = BTreeMap<&'static str, String>;

/// What does not change of an incident that was sent.
#[derive(Clone)]
struct ToldIncident {
    /// Without the severity.
    labels: Labels,
    /// When it was first seen with a higher severity than before.
    raised_ms: Option<i64>,
    severity: Severity,
}

/// What all instances of Alertmanager are sent.
pub(crate) struct AlertmanagerFormat {
    pub(crate) token: Option<Secret>,
    label: CollectorLabel,
    told: BTreeMap<IncidentId, ToldIncident>,
    watched_since_ms: Option<i64>,
}

impl AlertmanagerFormat {
    pub(crate) fn new(label: CollectorLabel, token: Option<Secret>) -> Self {
        Self { token, label, told: BTreeMap::new(), watched_since_ms: None }
    }

    /// Returns the alerts of an incident; of a higher severity also the end of the lower one.
    pub(crate) fn alerts(
        &mut self,
        incident: &Incident,
        message: &Message,
        now_ms: i64,
    ) -> Vec<Value> {
        let told = self.told(incident, now_ms);
        let text = TextFormat { limit: DESCRIPTION_MAX, measure: str::len, escape: verbatim };
        let (summary, description) = (text.title(message), text.body(message));
        let alert = |severity: Severity, starts_ms: i64, ends_ms: i64| {
            let mut labels = told.labels.clone();
            labels.insert("severity", severity.name().to_owned());
            json!({
                "labels": labels,
                "annotations": { "summary": summary, "description": description },
                "startsAt": rfc3339(starts_ms),
                // Not before its begin, which would have it refused.
                "endsAt": rfc3339(ends_ms.max(starts_ms + 1_000)),
            })
        };
        let starts_ms = incident.opened_ms;
        let ends_ms = incident.ended_ms.unwrap_or(now_ms + ENDS_AFTER_MS);
        let mut alerts = vec![alert(incident.severity, starts_ms, ends_ms)];
        if let Some(raised_ms) = told.raised_ms {
            let ended_ms = raised_ms - CLOCK_SLACK_MS;
            alerts.push(alert(Severity::Warning, starts_ms.min(ended_ms - 1_000), ended_ms));
        }
        alerts
    }

    /// Returns the alert that is to be missed when the collector no longer sends.
    pub(crate) fn watchdog(&mut self, now_ms: i64) -> Value {
        let since_ms = *self.watched_since_ms.get_or_insert(now_ms);
        json!({
            "labels": {
                "alertname": "HeartlineWatchdog", "severity": "none", "collector": self.label.key_prefix,
            },
            "annotations": {
                "summary": format!("The Heartline collector on {} sends alerts", clean(&self.label.host)),
            },
            "startsAt": rfc3339(since_ms.min(now_ms)),
            "endsAt": rfc3339(now_ms + WATCHDOG_ENDS_AFTER_MS),
        })
    }

    /// Returns the alert of a test, which ends by itself.
    pub(crate) fn test(&self, message: &Message, now_ms: i64) -> Value {
        let text = TextFormat { limit: DESCRIPTION_MAX, measure: str::len, escape: verbatim };
        let mut annotations = json!({ "summary": text.title(message) });
        if message.own_body.is_some() {
            annotations["description"] = json!(text.body(message));
        }
        json!({
            "labels": {
                "alertname": "HeartlineTest", "severity": "none", "collector": self.label.key_prefix,
            },
            "annotations": annotations,
            "startsAt": rfc3339(now_ms),
            "endsAt": rfc3339(now_ms + TEST_ENDS_AFTER_MS),
        })
    }

    /// Returns the request that tells an instance of these alerts.
    pub(crate) fn request(&self, url: &Secret, alerts: &[Value]) -> HttpRequest {
        let url = format!("{}/api/v2/alerts", url.expose().trim_end_matches('/'));
        let request = HttpRequest::post_json(Secret::new(url), &json!(alerts));
        match &self.token {
            Some(token) => request.with("authorization", format!("Bearer {}", token.expose())),
            None => request,
        }
    }

    /// Forgets the labels of incidents that are not sent again.
    pub(crate) fn retain(&mut self, is_sent: impl Fn(IncidentId) -> bool) {
        self.told.retain(|id, _| is_sent(*id));
    }

    fn told(&mut self, incident: &Incident, now_ms: i64) -> ToldIncident {
        let known = self.told.get(&incident.id).cloned();
        let mut told = known.unwrap_or_else(|| ToldIncident {
            labels: labels(incident, &self.label),
            raised_ms: None,
            severity: incident.severity,
        });
        if told.severity < incident.severity {
            (told.raised_ms, told.severity) = (Some(now_ms), incident.severity);
        }
        if self.told.len() < LABELS_MAX || self.told.contains_key(&incident.id) {
            self.told.insert(incident.id, told.clone());
        }
        told
    }
}

/// Returns the labels but the severity. Empty ones are dropped: Alertmanager does so without a word.
fn labels(incident: &Incident, label: &CollectorLabel) -> Labels {
    let name = clean(&incident.scope.name);
    let alert = match incident.scope.kind {
        ScopeKind::Agent => "HeartlineAgent",
        ScopeKind::Process => "HeartlineProcess",
        ScopeKind::Host => "HeartlineHost",
        ScopeKind::Dependency => "HeartlineDependency",
        ScopeKind::Group => "HeartlineGroup",
        ScopeKind::Fleet => "HeartlineFleet",
        ScopeKind::Collector => "HeartlineCollector",
        ScopeKind::Sink => "HeartlineSink",
        ScopeKind::Budget => "HeartlineBudget",
        ScopeKind::Replicas => "HeartlineReplicas",
        ScopeKind::Expected => "HeartlineExpected",
    };
    let host = match incident.scope.kind {
        ScopeKind::Host => Some(name.clone()),
        ScopeKind::Agent | ScopeKind::Process => {
            incident.members.first().and_then(|it| it.host.as_deref()).map(clean)
        }
        _ => None,
    };
    let is_of_group = matches!(incident.scope.kind, ScopeKind::Group | ScopeKind::Replicas);
    let group = is_of_group.then(|| name.clone());
    let all = [
        ("alertname", alert.to_owned()),
        ("incident", incident.id.to_string()),
        ("scope", incident.scope.kind.name().to_owned()),
        ("name", name),
        ("host", host.unwrap_or_default()),
        ("group", group.unwrap_or_default()),
        ("collector", label.key_prefix.clone()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
