//! The Alerts screen: what is asked for, what is opened, and the acknowledgement of incidents.

use heartline_operator::text::incident_scope;
use heartline_vocabulary::IncidentId;

use super::AppEffect;
use crate::incident_lines;
use crate::layout;
use crate::state::{
    AppState, Entered, OpenedIncident, Overlay, Prompt, PromptAnswer, PromptPurpose, Screen,
    TextInput, scrolled,
};
use crate::text::age_since;
use crate::theme::StyleRole;
use crate::view;

/// Returns the question that is due, if there is one. An incident file has no alerts.
pub(super) fn next_question(state: &mut AppState) -> Option<AppEffect> {
    if !state.connection.is_live() || state.connection.is_file {
        return None;
    }
    let counted = state.live.collector()?.alerts;
    let (is_shown, now_ms) = (state.screen == Screen::Alerts, state.live_ms());
    let query = state.alerts.next_question(is_shown, counted, now_ms, state.now)?;
    Some(AppEffect::RequestAlerts(query))
}

/// Shows the Alerts screen.
pub(super) fn show(state: &mut AppState) {
    if state.screen != Screen::Alerts {
        state.alerts.ask_again();
    }
    state.show(Screen::Alerts);
}

/// Shows the selected incident whole.
pub(super) fn open(state: &mut AppState) {
    match state.alerts.selected {
        Some(id) => {
            state.alerts.opened = Some(OpenedIncident { id, at: None, offset: 0 });
            state.entered.push(Entered::Incident);
        }
        None => state.set_status(StyleRole::Text, "no incident is selected"),
    }
}

/// Goes back from an incident to the list. Returns whether one was open.
pub(super) fn close(state: &mut AppState) -> bool {
    state.screen == Screen::Alerts && state.alerts.opened.take().is_some()
}

/// Opens the box that asks before the incident is acknowledged that is selected, or that the agent is in.
pub(super) fn acknowledge(state: &mut AppState) {
    match purpose(state) {
        Ok(purpose) => {
            state.overlay = Some(Overlay::Prompt(Prompt {
                purpose,
                input: TextInput::default(),
                answer: PromptAnswer::Empty,
            }));
        }
        Err(why) => state.set_status(StyleRole::Text, why),
    }
}

/// Returns what is asked, or why there is nothing to acknowledge.
fn purpose(state: &AppState) -> Result<PromptPurpose, String> {
    let incident = match state.screen {
        Screen::Alerts => {
            let current = state.alerts.current().map(|report| &report.incident);
            current.ok_or_else(|| "no incident is selected".to_owned())?
        }
        _ => {
            let name = state.current_agent().ok_or_else(|| "no agent is selected".to_owned())?;
            let agent = state.live.agent(name);
            let found = agent.and_then(|agent| state.incident_of(agent));
            found.ok_or_else(|| format!("{name} is in no incident that goes on"))?.0
        }
    };
    if incident.ended_ms.is_some() {
        return Err(format!("incident {} is over", incident.id));
    }
    if let Some(ack) = &incident.acknowledged {
        let ago = age_since(Some(ack.at_ms), state.live_ms());
        return Err(format!("{} took care of incident {} {ago} ago", ack.by, incident.id));
    }
    let scope = incident_scope(&incident.scope);
    Ok(PromptPurpose::Acknowledge { incident: incident.id, scope })
}

/// Takes the answer to an acknowledgement, and has the incidents asked for again.
pub(super) fn record_acknowledgement(
    state: &mut AppState,
    result: Result<(Vec<IncidentId>, bool), String>,
) {
    state.alerts.ask_again();
    match result {
        Ok((incidents, is_stored)) => {
            let names: Vec<String> = incidents.iter().map(ToString::to_string).collect();
            let text = format!("acknowledged: incident {}", names.join(", "));
            match is_stored {
                true => state.set_status(StyleRole::Text, text),
                false => state.set_status(
                    StyleRole::Alert,
                    format!("{text}, until a restart of the collector: history is paused"),
                ),
            }
        }
        Err(why) => state.set_status(StyleRole::Alert, format!("not acknowledged: {why}")),
    }
}

/// Returns the line that the keys are on, and how many lines there are: of the incident that is shown whole, or of
/// the list.
pub(super) fn position(state: &AppState) -> (usize, usize) {
    match state.alerts.opened {
        Some(_) => incident_lines::position(state),
        None => (state.alerts.at, state.alerts.report.incidents.len()),
    }
}

pub(super) fn select_row(state: &mut AppState, row: usize) {
    match &mut state.alerts.opened {
        Some(opened) => opened.at = Some(row),
        None => state.alerts.select_row(row),
    }
}

/// Keeps the selection visible.
pub(super) fn scroll_to_selection(state: &mut AppState) {
    let height = usize::from(view::alert_rows(layout::areas(state).body, state));
    if state.alerts.opened.is_none() {
        state.alerts.scroll_to_selection(height);
        return;
    }
    let (at, lines) = incident_lines::position(state);
    if let Some(opened) = &mut state.alerts.opened {
        opened.offset = scrolled(opened.offset, at, lines, height);
    }
}
