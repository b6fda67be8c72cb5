//! Drawing: reads the state, changes nothing.

mod agent;
mod agent_areas;
mod alert_fields;
mod alerts;
mod charts;
mod collector;
mod compact;
mod details;
mod dialog;
mod filter;
mod first_look;
mod fleet;
mod footer;
mod frame;
mod header;
mod help;
mod menus;
mod prompt;
mod state_cell;
mod time_ticks;
mod timeline;
mod transitions;

use std::cmp::Reverse;

use heartline_vocabulary::{AgentStatus, StateCounts};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::layout::{self, ScreenAreas, ScreenLayout};
use crate::state::{AppState, ConnectionState, DisplayTimeZone, Overlay, Screen};
use crate::text::{GlyphSet, date_or_time, time_of_day, zone_abbreviation};

pub(crate) use agent::agent_list_rows;
pub(crate) use agent_areas::{are_charts_drawn, chart_room};
pub(crate) use alerts::{alert_line, alert_rows};
pub(crate) use collector::max_collector_scroll;
pub(crate) use dialog::dialog_size_needed;
use frame::ScreenFrame;
pub(crate) use help::max_help_scroll;
pub(crate) use transitions::selected_event_lines;

/// Draws the screen of a state. Returns its cells, and the position of the text cursor, if it is
/// visible.
pub(crate) fn view(state: &AppState) -> (Buffer, Option<Position>) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    let cursor = draw(&mut ScreenFrame { state, buffer: &mut buffer });
    (buffer, cursor)
}

fn draw(frame: &mut ScreenFrame<'_>) -> Option<Position> {
    let state = frame.state;
    let areas = layout::areas(state);
    let screen_layout = ScreenLayout::of(state.size);
    if screen_layout == ScreenLayout::Counts {
        compact::draw_counts(frame, frame.buffer.area);
        compact::draw_size_hint(frame);
        replace_for_glyph_set(frame);
        return None;
    }
    footer::draw_banners(frame, areas.banners);
    let mut cursor = filter::draw(frame, areas.filter);
    if screen_layout == ScreenLayout::Compact {
        compact::draw(frame, &areas);
    } else {
        header::draw(frame, areas.header);
        draw_screen(frame, &areas);
    }
    let is_lost = matches!(state.connection.state, ConnectionState::Lost { .. });
    if (is_lost || state.connection.silent_ms(state.now).is_some()) && !state.travel.is_past() {
        // This may be out of date.
        for area in [areas.titles, areas.body, areas.detail] {
            frame.buffer.set_style(area, state.theme.stale());
        }
    }
    footer::draw_messages(frame, areas.messages);
    footer::draw_hints(frame, areas.hints);
    if let Some(at) = draw_overlay(frame) {
        cursor = Some(at);
    }
    replace_for_glyph_set(frame);
    cursor
}

fn draw_screen(frame: &mut ScreenFrame<'_>, areas: &ScreenAreas) {
    let state = frame.state;
    match state.screen {
        Screen::Fleet => {
            fleet::draw(frame, areas);
            details::draw_pane(frame, areas.detail);
        }
        Screen::Agent => agent::draw(frame, areas.body),
        Screen::Transitions => transitions::draw(frame, areas),
        Screen::Timeline => timeline::draw(frame, areas.body),
        Screen::Alerts => alerts::draw(frame, areas.body),
    }
}

fn draw_overlay(frame: &mut ScreenFrame<'_>) -> Option<Position> {
    let state = frame.state;
    match state.overlay.as_ref()? {
        Overlay::Help { scroll } => {
            help::draw(frame, *scroll);
            None
        }
        Overlay::Collector(view) => {
            collector::draw(frame, view);
            None
        }
        Overlay::Palette(palette) => menus::draw_palette(frame, palette),
        Overlay::Picker(picker) => {
            menus::draw_picker(frame, picker);
            None
        }
        Overlay::Dialog(dialog) => dialog::draw(frame, dialog),
        Overlay::Prompt(prompt) => prompt::draw(frame, prompt),
        Overlay::Filter(_) => None,
    }
}

/// Returns an area of at most this size in the middle of the screen.
fn centred(state: &AppState, width: u16, height: u16) -> Rect {
    let (all_width, all_height) = state.size;
    let (width, height) = (width.min(all_width), height.min(all_height));
    Rect::new((all_width - width) / 2, (all_height - height) / 2, width, height)
}

/// Returns the rows that an overlay may take: all but the line of hints, if there are many.
fn room_for_overlay(state: &AppState) -> u16 {
    match ScreenLayout::of(state.size) {
        ScreenLayout::Full => state.size.1.saturating_sub(1),
        ScreenLayout::Compact | ScreenLayout::Counts => state.size.1,
    }
}

/// Replaces for `--ascii` everything that is not ASCII, also in the texts of agents.
fn replace_for_glyph_set(frame: &mut ScreenFrame<'_>) {
    if frame.state.glyphs.glyph_set != GlyphSet::Ascii {
        return;
    }
    for cell in &mut frame.buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}

/// Formats a time of day and its zone, with the date when it is another day.
pub(crate) fn zoned_time(state: &AppState, ms: i64) -> String {
    match state.zone {
        DisplayTimeZone::Utc => short_time(state, ms),
        DisplayTimeZone::Local => format!("{} {}", short_time(state, ms), zone_name(state, ms)),
    }
}

/// Formats a time of day in at most 12 columns, with the date when it is another day. Its zone is in
/// the title above it, if it is not UTC.
fn short_time(state: &AppState, ms: i64) -> String {
    let zulu = if state.zone == DisplayTimeZone::Utc { "Z" } else { "" };
    let zone = state.zone();
    let time = date_or_time(ms, state.now_ms(), &zone);
    let time = if time.contains('.') { time_of_day(ms, &zone) } else { time };
    format!("{time}{zulu}")
}

/// Formats the time of day, or of another day its date, in nine columns.
fn list_time(state: &AppState, ms: i64) -> String {
    let time = short_time(state, ms);
    let (date, of_day) = time.split_once(' ').unwrap_or(("", &time));
    if date.is_empty() { of_day.to_owned() } else { date.to_owned() }
}

/// Returns the short name of the chosen zone at a time: `UTC`, `CEST`.
fn zone_name(state: &AppState, ms: i64) -> String {
    zone_abbreviation(ms, &state.zone())
}

/// Returns the counts of all states, the worst first, and those that stopped behind the killed.
fn worst_first(counts: &StateCounts) -> impl Iterator<Item = (AgentStatus, u32)> {
    let mut all = StateCounts::COUNTED;
    all.sort_by_key(|status| (Reverse(status.state.severity()), status.reason.is_some()));
    let counts = *counts;
    all.into_iter().map(move |status| (status, counts.of(status)))
}
