//! Keys and pasted text: they go to a text field, a palette, a picker or a dialog, else to the key
//! map.

use heartline_operator::{Filter, FilterCompletion, complete_filter, field_values};

use super::{AppEffect, command, dialog, lists, prompt, rebuild_fleet, time_travel};
use crate::columns::FleetColumn;
use crate::commands::KeyContext;
use crate::keys::{KeyChord, KeyCode, KeyLookup};
use crate::state::{
    AppState, ColumnPicker, Entered, FilterEditor, Overlay, PickerPurpose, Screen, TextInput,
};
use crate::theme::StyleRole;

pub(super) fn handle_key(state: &mut AppState, chord: KeyChord) -> Vec<AppEffect> {
    if time_travel::is_stopped_by(state, chord) {
        return Vec::new();
    }
    if state.pressed.is_empty()
        && state.is_overlay_drawn()
        && let Some(effects) = handle_overlay_key(state, chord)
    {
        return effects;
    }
    state.pressed.push(chord);
    let found = state.keymap.look_up(&state.pressed, state.key_context());
    if found != KeyLookup::Prefix {
        let had_begun = state.pressed.len() > 1;
        state.pressed.clear();
        if had_begun && found == KeyLookup::Unbound {
            // No sequence goes on like this: the key means what it means alone.
            return handle_key(state, chord);
        }
    }
    match found {
        KeyLookup::Command(found) => command::run(state, found),
        KeyLookup::Prefix | KeyLookup::Unbound => Vec::new(),
    }
}

/// Handles a key that an overlay takes itself; `None` when it may be a command.
fn handle_overlay_key(state: &mut AppState, chord: KeyChord) -> Option<Vec<AppEffect>> {
    match state.overlay.as_mut()? {
        Overlay::Dialog(dialog) => dialog::handle_key(dialog, chord).then(Vec::new),
        Overlay::Palette(_) => handle_palette_key(state, chord),
        Overlay::Filter(_) => handle_filter_key(state, chord).then(Vec::new),
        Overlay::Prompt(_) => prompt::handle_key(state, chord),
        Overlay::Help { .. } | Overlay::Picker(_) | Overlay::Collector(_) => None,
    }
}

/// Inserts pasted text into the focused text field. Elsewhere it is ignored, never read as commands.
pub(super) fn paste(state: &mut AppState, text: &str) {
    match &mut state.overlay {
        Some(Overlay::Dialog(dialog)) => {
            if let Some(field) = dialog.focused_field() {
                field.insert(text);
            }
        }
        Some(Overlay::Palette(palette)) => palette.input.insert(text),
        Some(Overlay::Filter(editor)) => {
            editor.input.insert(text);
            apply_edited_filter(state);
        }
        Some(Overlay::Prompt(prompt)) => {
            prompt.input.insert(text);
            prompt::update_answer(state);
        }
        Some(Overlay::Help { .. } | Overlay::Picker(_) | Overlay::Collector(_)) | None => {}
    }
}

fn handle_palette_key(state: &mut AppState, chord: KeyChord) -> Option<Vec<AppEffect>> {
    let Some(Overlay::Palette(palette)) = &state.overlay else { return None };
    let found = palette.matches(state);
    let Some(Overlay::Palette(palette)) = &mut state.overlay else { return None };
    let last = found.len().saturating_sub(1);
    match chord.code {
        KeyCode::Enter => {
            let selected = found.get(palette.at.min(last)).map(|spec| spec.command);
            state.overlay = None;
            return Some(selected.map_or_else(Vec::new, |selected| command::run(state, selected)));
        }
        KeyCode::Down | KeyCode::Tab => palette.at = (palette.at + 1).min(last),
        KeyCode::Up | KeyCode::BackTab => palette.at = palette.at.saturating_sub(1),
        _ if palette.input.handle_key(chord) => palette.at = 0,
        // Commands of the screen behind it would do what is not seen.
        _ => return if is_given_everywhere(state, chord) { None } else { Some(Vec::new()) },
    }
    Some(Vec::new())
}

fn is_given_everywhere(state: &AppState, chord: KeyChord) -> bool {
    match state.keymap.look_up(&[chord], state.key_context()) {
        KeyLookup::Command(command) => command.spec().contexts.len() == KeyContext::ALL.len(),
        KeyLookup::Prefix | KeyLookup::Unbound => false,
    }
}

pub(super) fn open_picker(state: &mut AppState, purpose: PickerPurpose) {
    let at = FleetColumn::ALL.iter().position(|column| *column == state.list.sort).unwrap_or(0);
    state.overlay = Some(Overlay::Picker(ColumnPicker { purpose, at }));
}

/// Handles Enter in a picker: sorts and closes it, or shows or hides a column.
pub(super) fn pick_column(state: &mut AppState) {
    let Some(Overlay::Picker(picker)) = &state.overlay else { return };
    let column = picker.selected();
    match picker.purpose {
        PickerPurpose::SortOrder => {
            state.list.sort = column;
            state.list.is_inverted = false;
            state.overlay = None;
            rebuild_fleet(state);
        }
        PickerPurpose::Visibility => {
            let is_fixed = matches!(column, FleetColumn::State | FleetColumn::Agent);
            if !is_fixed && !state.list.hidden.remove(&column) {
                state.list.hidden.insert(column);
            }
        }
    }
}

/// Opens the filter line of the screen's list.
pub(super) fn edit_filter(state: &mut AppState) {
    let previous = match state.screen {
        Screen::Transitions => state.transitions.filter.text(),
        Screen::Fleet | Screen::Agent | Screen::Timeline | Screen::Alerts => {
            state.list.filter.text()
        }
    };
    state.overlay = Some(Overlay::Filter(FilterEditor {
        input: TextInput::from_text(previous),
        previous: previous.to_owned(),
        cursor: state.list.cursor.clone(),
        error: None,
    }));
}

/// Returns whether the filter line took the key.
fn handle_filter_key(state: &mut AppState, chord: KeyChord) -> bool {
    let Some(Overlay::Filter(editor)) = &mut state.overlay else { return false };
    match chord.code {
        KeyCode::Enter if editor.error.is_some() => {}
        KeyCode::Enter => {
            state.overlay = None;
            state.entered.push(Entered::Filter(state.screen));
        }
        KeyCode::Esc => {
            let previous = parse_query(&editor.previous).ok().flatten();
            state.list.cursor = editor.cursor.take();
            state.overlay = None;
            lists::change_filter(state, |filter| filter.query = previous);
        }
        KeyCode::Tab => complete_edited_filter(state),
        _ if editor.input.handle_key(chord) => apply_edited_filter(state),
        _ => return false,
    }
    true
}

/// Completes what is typed as far as all that may stand there go on alike, and says what that is if it is several.
fn complete_edited_filter(state: &mut AppState) {
    let Some(Overlay::Filter(editor)) = &state.overlay else { return };
    let typed = editor.input.before_cursor();
    let values = |field: &'static str| field_values(field, state.model().fleet.entries());
    let FilterCompletion { begins_at, choices } = complete_filter(typed, values);
    let Some(first) = choices.first() else {
        return state.set_status(StyleRole::Text, "nothing begins so");
    };
    let common = choices
        .iter()
        .fold(first.text.as_str(), |common, choice| common_start(common, &choice.text));
    let insert = common.get(typed.len() - begins_at..).unwrap_or_default().to_owned();
    if choices.len() > 1 && insert.is_empty() {
        let texts: Vec<&str> = choices.iter().map(|choice| choice.text.as_str()).collect();
        let text = texts.join(", ");
        state.set_status(StyleRole::Text, text);
    }
    if let Some(Overlay::Filter(editor)) = &mut state.overlay {
        editor.input.insert(&insert);
    }
    apply_edited_filter(state);
}

/// Returns what two texts begin with alike.
fn common_start<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    a.get(..end.unwrap_or(a.len().min(b.len()))).unwrap_or(a)
}

/// Applies a filter as it is typed. An invalid one leaves the last valid one in force.
fn apply_edited_filter(state: &mut AppState) {
    let Some(Overlay::Filter(editor)) = &mut state.overlay else { return };
    match parse_query(editor.input.text()) {
        Ok(query) => {
            editor.error = None;
            lists::change_filter(state, |filter| filter.query = query);
        }
        Err(error) => editor.error = Some(error),
    }
}

fn parse_query(text: &str) -> Result<Option<Filter>, heartline_operator::FilterError> {
    if text.trim().is_empty() { Ok(None) } else { Filter::parse(text).map(Some) }
}
