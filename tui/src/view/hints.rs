//! The last line: the keys that matter here, as many as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::commands::{Command, REGISTRY, Spec};
use crate::keys::KeyMap;
use crate::look::{GlyphSet, Role, width};
use crate::state::{Overlay, State};

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, 0, buffer) else { return };
    if let Some(text) = overlay_hint(state) {
        pen.gap(1).put(Role::Dim, text);
        return;
    }
    let context = state.context();
    let here = |spec: &&Spec| spec.priority > 0 && spec.contexts.contains(&context);
    let always = [Command::Help, Command::Quit];
    let ends: Vec<(String, &str)> =
        always.iter().map(|c| (key(state, *c), c.spec().hint)).collect();
    let mut pieces: Vec<(Role, &str)> = Vec::new();
    for (key, hint) in &ends {
        pieces.extend([
            (Role::Key, key.as_str()),
            (Role::Text, " "),
            (Role::Text, hint),
            (Role::Text, "  "),
        ]);
    }
    pieces.pop();
    pieces.push((Role::Text, " "));
    pen.at_end(&pieces).gap(1);

    let mut specs: Vec<&Spec> =
        REGISTRY.iter().filter(here).filter(|spec| !always.contains(&spec.command)).collect();
    specs.sort_by_key(|spec| std::cmp::Reverse(spec.priority));
    let marked = state.list.marks.len();
    let mut room = usize::from(pen.room());
    let mut shown: Vec<(usize, String, String)> = Vec::new();
    for spec in specs {
        let key = key(state, spec.command);
        let hint = if spec.command == Command::Mark && marked > 0 {
            format!("{} ({marked})", spec.hint)
        } else {
            spec.hint.to_owned()
        };
        let needed = width(&key) + width(&hint) + 3;
        if needed > room {
            break;
        }
        room -= needed;
        let place = REGISTRY.iter().position(|s| s.command == spec.command).unwrap_or(0);
        shown.push((place, key, hint));
    }
    shown.sort_by_key(|(place, ..)| *place);
    for (_, key, hint) in shown {
        pen.put(Role::Key, &key).gap(1).put(Role::Text, &hint).gap(2);
    }
}

/// Above a screen, what closes it matters most.
fn overlay_hint(state: &State) -> Option<&'static str> {
    Some(match state.overlay.as_ref()? {
        Overlay::Help { .. } => "j k move   esc closes",
        Overlay::Palette(_) => "type a name   up down choose   enter runs it   esc closes",
        Overlay::Filter(_) => "enter keeps the filter   esc takes it back",
        Overlay::Picker(_) => "j k choose   enter picks   esc closes",
        Overlay::Dialog(_) => {
            "tab moves   enter presses a button, never from a text field   esc cancels"
        }
    })
}

fn key(state: &State, command: Command) -> String {
    key_label(&state.keymap, command, state.charset)
}

/// The first key of a command, short.
pub(super) fn key_label(keymap: &KeyMap, command: Command, charset: GlyphSet) -> String {
    let key = keymap.keys(command).next().map(ToString::to_string).unwrap_or_default();
    match (key.as_str(), charset) {
        ("Enter", GlyphSet::Unicode) => "⏎".to_owned(),
        ("Enter" | "Tab" | "Space" | "Esc", _) => key.to_lowercase(),
        _ => key,
    }
}
