//! Drawing: reads the state, changes nothing.

mod agent;
mod details;
mod dialog;
mod filter;
mod fleet;
mod footer;
mod frame;
mod header;
mod menus;
mod transitions;

use std::cmp::Reverse;

use heartline_vocabulary::State;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::layout::{self, ScreenAreas};
use crate::state::{AppState, ConnectionState, DisplayTimeZone, Overlay, Screen};
use crate::text::{GlyphSet, date_or_time, time_of_day};

use frame::ScreenFrame;
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
    if layout::is_tiny(state.size) {
        header::draw_tiny(frame);
        return None;
    }
    let areas = layout::areas(state);
    header::draw(frame, areas.header);
    footer::draw_banners(frame, areas.banners);
    let mut cursor = filter::draw(frame, areas.filter);
    draw_screen(frame, &areas);
    let is_lost = matches!(state.connection.state, ConnectionState::Lost { .. });
    if (is_lost || state.connection.silent_ms(state.now).is_some()) && state.frozen.is_none() {
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
    if state.glyphs.glyph_set == GlyphSet::Ascii {
        replace_non_ascii(frame.buffer);
    }
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
    }
}

fn draw_overlay(frame: &mut ScreenFrame<'_>) -> Option<Position> {
    let state = frame.state;
    match state.overlay.as_ref()? {
        Overlay::Help { scroll } => {
            menus::draw_help(frame, *scroll);
            None
        }
        Overlay::Palette(palette) => menus::draw_palette(frame, palette),
        Overlay::Picker(picker) => {
            menus::draw_picker(frame, picker);
            None
        }
        Overlay::Dialog(dialog) => dialog::draw(frame, dialog),
        Overlay::Filter(_) => None,
    }
}

/// Returns an area of at most this size in the middle of the screen.
fn centred(state: &AppState, width: u16, height: u16) -> Rect {
    let (all_width, all_height) = state.size;
    let (width, height) = (width.min(all_width), height.min(all_height));
    Rect::new((all_width - width) / 2, (all_height - height) / 2, width, height)
}

/// Replaces everything that is not ASCII, also in the texts of agents.
fn replace_non_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}

/// Formats a time of day in the chosen zone, with the date when it is another day.
fn zoned_time(state: &AppState, ms: i64) -> String {
    let zulu = if state.zone == DisplayTimeZone::Utc { "Z" } else { "" };
    let zone = state.zone();
    let time = date_or_time(ms, state.now_ms(), &zone);
    if time.contains('.') {
        format!("{}{zulu}", time_of_day(ms, &zone))
    } else {
        format!("{time}{zulu}")
    }
}

/// Returns the states of agents, the worst first.
fn worst_first() -> impl Iterator<Item = State> {
    let mut states = State::ALL;
    states.sort_by_key(|state| Reverse(state.severity()));
    states.into_iter()
}
