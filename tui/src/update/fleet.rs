//! Order, groups, folds, marks and filter of the fleet list.

use heartline_operator::Filter;

use super::rebuild;
use crate::commands::Command;
use crate::look::Role;
use crate::state::{Column, Cursor, Grouping, Row, Shown, State};

pub(super) fn run(state: &mut State, command: Command) {
    match command {
        Command::SortLeft => sort_by(state, -1),
        Command::SortRight => sort_by(state, 1),
        Command::Invert => state.list.inverted = !state.list.inverted,
        Command::Group => {
            state.list.grouping = state.list.grouping.next();
            state.list.folded.clear();
            if matches!(state.list.cursor, Some(Cursor::Group(_))) {
                state.list.cursor = None;
            }
        }
        Command::FoldOpen | Command::FoldClose => fold(state, command),
        Command::FoldAll => fold_all(state),
        Command::Mark => mark(state),
        Command::MarkRange => mark_range(state),
        Command::MarkAll => mark_all(state),
        Command::Unmark => {
            state.list.marks.clear();
            state.list.last_mark = None;
        }
        _ => {}
    }
    rebuild(state);
}

/// Sorts by the nearest column in that direction that is on the screen.
fn sort_by(state: &mut State, step: isize) {
    let width = crate::layout::regions(state).body.width;
    let shown: Vec<Column> = crate::view::columns_shown(&state.list, width);
    let at = shown.iter().position(|column| *column == state.list.sort).unwrap_or(0);
    let next = at.saturating_add_signed(step).min(shown.len().saturating_sub(1));
    if let Some(column) = shown.get(next) {
        state.list.sort = *column;
    }
}

/// The name of the group that the cursor is in.
fn group_here(state: &State) -> Option<String> {
    state.list.group_here().map(|group| group.name.clone())
}

fn fold(state: &mut State, command: Command) {
    let Some(name) = group_here(state).filter(|_| state.list.grouping != Grouping::None) else {
        return;
    };
    if command == Command::FoldOpen {
        state.list.folded.remove(&name);
    } else {
        state.list.folded.insert(name.clone());
        state.list.cursor = Some(Cursor::Group(name));
    }
}

fn fold_all(state: &mut State) {
    if state.list.grouping == Grouping::None {
        return;
    }
    if state.list.folded.is_empty() {
        state.list.folded = state.list.groups.iter().map(|group| group.name.clone()).collect();
        state.list.cursor = group_here(state).map(Cursor::Group);
    } else {
        state.list.folded.clear();
    }
}

/// On a group's header: folds or opens it. Returns whether it was one.
pub(super) fn toggle_group(state: &mut State) -> bool {
    let Some(Cursor::Group(name)) = &state.list.cursor else { return false };
    if !state.list.folded.remove(name) {
        state.list.folded.insert(name.clone());
    }
    rebuild(state);
    true
}

/// Marks or unmarks the agent here and goes on to the next row; on a header the whole group.
fn mark(state: &mut State) {
    match state.list.cursor.clone() {
        Some(Cursor::Agent(id)) => {
            if !state.list.marks.remove(&id) {
                state.list.marks.insert(id.clone());
            }
            state.list.last_mark = Some(id);
            super::motion::select(state, state.list.at + 1);
        }
        Some(Cursor::Group(name)) => {
            let ids = members(state, &name);
            let all = ids.iter().all(|id| state.list.marks.contains(id));
            for id in ids {
                if all {
                    state.list.marks.remove(&id);
                } else {
                    state.list.marks.insert(id);
                }
            }
        }
        None => {}
    }
}

/// Ids of a group's agents that the filter shows.
fn members(state: &State, name: &str) -> Vec<String> {
    let now_ms = state.now_ms();
    let here = |entry: &&heartline_operator::message::AgentEntry| {
        state.list.grouping.of(entry) == name && state.list.shows(entry, now_ms)
    };
    state.world().fleet.entries().filter(here).map(|entry| entry.agent.clone()).collect()
}

fn mark_range(state: &mut State) {
    let from = state
        .list
        .last_mark
        .as_deref()
        .and_then(|id| state.world().agent(id))
        .and_then(|entry| state.list.row_of(entry.id));
    let Some(from) = from else {
        state.say(Role::Text, "mark a first agent with space, then the last one of the range");
        return;
    };
    let (low, high) = (from.min(state.list.at), from.max(state.list.at));
    let ids = ids_of(state, &state.list.rows[low..=high]);
    state.list.marks.extend(ids);
}

fn mark_all(state: &mut State) {
    let now_ms = state.now_ms();
    let shown = state.world().fleet.entries().filter(|entry| state.list.shows(entry, now_ms));
    let ids: Vec<String> = shown.map(|entry| entry.agent.clone()).collect();
    state.say(Role::Text, format!("{} marked", ids.len()));
    state.list.marks.extend(ids);
}

fn ids_of(state: &State, rows: &[Row]) -> Vec<String> {
    let id = |row: &Row| match row {
        Row::Agent { id, .. } => state.world().fleet.get(*id).map(|entry| entry.agent.clone()),
        Row::Group(_) => None,
    };
    rows.iter().filter_map(id).collect()
}

pub(super) fn toggle_bad(state: &mut State) {
    state.list.shown = match state.list.shown {
        Shown::All => Shown::BadOnly,
        Shown::BadOnly => Shown::All,
    };
    rebuild(state);
}

/// Shows all agents again. Returns whether any filter was on.
pub(super) fn clear_filter(state: &mut State) -> bool {
    let was_on = state.list.filter.is_some() || state.list.shown == Shown::BadOnly;
    set_filter(state, None, "");
    state.list.shown = Shown::All;
    rebuild(state);
    was_on
}

pub(super) fn set_filter(state: &mut State, filter: Option<Filter>, text: &str) {
    state.list.filter = filter;
    text.clone_into(&mut state.list.filter_text);
}
