//! Incidents in words, as tables and screens have them.

use std::collections::BTreeMap;

use heartline_vocabulary::{AgentStatus, DeliveryState, ScopeKind};

use crate::message::{DeliveryReport, IncidentScope, NoticeReport};

/// Returns what an incident is about: `host m3`.
pub fn incident_scope(scope: &IncidentScope) -> String {
    match scope.kind {
        ScopeKind::Agent => scope.name.clone(),
        ScopeKind::Fleet => "the fleet".to_owned(),
        ScopeKind::Collector => "the collector or its network".to_owned(),
        ScopeKind::Dependency => format!("what needs {}", scope.name),
        kind => format!("{} {}", kind.name(), scope.name),
    }
}

/// Returns what an incident is about and what is wrong: of a sink and a budget, its remark.
pub fn incident_what(scope: &IncidentScope, worst: AgentStatus, remark: Option<&str>) -> String {
    let trouble = match (scope.kind, remark) {
        (ScopeKind::Sink | ScopeKind::Budget, Some(remark)) => remark.to_owned(),
        _ => status_text(worst),
    };
    format!("{}: {trouble}", incident_scope(scope))
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
