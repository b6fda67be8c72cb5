//! Banners below the header, and the lines at the bottom: commands under way, status messages, and
//! hints for keys.

use ratatui::layout::Rect;

use super::frame::ScreenFrame;
use crate::commands::{AppCommand, CommandSpec, REGISTRY};
use crate::layout;
use crate::state::{AppState, Overlay, Prompt, PromptPurpose};
use crate::text::{GlyphSet, width};
use crate::theme::StyleRole;

/// Columns of the whole hint of a dialog.
const DIALOG_HINT_WIDTH: u16 = 76;

/// Draws why the connection is lost, and the collector's warnings.
pub(super) fn draw_banners(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    for (row, text) in (0..).zip(layout::banners(state)) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(StyleRole::Warning, &format!(" {text} "));
        }
    }
}

/// Draws the newest command, the status message, and the newest failure.
pub(super) fn draw_messages(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let status = state.status_message.as_ref().map_or(StyleRole::Text, |message| message.role);
    let status = layout::status_lines(state).into_iter().map(|line| (status, line));
    let commands = layout::command_lines(state).into_iter();
    let lines = commands.chain(status).chain(layout::announcement(state));
    for (row, (role, line)) in (0..).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(role, &line);
        }
    }
}

/// Draws the keys that matter most in this context, as many as fit.
pub(super) fn draw_hints(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    if let Some(text) = overlay_hint(state) {
        let room = usize::from(out.gap(1).remaining());
        out.put(StyleRole::Dim, fitting_end(text, room));
        return;
    }
    let context = state.key_context();
    let is_hint = |spec: &&CommandSpec| {
        spec.priority > 0 && spec.contexts.contains(&context) && state.offers(spec.command)
    };
    let pinned = [AppCommand::Help, AppCommand::Quit];
    let pinned_hints: Vec<(String, &str)> =
        pinned.iter().map(|c| (key_label(state, *c), c.spec().hint)).collect();
    let mut pieces: Vec<(StyleRole, &str)> = Vec::new();
    for (key, hint) in &pinned_hints {
        pieces.extend([
            (StyleRole::Key, key.as_str()),
            (StyleRole::Text, " "),
            (StyleRole::Text, hint),
            (StyleRole::Text, "  "),
        ]);
    }
    pieces.pop();
    pieces.push((StyleRole::Text, " "));
    out.put_right(&pieces).gap(1);

    let mut specs: Vec<&CommandSpec> =
        REGISTRY.iter().filter(is_hint).filter(|spec| !pinned.contains(&spec.command)).collect();
    specs.sort_by_key(|spec| std::cmp::Reverse(spec.priority));
    let marked = state.list.marks.len();
    let hint_of = |spec: &CommandSpec| match (spec.command, marked) {
        (AppCommand::Mark, 1..) => format!("{} ({marked})", spec.hint),
        _ => spec.hint.to_owned(),
    };
    let mut room = usize::from(out.remaining());
    let mut fitting: Vec<AppCommand> = Vec::new();
    for spec in specs {
        let needed = width(&key_label(state, spec.command)) + width(&hint_of(spec)) + 3;
        if needed > room {
            break;
        }
        room -= needed;
        fitting.push(spec.command);
    }
    for spec in REGISTRY.iter().filter(|spec| fitting.contains(&spec.command)) {
        out.put(StyleRole::Key, &key_label(state, spec.command)).gap(1);
        out.put(StyleRole::Text, &hint_of(spec)).gap(2);
    }
}

/// Returns the hint of an overlay: the keys that it takes, and what closes it.
fn overlay_hint(state: &AppState) -> Option<&'static str> {
    Some(match state.overlay.as_ref()? {
        Overlay::Help { .. } | Overlay::Collector(_) => "j k move   esc closes",
        Overlay::Palette(_) => "type a name   up down choose   enter runs it   esc closes",
        Overlay::Prompt(Prompt { purpose: PromptPurpose::Acknowledge { .. }, .. }) => {
            "enter acknowledges it   esc closes"
        }
        Overlay::Prompt(_) => "enter does it   esc closes",
        Overlay::Filter(_) => {
            "tab completes   enter keeps the filter   esc restores the one before"
        }
        Overlay::Picker(_) => "j k choose   enter picks   esc closes",
        Overlay::Dialog(_) if state.size.0 < DIALOG_HINT_WIDTH => {
            "tab moves   enter presses   esc cancels"
        }
        Overlay::Dialog(_) => {
            "tab moves   enter presses a button, never from a text field   esc cancels"
        }
    })
}

/// Returns as many of the last parts of a hint as fit: the last one says how to get out.
fn fitting_end(hint: &str, columns: usize) -> &str {
    const BETWEEN: &str = "   ";
    let mut end = hint;
    while width(end) > columns
        && let Some((_, rest)) = end.split_once(BETWEEN)
    {
        end = rest;
    }
    end
}

/// Returns the first key of a command, in short form.
pub(super) fn key_label(state: &AppState, command: AppCommand) -> String {
    let key = state.keymap.keys(command).next().map(ToString::to_string).unwrap_or_default();
    match (key.as_str(), state.glyphs.glyph_set) {
        ("Enter", GlyphSet::Unicode) => "⏎".to_owned(),
        ("Enter" | "Tab" | "Space" | "Esc", _) => key.to_lowercase(),
        _ => key,
    }
}
