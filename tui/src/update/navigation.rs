//! Moving the selection of whatever list has the keys, by keys and by the mouse.

use ratatui::layout::Rect;

use crate::columns::{FleetColumn, LEFT_MARGIN, column_width, visible_columns};
use crate::commands::AppCommand;
use crate::layout;
use crate::state::{AppState, FleetRow, Overlay, Screen, SelectedRow, TimelineFocus};
use crate::timeline_layout::TimelineAreas;
use crate::view::{self, alert_rows, max_collector_scroll, max_help_scroll};

use super::{MouseInput, alerts};

/// Rows that one turn of the mouse wheel moves.
const WHEEL_ROWS: isize = 3;

/// Moves by one row, half a page, a page, or to an end.
pub(super) fn move_selection(state: &mut AppState, command: AppCommand) {
    let body = layout::areas(state).body;
    let height = match (state.screen, state.timeline.focus) {
        (Screen::Timeline, TimelineFocus::Rows) => TimelineAreas::of(body).rows.height,
        (Screen::Timeline, TimelineFocus::Outages) => TimelineAreas::of(body).outages.height,
        (Screen::Alerts, _) => alert_rows(body, state),
        _ => body.height,
    };
    let height = usize::from(height).max(2);
    let (at, last) = position(state);
    let row = match command {
        AppCommand::Down => at.saturating_add(1),
        AppCommand::Up => at.saturating_sub(1),
        AppCommand::HalfDown => at.saturating_add(height / 2),
        AppCommand::HalfUp => at.saturating_sub(height / 2),
        AppCommand::PageDown => at.saturating_add(height - 1),
        AppCommand::PageUp => at.saturating_sub(height - 1),
        AppCommand::Top => 0,
        _ => last,
    };
    select_row(state, row.min(last));
}

/// Returns the selected row and the last row.
fn position(state: &AppState) -> (usize, usize) {
    let (at, rows) = match (&state.overlay, state.screen) {
        (Some(Overlay::Help { scroll }), _) => (*scroll, max_help_scroll(state) + 1),
        (Some(Overlay::Collector(view)), _) => (view.scroll, max_collector_scroll(state, view) + 1),
        (Some(Overlay::Picker(picker)), _) => (picker.at, FleetColumn::ALL.len()),
        (_, Screen::Timeline) if state.timeline.focus == TimelineFocus::Outages => {
            (state.timeline.outages.at, state.timeline.outages.rows.len())
        }
        (_, Screen::Fleet | Screen::Timeline) => (state.list.at, state.list.rows.len()),
        (_, Screen::Transitions) => (state.transitions.at, state.transitions.rows.len()),
        (_, Screen::Alerts) => alerts::position(state),
        (_, Screen::Agent) => {
            state.agent.as_ref().map_or((0, 0), |agent| (agent.scroll, state.agent_rows()))
        }
    };
    (at, rows.saturating_sub(1))
}

fn select_row(state: &mut AppState, row: usize) {
    match (&mut state.overlay, state.screen) {
        (Some(Overlay::Help { scroll }), _) => *scroll = row,
        (Some(Overlay::Collector(view)), _) => view.scroll = row,
        (Some(Overlay::Picker(picker)), _) => picker.at = row,
        (_, Screen::Timeline) if state.timeline.focus == TimelineFocus::Outages => {
            state.timeline.outages.select_row(row);
        }
        (_, Screen::Fleet | Screen::Timeline) => {
            let model = state.travel.model_or(&state.live);
            state.list.select_row(row, &model.fleet);
            // An agent that was not there at the instant can be selected, too.
            if let Some(FleetRow::Agent { id, .. }) = state.list.rows.get(state.list.at)
                && state.list.cursor.is_none()
            {
                let entry = state.live.fleet.get(*id);
                state.list.cursor = entry.map(|entry| SelectedRow::Agent(entry.agent.clone()));
            }
        }
        (_, Screen::Transitions) => state.transitions.select_row(row),
        (_, Screen::Alerts) => alerts::select_row(state, row),
        (_, Screen::Agent) => {
            if let Some(agent) = &mut state.agent {
                agent.scroll = row;
            }
        }
    }
}

/// Selects a row of the screen's list, if there is one.
pub(super) fn try_select_row(state: &mut AppState, row: usize) {
    let (_, last) = position(state);
    if row <= last {
        select_row(state, row);
    }
}

/// Handles the mouse while it is captured: it scrolls and selects rows, and never kills.
pub(super) fn handle_mouse(state: &mut AppState, input: MouseInput) {
    let rows = match input {
        MouseInput::Click { column, row } => return click(state, column, row),
        MouseInput::ScrollDown => WHEEL_ROWS,
        MouseInput::ScrollUp => -WHEEL_ROWS,
    };
    let (at, last) = position(state);
    select_row(state, at.saturating_add_signed(rows).min(last));
}

fn click(state: &mut AppState, column: u16, row: u16) {
    let areas = layout::areas(state);
    if state.screen == Screen::Fleet
        && state.overlay.is_none()
        && areas.titles.contains((column, row).into())
    {
        return sort_by_title(state, areas.titles, column);
    }
    let body = areas.body;
    let (body, offset) = match state.screen {
        Screen::Fleet => (body, state.list.offset),
        Screen::Transitions => (body, state.transitions.offset),
        Screen::Timeline => return click_timeline(state, TimelineAreas::of(body), column, row),
        Screen::Alerts => match view::alert_line(state, body, (column, row)) {
            Some(line) if state.overlay.is_none() => return try_select_row(state, line),
            _ => return,
        },
        Screen::Agent => return,
    };
    if state.overlay.is_none() && body.contains((column, row).into()) {
        try_select_row(state, offset + usize::from(row - body.y));
    }
}

/// Sorts by the column whose title is clicked; where that is the order already, inverts it.
fn sort_by_title(state: &mut AppState, titles: Rect, x: u16) {
    let columns = visible_columns(&state.list, titles.width);
    let mut left = titles.x + LEFT_MARGIN;
    for column in &columns {
        let right = left + column_width(*column, &columns, &state.list, titles.width);
        if (left..=right).contains(&x) {
            state.list.is_inverted = state.list.sort == *column && !state.list.is_inverted;
            state.list.sort = *column;
            return super::rebuild_fleet(state);
        }
        left = right + 1;
    }
}

/// Selects a row of the timeline and the instant of the cell, or an outage.
fn click_timeline(state: &mut AppState, areas: TimelineAreas, column: u16, row: u16) {
    let at = (column, row).into();
    if state.overlay.is_some() {
        return;
    }
    if areas.outages.contains(at) {
        state.timeline.focus = TimelineFocus::Outages;
        try_select_row(state, state.timeline.outages.offset + usize::from(row - areas.outages.y));
    } else if areas.rows.contains(at) {
        state.timeline.focus = TimelineFocus::Rows;
        try_select_row(state, state.list.offset + usize::from(row - areas.rows.y));
        let cell = column.checked_sub(areas.rows.x + areas.name_columns);
        if let Some(cell) = cell.filter(|cell| *cell < areas.cells) {
            let at_ms = state.timeline.left_ms + i64::from(cell) * state.timeline.cell_ms();
            super::time_travel::show_instant(state, at_ms);
        }
    }
}

/// Selects the next or previous agent, cyclically, and opens its group; among events the next
/// problem, or under a filter the next row.
pub(super) fn select_next_match(state: &mut AppState, command: AppCommand) {
    let forward = command == AppCommand::NextMatch;
    let next = match state.screen {
        Screen::Fleet | Screen::Timeline => {
            unfold_groups(state);
            let rows = &state.list.rows;
            let is_agent = |at: usize| matches!(rows.get(at), Some(FleetRow::Agent { .. }));
            find_cyclic(rows.len(), state.list.at, forward, is_agent)
        }
        Screen::Transitions => {
            let is_filtered = state.transitions.filter.query.is_some();
            let rows = &state.transitions.rows;
            let is_match = |at: usize| {
                let event = rows.get(at).and_then(|cursor| state.event(*cursor));
                event.is_some_and(|event| is_filtered || crate::state::is_problem(event))
            };
            find_cyclic(rows.len(), state.transitions.at, forward, is_match)
        }
        Screen::Agent | Screen::Alerts => None,
    };
    if let Some(row) = next {
        select_row(state, row);
    }
}

/// Returns the next index after `at`, in either direction, that matches.
fn find_cyclic(
    len: usize,
    at: usize,
    forward: bool,
    is_match: impl Fn(usize) -> bool,
) -> Option<usize> {
    (1..=len)
        .map(|step| if forward { (at + step) % len } else { (at + len - step) % len })
        .find(|&candidate| is_match(candidate))
}

/// Opens all groups while a filter is on, so that no match is hidden in a folded one.
fn unfold_groups(state: &mut AppState) {
    let is_on_group = matches!(state.list.cursor, Some(SelectedRow::Group(_)));
    if state.list.filter.query.is_some() || is_on_group {
        state.list.folded.clear();
        super::rebuild_fleet(state);
    }
}
