//! Palette, pickers, and the filter line while it is typed.

use crossterm::event::KeyCode;
use heartline_operator::Filter;

use super::{command, fleet, rebuild, transitions};
use crate::event::Effect;
use crate::keys::Chord;
use crate::state::{
    Column, FilterEdit, FilterFault, Input, Overlay, Picker, PickerKind, Screen, State,
};

pub(super) fn pick(state: &mut State, kind: PickerKind) {
    let at = Column::ALL.iter().position(|column| *column == state.list.sort).unwrap_or(0);
    state.overlay = Some(Overlay::Picker(Picker { kind, at }));
}

/// Enter in a picker: sorts and closes, or shows and hides a column and stays.
pub(super) fn picked(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Picker(picker)) = &state.overlay else { return Vec::new() };
    let column = picker.chosen();
    match picker.kind {
        PickerKind::Sort => {
            state.list.sort = column;
            state.list.inverted = false;
            state.overlay = None;
            rebuild(state);
        }
        PickerKind::Columns => {
            let fixed = matches!(column, Column::State | Column::Agent);
            if !fixed && !state.list.hidden.remove(&column) {
                state.list.hidden.insert(column);
            }
        }
    }
    Vec::new()
}

pub(super) fn palette_key(state: &mut State, chord: Chord) -> Option<Vec<Effect>> {
    let context = state.screen_context();
    let Some(Overlay::Palette(palette)) = &mut state.overlay else { return None };
    let found = palette.matches(context);
    let last = found.len().saturating_sub(1);
    match chord.code {
        KeyCode::Enter => {
            let chosen = found.get(palette.at.min(last)).map(|spec| spec.command);
            state.overlay = None;
            return Some(chosen.map_or_else(Vec::new, |chosen| command::run(state, chosen)));
        }
        KeyCode::Down | KeyCode::Tab => palette.at = (palette.at + 1).min(last),
        KeyCode::Up | KeyCode::BackTab => palette.at = palette.at.saturating_sub(1),
        _ if palette.input.key(chord) => palette.at = 0,
        _ => return None,
    }
    Some(Vec::new())
}

/// Begins to type the filter of the screen's list.
pub(super) fn edit_filter(state: &mut State) {
    let before = match state.screen {
        Screen::Transitions => state.transitions.filter_text.clone(),
        Screen::Fleet | Screen::Agent => state.list.filter_text.clone(),
    };
    let input = Input::with(&before);
    let cursor = state.list.cursor.clone();
    state.overlay = Some(Overlay::Filter(FilterEdit { input, before, cursor, error: None }));
}

pub(super) fn filter_key(state: &mut State, chord: Chord) -> Option<Vec<Effect>> {
    let Some(Overlay::Filter(edit)) = &mut state.overlay else { return None };
    match chord.code {
        KeyCode::Enter if edit.error.is_some() => {}
        KeyCode::Enter => state.overlay = None,
        KeyCode::Esc => {
            let (before, cursor) = (edit.before.clone(), edit.cursor.take());
            state.overlay = None;
            state.list.cursor = cursor;
            // It was in force before, so it is a filter.
            let _ = apply(state, &before);
        }
        _ if edit.input.key(chord) => filter_changed(state),
        _ => return None,
    }
    Some(Vec::new())
}

/// The typed filter takes effect as it is typed; a faulty one leaves the last good one in force
/// and says what is wrong, and where.
pub(super) fn filter_changed(state: &mut State) {
    let Some(Overlay::Filter(edit)) = &state.overlay else { return };
    let text = edit.input.text().to_owned();
    let fault = apply(state, &text).err();
    if let Some(Overlay::Filter(edit)) = &mut state.overlay {
        edit.error = fault;
    }
}

fn apply(state: &mut State, text: &str) -> Result<(), FilterFault> {
    let filter = parse(text)?;
    if state.screen == Screen::Transitions {
        transitions::set_filter(state, filter, text);
    } else {
        fleet::set_filter(state, filter, text);
        rebuild(state);
    }
    Ok(())
}

/// An empty filter is none.
fn parse(text: &str) -> Result<Option<Filter>, FilterFault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::parse(text).map(Some).map_err(|error| FilterFault {
        column: error.column().saturating_sub(1),
        message: error.message().to_owned(),
    })
}
