//! Incidents in words, as tables and screens have them.

use std::collections::BTreeMap;

use heartline_vocabulary::{AgentStatus, DeliveryState, ScopeKind};

use crate::message::{DeliveryReport, Incident, IncidentScope, NoticeReport, Shortage};

/// Returns what an incident is about: `host m3`.
pub fn incident_scope(scope: &IncidentScope) -> String {
    match scope.kind {
        ScopeKind::Fleet => "the fleet".to_owned(),
        ScopeKind::Collector => "the collector or its network".to_owned(),
        ScopeKind::Dependency => format!("what needs {}", scope.name),
        ScopeKind::Replicas => format!("group {}", scope.name),
        ScopeKind::Expected if scope.name.is_empty() => "expected agents".to_owned(),
        ScopeKind::Agent | ScopeKind::Expected => scope.name.clone(),
        kind => format!("{} {}", kind.name(), scope.name),
    }
}

/// Returns what an incident is about and what is wrong: what there is too little of; of a sink and a budget, its
/// remark; otherwise the worst that a member was.
pub fn incident_what(incident: &Incident) -> String {
    format!("{}: {}", incident_scope(&incident.scope), incident_trouble(incident))
}

/// Returns what is wrong of an incident.
pub fn incident_trouble(incident: &Incident) -> String {
    match (&incident.shortage, incident.scope.kind, &incident.remark) {
        (Some(Shortage::Replicas(it)), ..) => {
            format!("{} of {} running, alert below {}", it.running, it.expect, it.alert_below)
        }
        (Some(Shortage::NeverSeen(_)), ..) => "never seen".to_owned(),
        (None, ScopeKind::Sink | ScopeKind::Budget, Some(remark)) => remark.clone(),
        _ => status_text(incident.worst),
    }
}

/// Returns a state and its reason: `unreachable (silent)`.
pub fn status_text(status: AgentStatus) -> String {
    match status.reason {
        Some(reason) => format!("{} ({})", status.state.name(), reason.name()),
        None => status.state.name().to_owned(),
    }
}

/// Returns the sinks that were told, each with what became of the newest notice for it.
pub fn told(notices: &[NoticeReport]) -> Vec<String> {
    let text = |delivery: &DeliveryReport| match delivery.state {
        DeliveryState::Delivered | DeliveryState::Merged => delivery.sink.clone(),
        state => format!("{} ({})", delivery.sink, state.name()),
    };
    newest_deliveries(notices).into_iter().map(text).collect()
}

/// Returns the newest delivery to each sink, by its name.
pub fn newest_deliveries(notices: &[NoticeReport]) -> Vec<&DeliveryReport> {
    let mut newest: BTreeMap<&str, &DeliveryReport> = BTreeMap::new();
    for delivery in notices.iter().flat_map(|notice| &notice.deliveries) {
        newest.insert(&delivery.sink, delivery);
    }
    newest.into_values().collect()
}
