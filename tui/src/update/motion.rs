//! Up and down, on whatever list has the keys.

use crate::commands::Command;
use crate::layout;
use crate::state::{Cursor, Overlay, Picker, Row, Screen, State};

/// Moves by one row, half a page, a page, or to an end.
pub(super) fn run(state: &mut State, command: Command) {
    let height = usize::from(layout::regions(state).body.height).max(2);
    let (at, last) = position(state);
    let target = match command {
        Command::Down => at.saturating_add(1),
        Command::Up => at.saturating_sub(1),
        Command::HalfDown => at.saturating_add(height / 2),
        Command::HalfUp => at.saturating_sub(height / 2),
        Command::PageDown => at.saturating_add(height - 1),
        Command::PageUp => at.saturating_sub(height - 1),
        Command::Top => 0,
        _ => last,
    };
    go_to(state, target.min(last));
}

/// Row of the cursor and last row.
fn position(state: &State) -> (usize, usize) {
    match (&state.overlay, state.screen) {
        (Some(Overlay::Help { scroll }), _) => (*scroll, crate::commands::REGISTRY.len()),
        (Some(Overlay::Picker(picker)), _) => (picker.at, Picker::CHOICES - 1),
        (_, Screen::Fleet) => (state.list.at, state.list.rows.len().saturating_sub(1)),
        (_, Screen::Transitions) => {
            (state.transitions.at, state.transitions.rows.len().saturating_sub(1))
        }
        (_, Screen::Agent) => {
            state.agent.as_ref().map_or((0, 0), |pane| (pane.scroll, pane.rows().saturating_sub(1)))
        }
    }
}

fn go_to(state: &mut State, row: usize) {
    match (&mut state.overlay, state.screen) {
        (Some(Overlay::Help { scroll }), _) => *scroll = row,
        (Some(Overlay::Picker(picker)), _) => picker.at = row,
        (_, Screen::Fleet) => {
            let world = state.frozen.as_deref().unwrap_or(&state.live);
            state.list.go_to(row, &world.fleet);
        }
        (_, Screen::Transitions) => state.transitions.go_to(row),
        (_, Screen::Agent) => {
            if let Some(pane) = &mut state.agent {
                pane.scroll = row;
            }
        }
    }
}

/// Moves by some rows on a wheel.
pub(super) fn wheel(state: &mut State, rows: isize) {
    let (at, last) = position(state);
    go_to(state, at.saturating_add_signed(rows).min(last));
}

/// Selects a row of the screen's list.
pub(super) fn select(state: &mut State, row: usize) {
    let (_, last) = position(state);
    if row <= last {
        go_to(state, row);
    }
}

/// To the next or previous agent, round in a circle, opening its group; among events to the next
/// bad one, or under a filter to the next row.
pub(super) fn match_step(state: &mut State, command: Command) {
    let forward = command == Command::NextMatch;
    match state.screen {
        Screen::Fleet => {
            unfold_all(state);
            let rows = &state.list.rows;
            let is_agent = |at: usize| matches!(rows.get(at), Some(Row::Agent { .. }));
            if let Some(at) = around(rows.len(), state.list.at, forward, is_agent) {
                go_to(state, at);
            }
        }
        Screen::Transitions => {
            let filtered = state.transitions.filter.is_some();
            let rows = &state.transitions.rows;
            let wanted = |at: usize| {
                let event = rows.get(at).and_then(|cursor| state.event(*cursor));
                event.is_some_and(|event| filtered || crate::state::is_bad(event))
            };
            if let Some(at) = around(rows.len(), state.transitions.at, forward, wanted) {
                go_to(state, at);
            }
        }
        Screen::Agent => {}
    }
}

/// The next index after `at`, in either direction, that is wanted.
fn around(len: usize, at: usize, forward: bool, wanted: impl Fn(usize) -> bool) -> Option<usize> {
    (1..=len)
        .map(|step| if forward { (at + step) % len } else { (at + len - step) % len })
        .find(|&candidate| wanted(candidate))
}

/// While a filter is on, no match may hide in a folded group.
fn unfold_all(state: &mut State) {
    let on_group = matches!(state.list.cursor, Some(Cursor::Group(_)));
    if state.list.filter.is_some() || on_group {
        state.list.folded.clear();
        super::rebuild(state);
    }
}
