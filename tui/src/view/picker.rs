//! Short lists to choose from: sort order, columns, and commands by name.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::centred;
use super::pen::{Pen, boxed};
use crate::look::{Align, Role, width};
use crate::state::{Column, Palette, Picker, PickerKind, State};

const WIDTH: u16 = 64;
/// Commands that the palette shows at once.
const MOST_SHOWN: u16 = 12;

pub(super) fn draw(state: &State, picker: &Picker, buffer: &mut Buffer) {
    let title = match picker.kind {
        PickerKind::Sort => "Sort by",
        PickerKind::Columns => "Columns (as far as the screen has room)",
    };
    let height = u16::try_from(Picker::CHOICES).unwrap_or(u16::MAX).saturating_add(2);
    let inner = boxed(state, centred(state, WIDTH, height), title, buffer);
    for (row, (at, column)) in (0..).zip(Column::ALL.into_iter().enumerate()) {
        let layout = column.layout();
        if let Some(mut pen) = Pen::on(state, inner, row, buffer) {
            pen.gap(1).put(Role::Key, sign(state, picker.kind, column)).gap(1);
            pen.cell(Role::Strong, layout.title, 8, Align::Left)
                .gap(1)
                .put(Role::Text, layout.help);
        }
        if at == picker.at {
            let line = Rect { y: inner.y + row, height: 1, ..inner };
            buffer.set_style(line.intersection(inner), state.theme.cursor());
        }
    }
}

/// Which column sorts, or whether it is shown.
fn sign(state: &State, kind: PickerKind, column: Column) -> &'static str {
    match kind {
        PickerKind::Sort if column != state.list.sort => " ",
        PickerKind::Sort if state.list.inverted => state.glyphs.up,
        PickerKind::Sort => state.glyphs.down,
        PickerKind::Columns if state.list.hidden.contains(&column) => " ",
        PickerKind::Columns => state.glyphs.marked,
    }
}

/// Returns where the text cursor stands.
pub(super) fn palette(state: &State, palette: &Palette, buffer: &mut Buffer) -> Option<Position> {
    let found = palette.matches(state.screen_context());
    let area = centred(state, WIDTH + 14, MOST_SHOWN + 3);
    let inner = boxed(state, area, "Commands", buffer);
    let at = palette.at.min(found.len().saturating_sub(1));
    let skipped = (at + 1).saturating_sub(usize::from(MOST_SHOWN));
    for (row, spec) in (1..inner.height).zip(found.iter().skip(skipped)) {
        if let Some(mut pen) = Pen::on(state, inner, row, buffer) {
            let keys: Vec<String> =
                state.keymap.keys(spec.command).map(ToString::to_string).collect();
            pen.gap(1).at_end(&[(Role::Key, &keys.join(" ")), (Role::Text, " ")]);
            pen.cell(Role::Strong, spec.name, 15, Align::Left).gap(1).put(Role::Text, spec.help);
        }
        if usize::from(row) - 1 + skipped == at {
            let line = Rect { y: inner.y + row, height: 1, ..inner };
            buffer.set_style(line, state.theme.cursor());
        }
    }
    if found.is_empty()
        && let Some(mut pen) = Pen::on(state, inner, 1, buffer)
    {
        pen.gap(1).put(Role::Dim, "no command of this screen has such a name");
    }
    let mut pen = Pen::on(state, inner, 0, buffer)?;
    pen.gap(1).put(Role::Key, ":");
    let start = pen.x();
    pen.put(Role::Strong, palette.input.text());
    let before = u16::try_from(width(palette.input.before())).unwrap_or(u16::MAX);
    Some(Position::new(start.saturating_add(before).min(inner.right() - 1), inner.y))
}
