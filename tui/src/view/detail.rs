//! The pane below or beside the list: the selected agent, or group.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::facts::{Section, sections};
use super::fleet::{Wording, group_words};
use super::hints::key_label;
use super::pen::{Pen, boxed};
use crate::commands::Command;
use crate::look::{Role, width};
use crate::state::{GroupInfo, State};

/// Columns for the headings.
const HEADING: u16 = 8;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let entry = state.list.selected().and_then(|id| state.world().agent(id));
    let Some(entry) = entry else {
        return match state.list.group_here() {
            Some(group) => group_pane(state, area, group, buffer),
            None => nothing(state, area, buffer),
        };
    };
    let host = entry.identity.shared.host.as_deref().unwrap_or("-");
    let inner = boxed(state, area, &format!("{} @ {host}", entry.agent), buffer);
    lines(state, inner, &sections(state, entry, None), buffer);
}

fn nothing(state: &State, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(state, area, "", buffer);
    if let Some(mut pen) = Pen::on(state, inner, 0, buffer) {
        pen.gap(1).put(Role::Dim, "no agent is selected");
    }
}

/// What is known of the group whose header is selected, and what can be done with it.
fn group_pane(state: &State, area: Rect, group: &GroupInfo, buffer: &mut Buffer) {
    let kind = state.list.grouping.name();
    let inner = boxed(state, area, &format!("{kind} {}", group.name), buffer);
    if let Some(mut pen) = Pen::on(state, inner, 0, buffer) {
        group_words(state, group, Wording::Full, pen.gap(1));
    }
    if let Some(mut pen) = Pen::on(state, inner, 1, buffer) {
        let key = |command| key_label(&state.keymap, command, state.charset);
        let (open, mark) = (key(Command::Open), key(Command::Mark));
        let text = format!("{open} folds or opens it, {mark} marks all its agents");
        pen.gap(1).put(Role::Dim, &text);
    }
}

/// Draws sections from the top: each on as many lines as it needs and is left.
/// Returns how many lines that took.
pub(super) fn lines(state: &State, area: Rect, sections: &[Section], buffer: &mut Buffer) -> u16 {
    let mut row = 0;
    for section in sections {
        if row >= area.height {
            break;
        }
        if let Some(mut pen) = Pen::on(state, area, row, buffer) {
            pen.gap(1).put(Role::Title, section.title);
        }
        let from = HEADING + 2;
        let room = area.width.saturating_sub(from + 1);
        let body = Rect { x: area.x + from, width: room, ..area };
        row += flow(state, body, row, section, buffer);
    }
    row
}

/// Puts facts one after the other, on a new line where one does not fit.
fn flow(state: &State, area: Rect, first: u16, section: &Section, buffer: &mut Buffer) -> u16 {
    let places = places(section, area.width);
    for (fact, (row, column)) in section.facts.iter().zip(&places) {
        if let Some(mut pen) = Pen::on(state, area, first + row, buffer) {
            pen.gap(*column).pair(fact.label, fact.role, &fact.value);
        }
    }
    places.last().map_or(0, |(row, _)| row + 1)
}

/// Lines that sections take at a width.
pub(super) fn height(sections: &[Section], columns: u16) -> u16 {
    let room = columns.saturating_sub(HEADING + 3);
    let rows = |section: &Section| places(section, room).last().map_or(0, |(row, _)| row + 1);
    sections.iter().map(rows).sum()
}

/// Row and column of each fact.
fn places(section: &Section, room: u16) -> Vec<(u16, u16)> {
    let (mut row, mut used) = (0, 0_u16);
    let place = |fact: &super::facts::Fact| {
        let label = width(fact.label) + usize::from(!fact.label.is_empty());
        let taken = u16::try_from(label + width(&fact.value)).unwrap_or(u16::MAX);
        if used > 0 && used.saturating_add(taken) > room {
            row += 1;
            used = 0;
        }
        let column = used;
        used = used.saturating_add(taken).saturating_add(2);
        (row, column)
    };
    section.facts.iter().map(place).collect()
}
