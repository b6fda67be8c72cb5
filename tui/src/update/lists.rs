//! Order, groups, folds and marks of the fleet list, and the filters of both lists.

use heartline_operator::Filter;
use heartline_operator::message::AgentEntry;

use super::{navigation, rebuild_fleet};
use crate::columns::visible_columns;
use crate::commands::AppCommand;
use crate::state::{
    AppState, Entered, FleetRow, FollowMode, GroupBy, ListFilter, Screen, SelectedRow,
};
use crate::theme::StyleRole;

/// Runs a command of the fleet list.
pub(super) fn run_fleet_command(state: &mut AppState, command: AppCommand) {
    match command {
        AppCommand::SortLeft => sort_by_neighbour(state, -1),
        AppCommand::SortRight => sort_by_neighbour(state, 1),
        AppCommand::Invert => state.list.is_inverted = !state.list.is_inverted,
        AppCommand::Group => {
            state.list.chosen_groups = state.list.chosen_groups.next();
            state.list.folded.clear();
            if matches!(state.list.cursor, Some(SelectedRow::Group(_))) {
                state.list.cursor = None;
            }
        }
        AppCommand::FoldOpen | AppCommand::FoldClose => fold(state, command),
        AppCommand::Fold => toggle_fold_of_row(state),
        AppCommand::FoldAll => fold_all(state),
        AppCommand::Mark => mark(state),
        AppCommand::MarkRange => mark_range(state),
        AppCommand::MarkAll => mark_all(state),
        AppCommand::Unmark => {
            state.list.marks.clear();
            state.list.last_mark = None;
        }
        _ => {}
    }
    rebuild_fleet(state);
}

/// Sorts by the nearest visible column in a direction.
fn sort_by_neighbour(state: &mut AppState, step: isize) {
    let columns = visible_columns(&state.list, crate::layout::areas(state).body.width);
    let at = columns.iter().position(|column| *column == state.list.sort).unwrap_or(0);
    let next = at.saturating_add_signed(step).min(columns.len().saturating_sub(1));
    if let Some(column) = columns.get(next) {
        state.list.sort = *column;
    }
}

fn current_group_name(state: &AppState) -> Option<String> {
    state.list.current_group().map(|group| group.name.clone())
}

fn fold(state: &mut AppState, command: AppCommand) {
    let Some(name) = current_group_name(state).filter(|_| state.list.group_by() != GroupBy::None)
    else {
        return;
    };
    if command == AppCommand::FoldOpen {
        state.list.folded.remove(&name);
    } else {
        state.list.folded.insert(name.clone());
        state.list.cursor = Some(SelectedRow::Group(name));
    }
}

fn fold_all(state: &mut AppState) {
    if state.list.group_by() == GroupBy::None {
        return;
    }
    if state.list.folded.is_empty() {
        state.list.folded = state.list.groups.iter().map(|group| group.name.clone()).collect();
        state.list.cursor = current_group_name(state).map(SelectedRow::Group);
    } else {
        state.list.folded.clear();
    }
}

/// Folds the group of the selected row, or opens it.
fn toggle_fold_of_row(state: &mut AppState) {
    let is_folded = state.list.current_group().is_some_and(|group| group.is_folded);
    fold(state, if is_folded { AppCommand::FoldOpen } else { AppCommand::FoldClose });
}

/// Folds or opens the group whose header is selected.
pub(super) fn toggle_fold(state: &mut AppState) {
    let Some(SelectedRow::Group(name)) = &state.list.cursor else { return };
    if !state.list.folded.remove(name) {
        state.list.folded.insert(name.clone());
    }
    rebuild_fleet(state);
}

/// Marks or unmarks the selected agent and goes to the next row, or all agents of the selected
/// group.
fn mark(state: &mut AppState) {
    match state.list.cursor.clone() {
        Some(SelectedRow::Agent(id)) => {
            if !state.list.marks.remove(&id) {
                state.list.marks.insert(id.clone());
            }
            state.list.last_mark = Some(id);
            navigation::try_select_row(state, state.list.at + 1);
        }
        Some(SelectedRow::Group(name)) => {
            let ids = visible_agents(state, |entry| state.list.group_by().group_of(entry) == name);
            let all_marked = ids.iter().all(|id| state.list.marks.contains(id));
            for id in ids {
                if all_marked {
                    state.list.marks.remove(&id);
                } else {
                    state.list.marks.insert(id);
                }
            }
        }
        None => {}
    }
}

/// Returns the ids of those agents that the filter shows, also in folded groups.
fn visible_agents(state: &AppState, is_wanted: impl Fn(&AgentEntry) -> bool) -> Vec<String> {
    let now_ms = state.now_ms();
    let entries = state.model().fleet.entries();
    let visible = entries.filter(|entry| is_wanted(entry) && state.list.shows(entry, now_ms));
    visible.map(|entry| entry.agent.clone()).collect()
}

fn mark_range(state: &mut AppState) {
    let fleet = &state.model().fleet;
    let last_mark = state.list.last_mark.as_deref().and_then(|id| fleet.by_name(id));
    let Some(from) = last_mark.and_then(|entry| state.list.row_of(entry.id)) else {
        let text = "mark a first agent with space, then the last one of the range";
        state.set_status(StyleRole::Text, text);
        return;
    };
    let (low, high) = (from.min(state.list.at), from.max(state.list.at));
    let id_of = |row: &FleetRow| match row {
        FleetRow::Agent { id, .. } => fleet.get(*id).map(|entry| entry.agent.clone()),
        FleetRow::Group(_) => None,
    };
    let ids: Vec<String> = state.list.rows[low..=high].iter().filter_map(id_of).collect();
    state.list.marks.extend(ids);
}

fn mark_all(state: &mut AppState) {
    let ids = visible_agents(state, |_| true);
    state.list.marks.extend(ids);
}

/// Changes the filter of the screen's list, and rebuilds the list.
pub(super) fn change_filter(state: &mut AppState, change: impl FnOnce(&mut ListFilter)) {
    match state.screen {
        Screen::Fleet | Screen::Timeline => {
            change(&mut state.list.filter);
            rebuild_fleet(state);
        }
        Screen::Transitions => {
            change(&mut state.transitions.filter);
            rebuild_transitions(state);
        }
        Screen::Agent | Screen::Alerts => {}
    }
}

/// Shows everything on the screen's list again. Returns whether anything was left out.
pub(super) fn clear_filter(state: &mut AppState) -> bool {
    let mut was_active = false;
    change_filter(state, |filter| {
        was_active = filter.is_active();
        *filter = ListFilter::default();
    });
    was_active
}

pub(super) fn rebuild_transitions(state: &mut AppState) {
    let now_ms = state.now_ms();
    let model = state.travel.model_or(&state.live);
    state.transitions.rebuild(model, now_ms);
}

/// Shows the events of the current agent.
pub(super) fn show_agent_transitions(state: &mut AppState) {
    let Some(id) = state.current_agent() else {
        state.set_status(StyleRole::Text, "no agent is selected");
        return;
    };
    // An id consists of letters, digits, dots and dashes, so that this is always a filter.
    if let Ok(query) = Filter::parse(&format!("agent={id}")) {
        let (from, before) = (state.screen, state.transitions.filter.clone());
        state.show(Screen::Transitions);
        state.transitions.follow = FollowMode::Tail;
        change_filter(state, |filter| filter.query = Some(query));
        // One key entered both.
        state.entered.pop();
        state.entered.push(Entered::Log(from, Box::new(before)));
    }
}
