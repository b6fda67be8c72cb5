//! Alertmanager, API v2: one alert for each incident, sent again every minute.
//!
//! 1. The labels of an incident never change, or Alertmanager would see two: they are those of when it was
//!    first sent, and hold no count, reason or value. Members and numbers are annotations.
//! 2. What goes on ends in half an hour, unless it is sent again; what is over ended when it did.
//! 3. A severity that rose is another label: the alert with the lower one is resolved in the same request.
//!    To resolve what never fired is harmless, so that need not be remembered.
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

/// Most incidents whose labels are remembered.
const LABELS_MAX: usize = 20_000;

/// Most bytes of a description.
const DESCRIPTION_MAX: usize = 15_000;

type Labels = BTreeMap<&'static str, String>;

/// What all instances of Alertmanager are sent.
pub(crate) struct AlertmanagerFormat {
    pub(crate) token: Option<Secret>,
    label: CollectorLabel,
    labels: BTreeMap<IncidentId, Labels>,
    watched_since_ms: Option<i64>,
}

impl AlertmanagerFormat {
    pub(crate) fn new(label: CollectorLabel, token: Option<Secret>) -> Self {
        Self { token, label, labels: BTreeMap::new(), watched_since_ms: None }
    }

    /// Returns the alerts of an incident; of a higher severity also the end of the lower one.
    pub(crate) fn alerts(
        &mut self,
        incident: &Incident,
        message: &Message,
        now_ms: i64,
    ) -> Vec<Value> {
        let labels = self.labels_of(incident);
        let ends_ms = incident.ended_ms.unwrap_or(now_ms + ENDS_AFTER_MS);
        let text = TextFormat { limit: DESCRIPTION_MAX, measure: str::len, escape: verbatim };
        let alert = |severity: Severity, ends_ms: i64| {
            let mut labels = labels.clone();
            labels.insert("severity", severity.name().to_owned());
            json!({
                "labels": labels,
                "annotations": { "summary": text.line(&message.title), "description": text.body(message) },
                "startsAt": rfc3339(incident.opened_ms),
                // Not before its begin, which would have it refused.
                "endsAt": rfc3339(ends_ms.max(incident.opened_ms + 1_000)),
            })
        };
        match incident.severity {
            Severity::Warning => vec![alert(Severity::Warning, ends_ms)],
            Severity::Critical => {
                let lower_ends_ms = incident.ended_ms.unwrap_or(now_ms).min(now_ms);
                vec![alert(Severity::Critical, ends_ms), alert(Severity::Warning, lower_ends_ms)]
            }
        }
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
        json!({
            "labels": {
                "alertname": "HeartlineTest", "severity": "none", "collector": self.label.key_prefix,
            },
            "annotations": { "summary": message.title },
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
        self.labels.retain(|id, _| is_sent(*id));
    }

    fn labels_of(&mut self, incident: &Incident) -> Labels {
        if let Some(labels) = self.labels.get(&incident.id) {
            return labels.clone();
        }
        let labels = labels(incident, &self.label);
        if self.labels.len() < LABELS_MAX {
            self.labels.insert(incident.id, labels.clone());
        }
        labels
    }
}

/// Returns the labels but the severity. Empty ones are dropped: Alertmanager does so without a word.
fn labels(incident: &Incident, label: &CollectorLabel) -> Labels {
    let name = clean(&incident.scope.name);
    let alert = match incident.scope.kind {
        ScopeKind::Agent => "HeartlineAgent",
        ScopeKind::Host => "HeartlineHost",
        ScopeKind::Dependency => "HeartlineDependency",
        ScopeKind::Group => "HeartlineGroup",
        ScopeKind::Fleet => "HeartlineFleet",
        ScopeKind::Collector => "HeartlineCollector",
        ScopeKind::Sink => "HeartlineSink",
    };
    let host = match incident.scope.kind {
        ScopeKind::Host => Some(name.clone()),
        ScopeKind::Agent => incident.members.first().and_then(|it| it.host.as_deref()).map(clean),
        _ => None,
    };
    let group = (incident.scope.kind == ScopeKind::Group).then(|| name.clone());
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
