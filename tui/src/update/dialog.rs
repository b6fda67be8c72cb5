//! The kill and resume dialogs: their targets, their keys, and the command that they send.

use heartline_operator::message::{AgentCommand, AgentEntry, AgentSelector};
use heartline_operator::text::natural_order;
use heartline_vocabulary::{Action, Reason, State};

use super::AppEffect;
use crate::keys::{KeyChord, KeyCode};
use crate::state::{
    AppState, ConfirmDialog, DialogFocus, FocusDirection, Overlay, Screen, SelectedRow,
    TrackedCommand,
};
use crate::theme::StyleRole;
use crate::view::dialog_size_needed;

/// Targets that PgDn and PgUp scroll.
const SCROLL_ROWS: usize = 4;

/// Opens the dialog on the marked agents, or on what is selected.
pub(super) fn open(state: &mut AppState, action: Action) {
    if !state.connection.is_live() {
        let text =
            format!("no connection to a collector: nobody can be asked to {}", action.name());
        return state.set_status(StyleRole::Warning, text);
    }
    let (targets, hidden) = find_targets(state, action);
    if targets.is_empty() {
        let text = match action {
            Action::Kill => "no agent is selected",
            Action::Resume => {
                "nothing here was killed: a stopped agent runs again when it is restarted"
            }
        };
        state.set_status(StyleRole::Text, text);
        return;
    }
    let opened_at_ms = state.live.now_ms(state.now);
    let dialog = ConfirmDialog::new(action, targets, hidden, &state.live.fleet, opened_at_ms);
    if let Some(needed) = dialog_size_needed(state, &dialog) {
        return state.set_status(StyleRole::Warning, needed);
    }
    state.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}

/// Returns the targets, always from the live model, and how many of the last ones the filter hides:
///
/// 1. on the Agent screen that agent;
/// 2. else all marked agents, whether the filter shows them or not;
/// 3. else all agents of the selected group, whether the filter shows them or not;
/// 4. else the selected agent.
fn find_targets(state: &AppState, action: Action) -> (Vec<AgentEntry>, usize) {
    let fleet = &state.live.fleet;
    let is_fleet_screen = state.screen == Screen::Fleet;
    let found: Vec<&AgentEntry> = match &state.list.cursor {
        _ if is_fleet_screen && !state.list.marks.is_empty() => {
            state.list.marks.iter().filter_map(|id| fleet.by_name(id)).collect()
        }
        Some(SelectedRow::Group(name)) if is_fleet_screen => {
            let in_group = |entry: &&AgentEntry| state.list.group_by().group_of(entry) == name;
            fleet.entries().filter(in_group).collect()
        }
        _ => state.current_agent().and_then(|id| fleet.by_name(id)).into_iter().collect(),
    };
    let is_target = |entry: &&AgentEntry| action == Action::Kill || is_resumable(entry);
    let now_ms = state.now_ms();
    let is_visible = |entry: &&AgentEntry| !is_fleet_screen || state.list.shows(entry, now_ms);
    let (mut targets, mut hidden): (Vec<_>, Vec<_>) =
        found.into_iter().filter(is_target).partition(is_visible);
    targets.sort_by(|a, b| natural_order(&a.agent, &b.agent));
    hidden.sort_by(|a, b| natural_order(&a.agent, &b.agent));
    let hidden_count = hidden.len();
    (targets.into_iter().chain(hidden).cloned().collect(), hidden_count)
}

/// Returns whether a command keeps the agent from work, ours or another collector's: one that
/// stopped by itself can't be resumed.
fn is_resumable(entry: &AgentEntry) -> bool {
    let command = entry.vitals.command.as_ref();
    let is_killed = entry.vitals.state == State::Killed
        && command.is_some_and(|command| command.action == Action::Kill);
    is_killed || entry.vitals.reason == Some(Reason::Blocked)
}

/// Returns whether the dialog took a key itself. Enter in a text field only goes to the next field.
pub(super) fn handle_key(dialog: &mut ConfirmDialog, chord: KeyChord) -> bool {
    let in_field = dialog.focused_field().is_some();
    match chord.code {
        KeyCode::Enter if in_field => dialog.move_focus(FocusDirection::Next),
        KeyCode::Down => dialog.move_focus(FocusDirection::Next),
        KeyCode::Up => dialog.move_focus(FocusDirection::Previous),
        KeyCode::Left if !in_field => dialog.move_focus(FocusDirection::Previous),
        KeyCode::Right if !in_field => dialog.move_focus(FocusDirection::Next),
        KeyCode::PageDown => {
            let last = dialog.targets.len().saturating_sub(1);
            dialog.scroll = (dialog.scroll + SCROLL_ROWS).min(last);
        }
        KeyCode::PageUp => dialog.scroll = dialog.scroll.saturating_sub(SCROLL_ROWS),
        _ => {
            let is_handled = dialog.focused_field().is_some_and(|field| field.handle_key(chord));
            // A letter typed while a button has the focus is ignored.
            return is_handled || chord.typed_char().is_some();
        }
    }
    true
}

/// Handles Enter on a button.
pub(super) fn press_button(state: &mut AppState) -> Vec<AppEffect> {
    let Some(Overlay::Dialog(dialog)) = &state.overlay else { return Vec::new() };
    match dialog.focus {
        DialogFocus::Cancel => state.overlay = None,
        DialogFocus::Confirm if !state.connection.is_live() => {
            state.set_status(StyleRole::Alert, "the connection is lost: nothing was sent");
        }
        DialogFocus::Confirm if dialog.is_ready() => return confirm(state),
        DialogFocus::Confirm | DialogFocus::Reason | DialogFocus::Phrase => {}
    }
    Vec::new()
}

fn confirm(state: &mut AppState) -> Vec<AppEffect> {
    let Some(Overlay::Dialog(dialog)) = state.overlay.take() else { return Vec::new() };
    let command = AgentCommand {
        request_id: state.rng.u64(1..),
        action: dialog.action,
        agents: AgentSelector::Names(
            dialog.targets.iter().map(|target| target.agent.clone()).collect(),
        ),
        reason: dialog.reason.text().trim().to_owned(),
        expect: u32::try_from(dialog.targets.len()).ok(),
        fingerprint: None,
    };
    state.list.marks.clear();
    state.list.last_mark = None;
    state.tracker.push(TrackedCommand::new(command.clone(), state.now));
    vec![AppEffect::SendCommand(command)]
}
