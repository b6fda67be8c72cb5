//! The Timeline screen: agents as rows of cells, and the outages in the window below them.

mod axis;
mod cursor;
mod outages;

use heartline_operator::message::TimelineCell;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::frame::ScreenFrame;
use super::state_cell::{self, RowKind};
use crate::state::{AppState, FleetRow, TimelineFocus, TimelineRowKey};
use crate::text::{TextAlign, percent};
use crate::theme::{StyleRole, vitals_label};
use crate::timeline_layout::{AVAILABILITY_COLUMNS, TimelineAreas};

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    let areas = TimelineAreas::of(area);
    axis::draw(frame, &areas);
    draw_rows(frame, &areas);
    draw_collector(frame, &areas);
    cursor::draw(frame, &areas);
    outages::draw(frame, &areas);
    draw_cursor_column(frame, &areas);
}

fn draw_rows(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    if state.list.rows.is_empty() {
        if state.timeline.is_only_outages {
            if let Some(mut out) = frame.line(areas.rows, 0) {
                out.gap(2).put(StyleRole::Text, "No outage in the window. ! shows all rows.");
            }
        } else {
            super::fleet::draw_placeholder(frame, areas.rows);
        }
        return;
    }
    let pinned = state.list.pinned_group();
    let rows = state.list.rows.iter().enumerate().skip(state.list.offset);
    for (line, (at, row)) in (0..areas.rows.height).zip(rows) {
        match pinned {
            Some(group) if line == 0 => draw_row(frame, areas, line, FleetRow::Group(group)),
            _ => draw_row(frame, areas, line, *row),
        }
        if at == state.list.at && state.timeline.focus == TimelineFocus::Rows {
            let names = Rect { width: areas.name_columns.saturating_sub(1), ..areas.rows };
            frame.select_rows(names, line, 1);
        }
    }
}

fn draw_row(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas, line: u16, row: FleetRow) {
    let state = frame.state;
    let glyphs = state.glyphs;
    let columns = areas.name_columns.saturating_sub(1);
    let Some(mut out) = frame.line(areas.rows, line) else { return };
    match row {
        FleetRow::Group(group) => {
            let group = &state.list.groups[group];
            let fold = if group.is_folded { glyphs.folded } else { glyphs.open };
            let name = format!("{fold} {} {}", group.name, group.counts.total);
            out.cell(StyleRole::Title, &name, columns, TextAlign::Left);
        }
        FleetRow::Agent { id, .. } => {
            let Some(entry) = state.listed_agent(id) else { return };
            let then = state.model().fleet.get(id);
            let mark = if state.list.marks.contains(&entry.agent) { glyphs.marked } else { " " };
            out.put(StyleRole::Key, mark);
            match then.map(|entry| vitals_label(&entry.vitals, glyphs.glyph_set)) {
                Some(label) => out.put(label.role, label.glyph).gap(1),
                None => out.gap(2),
            };
            out.cell(StyleRole::Text, &entry.agent, columns.saturating_sub(3), TextAlign::Left);
        }
    }
    let is_group = matches!(row, FleetRow::Group(_));
    draw_cells(frame, areas, areas.rows, line, state.list.timeline_row(row), is_group);
}

fn draw_collector(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let columns = areas.name_columns.saturating_sub(1);
    if let Some(mut out) = frame.line(areas.collector, 0) {
        out.cell(StyleRole::Dim, "  (collector)", columns, TextAlign::Left);
        draw_cells(frame, areas, areas.collector, 0, TimelineRowKey::Collector, false);
    }
}

fn draw_cells(
    frame: &mut ScreenFrame<'_>,
    areas: &TimelineAreas,
    area: Rect,
    line: u16,
    key: TimelineRowKey,
    is_group: bool,
) {
    let state = frame.state;
    let row = row_cells(state, areas, key);
    let kind = match key {
        TimelineRowKey::Collector => RowKind::Collector,
        _ if is_group => RowKind::Group,
        _ => RowKind::Agent,
    };
    let Some(mut out) = frame.line(area, line) else { return };
    out.gap(areas.name_columns);
    for cell in &row {
        let (role, glyph) = state_cell::glyph(*cell, state.timeline.style, kind, state.glyphs);
        out.put(role, glyph);
    }
    let availability = availability(&row).map_or_else(|| "-".to_owned(), |it| percent(Some(it)));
    out.cell(StyleRole::Text, &availability, AVAILABILITY_COLUMNS - 1, TextAlign::Right);
}

/// Returns the cells of a row in the window; `None` where they have not come.
fn row_cells(
    state: &AppState,
    areas: &TimelineAreas,
    key: TimelineRowKey,
) -> Vec<Option<TimelineCell>> {
    let (timeline, count) = (&state.timeline, usize::from(areas.cells));
    timeline.tiles.cells(key, timeline.cell_ms(), timeline.left_ms, count, state.live_ms())
}

/// Returns the share of the time healthy in that healthy or out; `None` without any, and until all cells
/// have come.
fn availability(cells: &[Option<TimelineCell>]) -> Option<f64> {
    let mut sum = TimelineCell::default();
    for cell in cells {
        sum.add(&(*cell)?);
    }
    share_up(&sum)
}

/// Returns the share of the time healthy in that healthy or out.
fn share_up(cell: &TimelineCell) -> Option<f64> {
    let judged_ms = cell.up_ms + cell.bad_ms;
    (judged_ms > 0).then(|| cell.up_ms as f64 / judged_ms as f64)
}

/// Shows the column of the instant.
fn draw_cursor_column(frame: &mut ScreenFrame<'_>, areas: &TimelineAreas) {
    let state = frame.state;
    let column = state.timeline.column_of(state.cursor_ms());
    let Some(column) = u16::try_from(column).ok().filter(|column| *column < areas.cells) else {
        return;
    };
    for area in [areas.axis, areas.rows, areas.collector] {
        let x = area.x + areas.name_columns + column;
        let column = Rect { x, width: 1, ..area };
        let style = state.theme.selection();
        frame.buffer.set_style(column.intersection(frame.buffer.area), style);
    }
    // On the axis it stands out of the line of dashes.
    let x = areas.axis.x + areas.name_columns + column;
    let axis = Rect { x, width: 1, ..areas.axis };
    let bold = state.theme.selection().add_modifier(Modifier::BOLD);
    frame.buffer.set_style(axis.intersection(frame.buffer.area), bold);
}
