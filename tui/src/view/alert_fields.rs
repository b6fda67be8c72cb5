//! What an agent's details say about alerts: its incident, what it needs that is in trouble, and its silence.

use heartline_operator::message::AgentEntry;
use heartline_operator::text::incident_scope;
use heartline_vocabulary::ScopeKind;

use super::details::{DetailField, field, styled_field};
use super::zoned_time;
use crate::incident_lines::chain;
use crate::state::AppState;
use crate::theme::StyleRole;

/// Returns the fields; none for an agent that is in no incident and not silenced.
pub(super) fn alert_fields(state: &AppState, entry: &AgentEntry) -> Vec<DetailField> {
    let mut fields = Vec::new();
    if let Some((incident, membership)) = state.incident_of(entry) {
        fields.push(field("incident", incident.id.to_string()));
        if incident.scope.kind != ScopeKind::Agent || membership.is_affected {
            fields.push(field("of", incident_scope(&incident.scope)));
        }
        fields.push(match &incident.acknowledged {
            Some(ack) => styled_field("taken care of by", StyleRole::Healthy, ack.by.clone()),
            None => styled_field("", StyleRole::Unreachable, "nobody takes care of it"),
        });
        if membership.is_affected {
            let needed = chain(state, &entry.agent);
            let needed = needed.unwrap_or_else(|| "what is in trouble".to_owned());
            fields.push(styled_field("affected: needs", StyleRole::Degraded, needed));
        }
    }
    if let Some(silence) = state.silence_of(entry) {
        let by = if silence.by.is_empty() { "a window" } else { &silence.by };
        let until = zoned_time(state, silence.until_ms);
        let text = format!("until {until} by {by}: {}", silence.reason);
        fields.push(styled_field("silenced", StyleRole::Degraded, text));
    }
    fields
}
