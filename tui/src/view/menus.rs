//! The pickers of columns, and the command palette.

use ratatui::layout::Position;

use super::frame::ScreenFrame;
use super::{centred, room_for_overlay};
use crate::columns::FleetColumn;
use crate::state::{AppState, ColumnPicker, CommandPalette, PickerPurpose};
use crate::text::TextAlign;
use crate::theme::StyleRole;

const PICKER_WIDTH: u16 = 64;
/// The most commands that the palette shows at once.
const MAX_PALETTE_ROWS: u16 = 12;

/// Draws the columns to choose from.
pub(super) fn draw_picker(frame: &mut ScreenFrame<'_>, picker: &ColumnPicker) {
    let state = frame.state;
    let title = match picker.purpose {
        PickerPurpose::SortOrder => "Sort by",
        PickerPurpose::Visibility => "Columns (as far as the screen has room)",
    };
    let height = u16::try_from(FleetColumn::ALL.len()).unwrap_or(u16::MAX).saturating_add(2);
    let height = height.min(room_for_overlay(state));
    let inner = frame.draw_box(centred(state, PICKER_WIDTH, height), title);
    let skipped = (picker.at + 1).saturating_sub(usize::from(inner.height));
    let columns = FleetColumn::ALL.into_iter().enumerate().skip(skipped);
    for (row, (at, column)) in (0..inner.height).zip(columns) {
        let spec = column.spec();
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1).put(StyleRole::Key, column_mark(state, picker.purpose, column)).gap(1);
            out.cell(StyleRole::Strong, spec.title, 8, TextAlign::Left)
                .gap(1)
                .put(StyleRole::Text, spec.help);
        }
        if at == picker.at {
            frame.select_rows(inner, row, 1);
        }
    }
}

/// Returns the mark of the column that sorts, or of a visible one.
fn column_mark(state: &AppState, purpose: PickerPurpose, column: FleetColumn) -> &'static str {
    match purpose {
        PickerPurpose::SortOrder if column != state.list.sort => " ",
        PickerPurpose::SortOrder if state.list.is_inverted => state.glyphs.up,
        PickerPurpose::SortOrder => state.glyphs.down,
        PickerPurpose::Visibility if state.list.hidden.contains(&column) => " ",
        PickerPurpose::Visibility => state.glyphs.marked,
    }
}

/// Draws the commands that match what was typed. Returns the position of the text cursor.
pub(super) fn draw_palette(
    frame: &mut ScreenFrame<'_>,
    palette: &CommandPalette,
) -> Option<Position> {
    let state = frame.state;
    let found = palette.matches(state);
    let height = (MAX_PALETTE_ROWS + 3).min(room_for_overlay(state));
    let area = centred(state, PICKER_WIDTH + 14, height);
    let inner = frame.draw_box(area, "Commands");
    let at = palette.at.min(found.len().saturating_sub(1));
    let rows = inner.height.saturating_sub(1).min(MAX_PALETTE_ROWS);
    let skipped = (at + 1).saturating_sub(usize::from(rows));
    for (row, spec) in (1..=rows).zip(found.iter().skip(skipped)) {
        if let Some(mut out) = frame.line(inner, row) {
            let keys: Vec<String> =
                state.keymap.keys(spec.command).map(ToString::to_string).collect();
            out.gap(1).put_right(&[(StyleRole::Key, &keys.join(" ")), (StyleRole::Text, " ")]);
            out.cell(StyleRole::Strong, spec.name, 15, TextAlign::Left)
                .gap(1)
                .put(StyleRole::Text, spec.help);
        }
        if usize::from(row) - 1 + skipped == at {
            frame.select_rows(inner, row, 1);
        }
    }
    if found.is_empty()
        && let Some(mut out) = frame.line(inner, 1)
    {
        out.gap(1).put(StyleRole::Dim, "no such command on this screen");
    }
    let mut out = frame.line(inner, 0)?;
    out.gap(1).put(StyleRole::Key, ":");
    let start = out.column();
    let part = palette.input.visible_part(out.remaining());
    out.put(StyleRole::Strong, part.text);
    Some(Position::new(start + part.cursor, inner.y))
}
