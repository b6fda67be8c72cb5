//! Screens of few rows or columns: a line of counts, what matters most, and a line of hints.

use heartline_operator::message::{AgentEntry, Event};
use heartline_vocabulary::State;
use ratatui::layout::Rect;

use super::agent_areas::chart_parts;
use super::charts;
use super::details::{agent_sections, draw_sections};
use super::frame::{RowWriter, ScreenFrame};
use super::header;
use super::{list_time, worst_first, zone_name};
use crate::layout::ScreenAreas;
use crate::state::{AppState, DisplayTimeZone, FleetRow, Screen};
use crate::text::{EventText, TextAlign, age, count};
use crate::theme::{StyleRole, event_role, state_label, vitals_label};

/// Columns of the age, and of the reason behind it.
const AGE_WIDTH: u16 = 6;
const REASON_WIDTH: u16 = 8;
/// Columns of a time, and of what happened.
const TIME_WIDTH: u16 = 9;
const HEADLINE_WIDTH: u16 = 8;
/// From this width on both states of a transition are shown.
const WIDE_HEADLINE_MIN_WIDTH: u16 = 48;
const WIDE_HEADLINE_WIDTH: u16 = 21;

/// Draws the screen of the state.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &ScreenAreas) {
    draw_counts(frame, areas.header);
    match frame.state.screen {
        Screen::Fleet => draw_fleet(frame, areas.body),
        Screen::Agent => draw_agent(frame, areas.body),
        Screen::Transitions => draw_transitions(frame, areas.body),
        Screen::Timeline => super::timeline::draw(frame, areas.body),
        Screen::Alerts => super::alerts::draw(frame, areas.body),
    }
}

/// Draws one line of counts, the worst first, alone where there is no room for more.
pub(super) fn draw_counts(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    if state.screen == Screen::Transitions && state.zone == DisplayTimeZone::Local {
        out.put_right(&[(StyleRole::Dim, &zone_name(state, state.now_ms()))]);
    }
    match header::connection_label(state) {
        (StyleRole::Healthy, _) => out.put(StyleRole::Title, "HL "),
        (role, label) => out.put(role, &label).gap(1),
    };
    if state.connection.is_read_only() {
        out.put(StyleRole::Warning, "READ-ONLY").gap(1);
    }
    let summary = state.model().fleet.summary();
    for (counted, n) in worst_first(&summary) {
        // Those that stopped by themselves are worth the room only when there are any.
        if n == 0 && counted.reason.is_some() {
            continue;
        }
        let status = state_label(counted.state, counted.reason, state.glyphs.glyph_set);
        let role = if n == 0 { StyleRole::Dim } else { status.role };
        out.put(role, &format!("{}{}", status.glyph, count(n.into()))).gap(1);
    }
    out.put(StyleRole::Dim, &format!("of {}", count(summary.total.into())));
    if !state.list.marks.is_empty() {
        out.gap(2).put(StyleRole::Key, &format!("{} marked", state.list.marks.len()));
    }
}

/// Draws below the counts, as far as there is room, what to do about the size.
pub(super) fn draw_size_hint(frame: &mut ScreenFrame<'_>) {
    let state = frame.state;
    let Some(message) = &state.status_message else { return };
    let area = frame.buffer.area;
    // One row has room for one of both; the message is an answer to a key.
    let row = u16::from(area.height > 1);
    if let Some(mut out) = frame.line(area, row) {
        out.cell(message.role, &message.text, area.width, TextAlign::Left);
    }
}

fn draw_fleet(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    if state.list.rows.is_empty() {
        return super::fleet::draw_placeholder(frame, area);
    }
    let rows = state.list.rows.iter().enumerate().skip(state.list.offset);
    for (line, (at, row)) in (0..area.height).zip(rows) {
        let FleetRow::Agent { id, .. } = row else { continue };
        if let (Some(entry), Some(mut out)) = (state.model().fleet.get(*id), frame.line(area, line))
        {
            write_agent(state, entry, &mut out);
        }
        if at == state.list.at {
            frame.select_rows(area, line, 1);
        }
    }
}

/// Writes an agent, how long it has been in its state, and why.
fn write_agent(state: &AppState, entry: &AgentEntry, out: &mut RowWriter<'_>) {
    let vitals = &entry.vitals;
    let label = vitals_label(vitals, state.glyphs.glyph_set);
    let is_marked = state.list.marks.contains(&entry.agent);
    let is_selected = state.list.selected_agent() == Some(&*entry.agent);
    let mark = match (is_marked, is_selected) {
        (true, _) => state.glyphs.marked,
        (false, true) => ">",
        (false, false) => " ",
    };
    let why = match vitals.state {
        State::Killed => label.word,
        other => vitals.reason.map_or(other.name(), |reason| reason.name()),
    };
    out.put(StyleRole::Key, mark).put(label.role, label.glyph).gap(1);
    let name = out.remaining().saturating_sub(AGE_WIDTH + REASON_WIDTH + 2);
    out.cell(StyleRole::Text, &entry.agent, name, TextAlign::Left).gap(1);
    let lasted = age(vitals.state_age_ms(state.now_ms()));
    out.cell(StyleRole::Text, &lasted, AGE_WIDTH, TextAlign::Right).gap(1);
    out.put(label.role, why);
}

fn draw_agent(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(entry) = state.opened_agent() else { return super::agent::draw(frame, area) };
    if let Some(mut out) = frame.line(area, 0) {
        out.gap(1).put(StyleRole::Title, &entry.agent);
    }
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match (chart_parts(state, area), &state.agent) {
        (Some(parts), Some(screen)) => charts::draw(frame, screen, entry, &parts),
        _ => {
            draw_sections(frame, below, &agent_sections(state, entry, None));
        }
    }
}

fn draw_transitions(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let rows = state.transitions.rows.iter().enumerate().skip(state.transitions.offset);
    for (line, (at, cursor)) in (0..area.height).zip(rows) {
        if let (Some(event), Some(mut out)) = (state.event(*cursor), frame.line(area, line)) {
            write_event(state, event, area.width, &mut out);
        }
        if at == state.transitions.at {
            frame.select_rows(area, line, 1);
        }
    }
    if state.transitions.rows.is_empty()
        && let Some(mut out) = frame.line(area, 0)
    {
        out.gap(1).put(StyleRole::Text, "No event.");
    }
}

/// Writes when, to whom, and what happened: of a transition at least the new state.
fn write_event(state: &AppState, event: &Event, width: u16, out: &mut RowWriter<'_>) {
    let words = EventText::of(event);
    let (what, columns) = if width >= WIDE_HEADLINE_MIN_WIDTH {
        (words.headline.text(state.glyphs.arrow), WIDE_HEADLINE_WIDTH)
    } else {
        (words.headline.outcome().to_owned(), HEADLINE_WIDTH)
    };
    out.gap(1).cell(StyleRole::Dim, &list_time(state, event.at_ms), TIME_WIDTH, TextAlign::Left);
    let name = out.remaining().saturating_sub(columns + 2);
    out.gap(1).cell(StyleRole::Text, &words.agent, name, TextAlign::Left);
    out.gap(1).put(event_role(event), &what);
}
