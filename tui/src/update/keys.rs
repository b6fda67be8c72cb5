//! A key: to whatever takes text, else to the key map.

use super::{command, dialog, overlay};
use crate::commands::Command;
use crate::event::Effect;
use crate::keys::{Chord, Lookup};
use crate::state::{Overlay, State};

pub(super) fn key(state: &mut State, chord: Chord) -> Vec<Effect> {
    if state.pressed.is_empty()
        && let Some(effects) = text_key(state, chord)
    {
        return effects;
    }
    state.pressed.push(chord);
    match state.keymap.look_up(&state.pressed) {
        Lookup::Prefix => Vec::new(),
        Lookup::Nothing => {
            state.pressed.clear();
            Vec::new()
        }
        Lookup::Command(command) => {
            state.pressed.clear();
            given(state, command)
        }
    }
}

/// Keys that an overlay takes for itself, before they can mean a command.
fn text_key(state: &mut State, chord: Chord) -> Option<Vec<Effect>> {
    match state.overlay.as_mut()? {
        Overlay::Dialog(dialog) => dialog::text_key(dialog, chord),
        Overlay::Palette(_) => overlay::palette_key(state, chord),
        Overlay::Filter(_) => overlay::filter_key(state, chord),
        Overlay::Help { .. } | Overlay::Picker(_) => None,
    }
}

/// A command that was given by a key. One that has no meaning here does nothing.
fn given(state: &mut State, command: Command) -> Vec<Effect> {
    if !command.spec().contexts.contains(&state.context()) {
        return Vec::new();
    }
    command::run(state, command)
}

/// Pasted text goes into a text field or nowhere: it is never read as commands.
pub(super) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    match &mut state.overlay {
        Some(Overlay::Dialog(dialog)) => {
            if let Some(field) = dialog.field() {
                field.insert(text);
            }
        }
        Some(Overlay::Palette(palette)) => palette.input.insert(text),
        Some(Overlay::Filter(edit)) => {
            edit.input.insert(text);
            overlay::filter_changed(state);
        }
        Some(Overlay::Help { .. } | Overlay::Picker(_)) | None => {}
    }
    Vec::new()
}
