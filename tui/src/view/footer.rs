//! Banners below the header, and the lines at the bottom: commands under way, status messages, and
//! hints for keys.

use heartline_operator::message::CommandStatus;
use ratatui::layout::Rect;

use super::frame::ScreenFrame;
use crate::commands::{AppCommand, CommandSpec, REGISTRY};
use crate::layout;
use crate::state::{AppState, CommandProgress, Overlay, TrackedCommand};
use crate::text::{GlyphSet, age, span, width};
use crate::theme::StyleRole;

/// Columns of the whole hint of a dialog.
const DIALOG_HINT_WIDTH: u16 = 76;
/// The most agents that are named on the line of a command.
const MAX_NAMED: usize = 3;

/// Draws why the connection is lost, and the collector's warnings.
pub(super) fn draw_banners(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    for (row, text) in (0..).zip(layout::banners(state)) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(StyleRole::Warning, &format!(" {text} "));
        }
    }
}

/// Draws the newest command and the status message.
pub(super) fn draw_messages(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let mut row = 0;
    if !state.tracker.is_empty() {
        draw_command(frame, area);
        row = 1;
    }
    let role = state.status_message.as_ref().map_or(StyleRole::Text, |message| message.role);
    for (row, line) in (row..).zip(layout::status_lines(state)) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(role, &line);
        }
    }
}

/// Draws the status message, or else the newest command, on one line.
pub(super) fn draw_newest_message(frame: &mut ScreenFrame<'_>, area: Rect) {
    match &frame.state.status_message {
        Some(message) => {
            if let Some(mut out) = frame.line(area, 0) {
                out.gap(1).put(message.role, &message.text);
            }
        }
        None => draw_command(frame, area),
    }
}

/// Draws the newest command, and the number of earlier ones.
fn draw_command(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let mut commands = state.tracker.newest_first();
    let Some(newest) = commands.next() else { return };
    let more = commands.count();
    let Some(mut out) = frame.line(area, 0) else { return };
    if more > 0 {
        out.put_right(&[(StyleRole::Dim, &format!("and {more} earlier "))]);
    }
    out.gap(1)
        .put(StyleRole::Strong, &newest.command.action.name().to_uppercase())
        .gap(1)
        .put(StyleRole::Text, &target_label(newest))
        .gap(2);
    let (role, text) = progress(state, newest);
    out.put(role, &text);
}

fn target_label(tracked: &TrackedCommand) -> String {
    match tracked.command.agents.as_slice() {
        [only] => only.clone(),
        several => format!("{} agents", several.len()),
    }
}

/// Formats how far a command has come.
fn progress(state: &AppState, tracked: &TrackedCommand) -> (StyleRole, String) {
    let waited = age(state.now.since(tracked.sent_at));
    match &tracked.progress {
        CommandProgress::Sent if state.connection.is_live() => {
            (StyleRole::Warning, format!("sent, waiting for the collector {waited}"))
        }
        CommandProgress::Sent => (
            StyleRole::Alert,
            format!(
                "no answer for {waited}: connection lost; the command is sent again after \
                 reconnecting"
            ),
        ),
        CommandProgress::Refused(why) => {
            (StyleRole::Alert, format!("REFUSED, nothing was done: {why}"))
        }
        CommandProgress::Accepted { .. } => accepted_progress(state, tracked, &waited),
    }
}

fn accepted_progress(
    state: &AppState,
    tracked: &TrackedCommand,
    waited: &str,
) -> (StyleRole, String) {
    let slowest = tracked.obeyed_ms.values().max().copied().unwrap_or(0);
    let pending: Vec<&str> = tracked.pending_agents().collect();
    if pending.is_empty() {
        return (StyleRole::Healthy, format!("obeyed in {}", span(slowest)));
    }
    let draining = tracked.draining(&state.live);
    let text = match (tracked.command.agents.len(), draining.as_slice()) {
        (1, [one]) => draining_progress(one, waited),
        (1, _) => format!("PENDING {waited}: durable, and sent again until it is obeyed"),
        _ => several_progress(&pending, draining.len(), waited),
    };
    let text = match tracked.obeyed_ms.len() {
        0 => text,
        done => format!("{done} obeyed in {}, {text}", span(slowest)),
    };
    (StyleRole::Warning, text)
}

/// Formats the progress of a command that one agent has received and not obeyed yet.
fn draining_progress(command: &CommandStatus, waited: &str) -> String {
    let tasks = if command.draining == 1 { "task" } else { "tasks" };
    let delivered = span(command.delivered_ms.unwrap_or_default());
    format!("delivered in {delivered}, DRAINING {waited}: {} {tasks} in flight", command.draining)
}

fn several_progress(pending_agents: &[&str], draining: usize, waited: &str) -> String {
    let pending = pending_agents.len() - draining;
    let counts = match (pending, draining) {
        (0, _) => format!("{draining} DRAINING"),
        (_, 0) => format!("{pending} PENDING"),
        _ => format!("{pending} PENDING, {draining} DRAINING"),
    };
    let mut names = pending_agents[..pending_agents.len().min(MAX_NAMED)].join(", ");
    if pending_agents.len() > MAX_NAMED {
        names.push_str(", and others");
    }
    format!("{counts} {waited} ({names})")
}

/// Draws the keys that matter most in this context, as many as fit.
pub(super) fn draw_hints(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    if let Some(text) = overlay_hint(state) {
        out.gap(1).put(StyleRole::Dim, text);
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
        Overlay::Help { .. } => "j k move   esc closes",
        Overlay::Palette(_) => "type a name   up down choose   enter runs it   esc closes",
        Overlay::Filter(_) => "enter keeps the filter   esc restores the filter before",
        Overlay::Picker(_) => "j k choose   enter picks   esc closes",
        Overlay::Dialog(_) if state.size.0 < DIALOG_HINT_WIDTH => {
            "tab moves  enter presses  esc cancels"
        }
        Overlay::Dialog(_) => {
            "tab moves   enter presses a button, never from a text field   esc cancels"
        }
    })
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
