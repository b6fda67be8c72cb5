//! Dialogs: their targets, their keys, and the command that they send.

use heartline_operator::message::{AgentCommand, AgentEntry, AgentSelector, ForgetCommand};
use heartline_operator::text::natural_order;
use heartline_vocabulary::{Action, ForgetRefusal, Reason, State};

use super::AppEffect;
use crate::keys::{KeyChord, KeyCode};
use crate::state::{
    AppState, CommandTargets, ConfirmDialog, DialogCommand, DialogFocus, FocusDirection, Overlay,
    Screen, SelectedRow, TrackedCommand,
};
use crate::theme::StyleRole;
use crate::view::dialog_size_needed;

/// Targets that PgDn and PgUp scroll.
const SCROLL_ROWS: usize = 4;

/// Opens the dialog on the marked agents, or on what is selected.
pub(super) fn open(state: &mut AppState, command: DialogCommand) {
    if !state.connection.is_live() {
        let text =
            format!("no connection to a collector: nobody can be asked to {}", command.name());
        return state.set_status(StyleRole::Warning, text);
    }
    let selected = selected_agents(state);
    let targets = find_targets(state, command, &selected);
    if targets.agents.is_empty() {
        let text = no_target(command, &selected);
        return state.set_status(StyleRole::Text, text);
    }
    let opened_at_ms = state.live.now_ms(state.now);
    let dialog = ConfirmDialog::new(command, targets, &state.live.fleet, opened_at_ms);
    if let Some(needed) = dialog_size_needed(state, &dialog) {
        return state.set_status(StyleRole::Warning, needed);
    }
    state.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}

/// Returns what a command is about, always from the live model:
///
/// 1. on the Agent screen that agent;
/// 2. else all marked agents, whether the filter shows them or not;
/// 3. else all agents of the selected group, whether the filter shows them or not;
/// 4. else the selected agent.
fn selected_agents(state: &AppState) -> Vec<&AgentEntry> {
    let fleet = &state.live.fleet;
    let is_fleet_screen = state.screen == Screen::Fleet;
    match &state.list.cursor {
        _ if is_fleet_screen && !state.list.marks.is_empty() => {
            state.list.marks.iter().filter_map(|id| fleet.by_name(id)).collect()
        }
        Some(SelectedRow::Group(name)) if is_fleet_screen => {
            let in_group = |entry: &&AgentEntry| state.list.group_by().group_of(entry) == name;
            fleet.entries().filter(in_group).collect()
        }
        _ => state.current_agent().and_then(|id| fleet.by_name(id)).into_iter().collect(),
    }
}

/// Returns those of the selected agents that the command can be given for.
fn find_targets(
    state: &AppState,
    command: DialogCommand,
    selected: &[&AgentEntry],
) -> CommandTargets {
    let is_target = |entry: &&AgentEntry| match command {
        DialogCommand::Kill => true,
        DialogCommand::Resume => is_resumable(entry),
        DialogCommand::Forget => is_gone(entry),
    };
    let now_ms = state.now_ms();
    let is_visible =
        |entry: &&AgentEntry| state.screen != Screen::Fleet || state.list.shows(entry, now_ms);
    let (mut visible, mut hidden): (Vec<_>, Vec<_>) =
        selected.iter().copied().filter(is_target).partition(is_visible);
    visible.sort_by(|a, b| natural_order(&a.agent, &b.agent));
    hidden.sort_by(|a, b| natural_order(&a.agent, &b.agent));
    let hidden_count = hidden.len();
    let agents: Vec<AgentEntry> = visible.into_iter().chain(hidden).cloned().collect();
    CommandTargets { left_out: selected.len() - agents.len(), agents, hidden: hidden_count }
}

/// Says why a command can be given for none of the selected agents, and what to do.
fn no_target(command: DialogCommand, selected: &[&AgentEntry]) -> String {
    match (command, selected) {
        (_, []) | (DialogCommand::Kill, _) => "no agent is selected".to_owned(),
        (DialogCommand::Resume, _) => {
            "nothing here was killed: a stopped agent runs again when it is restarted".to_owned()
        }
        (DialogCommand::Forget, [one]) if one.vitals.state == State::Killed => {
            ForgetRefusal::Killed(one.agent.clone()).to_string()
        }
        (DialogCommand::Forget, [one]) => {
            format!("{} beats and would be back at once: stop it, then forget it", one.agent)
        }
        (DialogCommand::Forget, _) => {
            "nothing here can be forgotten: all of them beat, or are killed".to_owned()
        }
    }
}

/// Returns whether an agent stopped, is unreachable or was not heard yet: the collector forgets no
/// other.
fn is_gone(entry: &AgentEntry) -> bool {
    match entry.vitals.state {
        State::Unreachable | State::Unknown => true,
        State::Killed => entry.vitals.reason == Some(Reason::Shutdown),
        State::Healthy | State::Degraded => false,
    }
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
            let last = dialog.targets.agents.len().saturating_sub(1);
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
    match dialog.command {
        DialogCommand::Kill => command_agents(state, &dialog, Action::Kill),
        DialogCommand::Resume => command_agents(state, &dialog, Action::Resume),
        DialogCommand::Forget => forget_agents(state, &dialog),
    }
}

fn command_agents(state: &mut AppState, dialog: &ConfirmDialog, action: Action) -> Vec<AppEffect> {
    let (agents, expect) = exact_targets(dialog);
    let command = AgentCommand {
        request_id: state.rng.u64(1..),
        action,
        agents,
        reason: dialog.reason.text().trim().to_owned(),
        expect,
        fingerprint: None,
    };
    state.list.marks.clear();
    state.list.last_mark = None;
    state.tracker.push(TrackedCommand::new(command.clone(), state.now));
    vec![AppEffect::SendCommand(command)]
}

/// Marks stay until the collector has forgotten their agents: it may refuse.
fn forget_agents(state: &mut AppState, dialog: &ConfirmDialog) -> Vec<AppEffect> {
    let (agents, expect) = exact_targets(dialog);
    let whom = match agents.names() {
        [only] => only.clone(),
        several => format!("{} agents", several.len()),
    };
    state.set_status(StyleRole::Text, format!("asked the collector to forget {whom}"));
    vec![AppEffect::SendForget(ForgetCommand { agents, expect, fingerprint: None })]
}

/// Returns the targets by their ids, and their count, which the operator has confirmed.
fn exact_targets(dialog: &ConfirmDialog) -> (AgentSelector, Option<u32>) {
    let names: Vec<_> = dialog.targets.agents.iter().map(|it| it.agent.clone()).collect();
    let count = u32::try_from(names.len()).ok();
    (AgentSelector::Names(names), count)
}

/// Says what became of a forget, and unmarks the agents that were forgotten.
pub(super) fn record_forget(state: &mut AppState, outcome: Result<Vec<String>, String>) {
    let forgotten = match outcome {
        Ok(forgotten) => forgotten,
        Err(why) => return state.set_status(StyleRole::Alert, why),
    };
    for id in &forgotten {
        state.list.marks.remove(id);
    }
    let said = match forgotten.as_slice() {
        [only] => format!("forgotten: {only} (its history stays)"),
        several => format!("forgotten: {} agents (their history stays)", several.len()),
    };
    state.set_status(StyleRole::Text, said);
}
