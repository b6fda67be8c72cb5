//! Help, the pickers of columns, and the command palette.

use heartline_vocabulary::{Reason, State};
use ratatui::layout::{Position, Rect};

use super::centred;
use super::footer::key_label;
use super::frame::ScreenFrame;
use crate::columns::FleetColumn;
use crate::commands::{AppCommand, CommandSpec, REGISTRY};
use crate::layout::ScreenLayout;
use crate::state::{AppState, ColumnPicker, CommandPalette, PickerPurpose};
use crate::text::TextAlign;
use crate::theme::{StateLabel, StyleRole, state_label};

const HELP_WIDTH: u16 = 118;
/// From this width on commands stand in two columns.
const TWO_COLUMNS_MIN_WIDTH: u16 = 112;
const KEYS_WIDTH: u16 = 11;
/// From this height on the last line explains the glyphs.
const LEGEND_MIN_HEIGHT: u16 = 6;
const PICKER_WIDTH: u16 = 64;
/// The most commands that the palette shows at once.
const MAX_PALETTE_ROWS: u16 = 12;

/// The commands of a screen, and how they are laid out.
struct HelpLayout {
    specs: Vec<&'static CommandSpec>,
    columns: usize,
    /// Rows of all commands.
    rows: usize,
    area: Rect,
    has_legend: bool,
    /// Rows that are shown.
    height: usize,
}

impl HelpLayout {
    fn new(state: &AppState) -> Self {
        let context = state.screen_context();
        let is_offered =
            |spec: &&CommandSpec| spec.contexts.contains(&context) && state.offers(spec.command);
        let specs: Vec<&CommandSpec> = REGISTRY.iter().filter(is_offered).collect();
        let columns = if state.size.0 >= TWO_COLUMNS_MIN_WIDTH { 2 } else { 1 };
        let rows = specs.len().div_ceil(columns);
        let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3);
        let area = centred(state, HELP_WIDTH, wanted.min(room_for_overlay(state)));
        let inner = area.height.saturating_sub(2);
        let has_legend = inner >= LEGEND_MIN_HEIGHT;
        let height = usize::from(inner - u16::from(has_legend));
        Self { specs, columns, rows, area, has_legend, height }
    }
}

/// Returns how far the help can be scrolled.
pub(crate) fn max_help_scroll(state: &AppState) -> usize {
    let layout = HelpLayout::new(state);
    layout.rows.saturating_sub(layout.height)
}

/// Draws every command of this screen with its keys.
pub(super) fn draw_help(frame: &mut ScreenFrame<'_>, scroll: usize) {
    let state = frame.state;
    let HelpLayout { specs, columns, rows, area, has_legend, height } = HelpLayout::new(state);
    let title = format!("Keys on the {} screen", state.screen_context().title());
    let mut inner = frame.draw_box(area, &title);
    inner.x += 1;
    inner.width = inner.width.saturating_sub(2);
    let scroll = scroll.min(rows.saturating_sub(height));
    let width = inner.width / u16::try_from(columns).unwrap_or(1);
    for (column, part) in specs.chunks(rows.max(1)).enumerate() {
        let x = inner.x + width * u16::try_from(column).unwrap_or(0);
        let area = Rect { x, width: width - 1, ..inner };
        for (row, spec) in (0..).zip(part.iter().skip(scroll).take(height)) {
            draw_help_line(frame, area, row, spec);
        }
    }
    if has_legend {
        draw_legend(frame, inner, scroll + height < rows);
    }
}

/// Returns the rows that an overlay may take: all but the line of hints, if there are many.
fn room_for_overlay(state: &AppState) -> u16 {
    match ScreenLayout::of(state.size) {
        ScreenLayout::Full => state.size.1.saturating_sub(1),
        ScreenLayout::Compact | ScreenLayout::Counts => state.size.1,
    }
}

fn draw_help_line(frame: &mut ScreenFrame<'_>, area: Rect, row: u16, spec: &CommandSpec) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, row) else { return };
    let keys: Vec<String> = state.keymap.keys(spec.command).map(ToString::to_string).collect();
    out.cell(StyleRole::Key, &keys.join(" "), KEYS_WIDTH, TextAlign::Left)
        .gap(1)
        .put(StyleRole::Text, spec.help);
}

/// Draws the meaning of the glyphs, and whether there is more.
fn draw_legend(frame: &mut ScreenFrame<'_>, area: Rect, more: bool) {
    let state = frame.state;
    let Some(last) = area.height.checked_sub(1) else { return };
    let Some(mut out) = frame.line(area, last) else { return };
    if more {
        let key = key_label(state, AppCommand::Down);
        out.put_right(&[(StyleRole::Dim, &format!("{key}: more"))]);
    }
    let stopped = (State::Killed, Some(Reason::Shutdown), "stopped");
    let plain = State::ALL.map(|each| (each, None, each.name()));
    for (each, reason, word) in plain.into_iter().chain([stopped]) {
        let StateLabel { glyph, role, .. } = state_label(each, reason, state.glyphs.glyph_set);
        out.put(role, &format!("{glyph} {word}")).gap(2);
    }
}

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
