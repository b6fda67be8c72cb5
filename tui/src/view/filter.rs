//! The line with the filter, how much it shows, and the order of the list.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::pen::Pen;
use crate::look::{Role, count, width};
use crate::state::{FilterEdit, FilterFault, Follow, Overlay, Screen, Shown, State};

/// Returns where the text cursor stands while the filter is typed.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let mut pen = Pen::on(state, area, 0, buffer)?;
    let summary = match state.screen {
        Screen::Fleet => fleet_summary(state),
        Screen::Transitions => transitions_summary(state),
        Screen::Agent => return None,
    };
    pen.at_end(&[(Role::Dim, &summary)]).gap(1);
    let edit = match &state.overlay {
        Some(Overlay::Filter(edit)) => Some(edit),
        _ => None,
    };
    let (text, shown) = match state.screen {
        Screen::Transitions => (&state.transitions.filter_text, state.transitions.shown),
        Screen::Fleet | Screen::Agent => (&state.list.filter_text, state.list.shown),
    };
    if shown == Shown::BadOnly {
        pen.put(Role::Warning, " bad only ").gap(1);
    }
    pen.put(Role::Key, "/").gap(1);
    let start = pen.x();
    match edit {
        Some(edit) => {
            pen.put(Role::Strong, edit.input.text());
            Some(edited(state, edit, start, area, buffer))
        }
        None if text.is_empty() => {
            pen.put(Role::Dim, "no filter");
            None
        }
        None => {
            pen.put(Role::Strong, text);
            None
        }
    }
}

/// The cursor in the text, and below it what is wrong, under the very place.
fn edited(
    state: &State,
    edit: &FilterEdit,
    start: u16,
    area: Rect,
    buffer: &mut Buffer,
) -> Position {
    let columns = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    if let Some(fault) = &edit.error {
        fault_lines(state, fault, start - area.x, area, buffer);
    }
    let x = start
        .saturating_add(columns(width(edit.input.before())))
        .min(area.right().saturating_sub(1));
    Position::new(x, area.y)
}

/// A caret under the place, and what was expected there, on as many lines as that takes.
fn fault_lines(state: &State, fault: &FilterFault, start: u16, area: Rect, buffer: &mut Buffer) {
    let column = u16::try_from(fault.column).unwrap_or(u16::MAX);
    if let Some(mut pen) = Pen::on(state, area, 1, buffer) {
        let place = format!("^ column {}", fault.column + 1);
        pen.gap(start.saturating_add(column)).put(Role::Unreachable, &place);
    }
    for (row, line) in (2..area.height).zip(crate::layout::fault_lines(fault, area.width)) {
        if let Some(mut pen) = Pen::on(state, area, row, buffer) {
            pen.gap(1).put(Role::Unreachable, &line);
        }
    }
}

fn fleet_summary(state: &State) -> String {
    let list = &state.list;
    let (separator, order) = (state.glyphs.separator, arrow(state));
    let title = list.sort.layout().title;
    let total = state.world().fleet.len();
    let marks = match list.marks.len() {
        0 => String::new(),
        n => format!("{n} marked {separator} "),
    };
    format!(
        "{marks}{} of {} {separator} sort {title} {order} {separator} group {} ",
        count(list.matched as u64),
        count(total as u64),
        list.grouping.name()
    )
}

fn arrow(state: &State) -> &'static str {
    if state.list.inverted { state.glyphs.up } else { state.glyphs.down }
}

fn transitions_summary(state: &State) -> String {
    let follow = match state.transitions.follow {
        Follow::Newest => format!("following {}", state.glyphs.down),
        Follow::Held => "held (G follows)".to_owned(),
    };
    let (shown, all) = (state.transitions.rows.len(), state.world().events.len());
    format!("{} of {} {} {follow} ", count(shown as u64), count(all as u64), state.glyphs.separator)
}
