//! The list of agents. Only the rows on the screen are built.

use heartline_operator::message::AgentEntry;
use ratatui::layout::Rect;

use super::first_look;
use super::frame::{RowWriter, ScreenFrame};
use super::worst_first;
use crate::columns::{CellContext, FleetColumn, LEFT_MARGIN, column_width, visible_columns};
use crate::layout::ScreenAreas;
use crate::state::{AppState, ConnectionState, FleetRow, GroupSummary, NEW_FOR_MS};
use crate::text::{age, age_since, cost, wrap};
use crate::theme::{StyleRole, state_label, vitals_label};
use crate::why::why;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &ScreenAreas) {
    let state = frame.state;
    if areas.body.height == 0 {
        return;
    }
    let columns = visible_columns(&state.list, areas.body.width);
    draw_titles(frame, areas.titles, &columns);
    if state.list.rows.is_empty() {
        draw_placeholder(frame, areas.body);
        return;
    }
    let pinned = state.list.pinned_group();
    let rows = state.list.rows.iter().enumerate().skip(state.list.offset);
    for (line, (at, row)) in (0..areas.body.height).zip(rows) {
        let selected = at == state.list.at;
        match (row, pinned) {
            (_, Some(group)) if line == 0 => {
                draw_group_row(frame, areas.body, line, &state.list.groups[group]);
            }
            (FleetRow::Group(group), _) => {
                draw_group_row(frame, areas.body, line, &state.list.groups[*group]);
            }
            (FleetRow::Agent { id, .. }, _) => {
                if let Some(entry) = state.model().fleet.get(*id) {
                    draw_agent_row(frame, areas.body, line, entry, &columns);
                }
            }
        }
        if selected {
            frame.select_rows(areas.body, line, 1);
        }
    }
}

fn draw_titles(frame: &mut ScreenFrame<'_>, area: Rect, columns: &[FleetColumn]) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    out.gap(LEFT_MARGIN);
    for column in columns {
        let spec = column.spec();
        let sorted = *column == state.list.sort;
        let role = if sorted { StyleRole::Title } else { StyleRole::Dim };
        let width = column_width(*column, columns, &state.list, area.width);
        out.cell(role, spec.title, width, spec.align).gap(1);
    }
}

fn draw_agent_row(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    line: u16,
    entry: &AgentEntry,
    columns: &[FleetColumn],
) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, line) else { return };
    let selected = state.list.selected_agent() == Some(entry.agent.as_str());
    let marked = state.list.marks.contains(&entry.agent);
    out.put(StyleRole::Key, if selected { ">" } else { " " });
    let is_new = state.now_ms() - entry.vitals.since_ms < NEW_FOR_MS;
    match (marked, is_new) {
        (true, _) => out.put(StyleRole::Key, state.glyphs.marked),
        (false, true) => out.put(StyleRole::Strong, state.glyphs.new),
        (false, false) => out.gap(1),
    };
    let context = CellContext {
        now_ms: state.now_ms(),
        glyphs: state.glyphs,
        cause: state.model().cause_of(entry),
        costly_nano_usd: state.list.money.costly,
    };
    for column in columns {
        let (role, text) = column.cell(entry, context);
        let spec = column.spec();
        let width = column_width(*column, columns, &state.list, area.width);
        match state.alert_mark(entry).filter(|_| *column == FleetColumn::Agent) {
            // The mark stands at the end of the name's column, so that no column has to go.
            Some(mark) => {
                let (mark_role, glyph) = state.glyphs.alert_mark(mark);
                out.cell(role, &text, width.saturating_sub(2), spec.align).gap(1);
                out.put(mark_role, glyph).gap(1);
            }
            None => {
                out.cell(role, &text, width, spec.align).gap(1);
            }
        }
    }
}

/// Draws the header of a group.
fn draw_group_row(frame: &mut ScreenFrame<'_>, area: Rect, line: u16, group: &GroupSummary) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, line) else { return };
    let fold = if group.is_folded { state.glyphs.folded } else { state.glyphs.open };
    out.put(StyleRole::Title, fold).gap(1).put(StyleRole::Title, &group.name).gap(2);
    let length = if area.width >= 98 { SummaryLength::Full } else { SummaryLength::Compact };
    write_group_summary(state, group, length, &mut out);
}

/// How much is written about a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SummaryLength {
    Full,
    Compact,
}

/// Writes the number of agents of a group, their states, the worst first, and their cost.
pub(super) fn write_group_summary(
    state: &AppState,
    group: &GroupSummary,
    length: SummaryLength,
    out: &mut RowWriter<'_>,
) {
    let total = group.counts.total;
    let agents = match (length, total) {
        (SummaryLength::Compact, _) => total.to_string(),
        (SummaryLength::Full, 1) => "1 agent".to_owned(),
        (SummaryLength::Full, _) => format!("{total} agents"),
    };
    out.put(StyleRole::Text, &agents).gap(2);
    for (counted, agents) in worst_first(&group.counts).filter(|(_, agents)| *agents > 0) {
        let status = state_label(counted.state, counted.reason, state.glyphs.glyph_set);
        out.put(status.role, &format!("{} {agents}", status.glyph)).gap(1);
    }
    if length == SummaryLength::Full {
        out.gap(1)
            .put(StyleRole::Dim, &format!("${} today", cost(group.cost_today_nano_usd)))
            .gap(2);
        let oldest = age_since(group.oldest_beat_ms, state.now_ms());
        out.put(StyleRole::Dim, &format!("oldest beat {oldest}")).gap(1);
    }
    write_worst(state, group, out);
}

/// Writes which agent of a group is worst off, and why.
fn write_worst(state: &AppState, group: &GroupSummary, out: &mut RowWriter<'_>) {
    let Some(worst) = group.worst.and_then(|it| state.model().fleet.get(it.id)) else { return };
    let label = vitals_label(&worst.vitals, state.glyphs.glyph_set);
    let now_ms = state.now_ms();
    let (lasted, cause) = (age(worst.vitals.state_age_ms(now_ms)), state.model().cause_of(worst));
    let text = format!("{} {} {lasted}", label.glyph, worst.agent);
    out.gap(1).put(label.role, &text).gap(1).put(StyleRole::Dim, &why(worst, cause, now_ms));
}

/// Draws why the list is empty, and what to do about it.
pub(super) fn draw_placeholder(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let columns = usize::from(area.width.saturating_sub(LEFT_MARGIN));
    let lines: Vec<String> = if !state.model().fleet.is_empty() {
        let help = "No agent matches. Esc clears the filter. A word matches parts of names; other tests are \
                    field:part, as in host:m3 or state:late, or field:pattern with * and ?, field=whole, and \
                    p95>2s; ! negates, `or` and parentheses combine.";
        wrap(help, columns)
    } else if let ConnectionState::Connecting { failure } = &state.connection.state {
        let mut lines =
            wrap("Connecting to the collector. Retrying until it answers; q quits.", columns);
        lines.extend(failure.iter().flat_map(|why| wrap(why, columns)));
        lines
    } else if !state.model().fleet.is_whole() {
        vec!["Loading the fleet.".to_owned()]
    } else {
        return first_look::draw(frame, area);
    };
    // Below a blank line, where there is room for one.
    let first = u16::from(usize::from(area.height) > lines.len());
    for (row, text) in (first..).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(LEFT_MARGIN).put(StyleRole::Text, &text);
        }
    }
}
