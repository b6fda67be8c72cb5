//! Drawing: reads the state, changes nothing.

mod agent;
mod cells;
mod detail;
mod dialog;
mod facts;
mod filter;
mod fleet;
mod header;
mod help;
mod hints;
mod notices;
mod pen;
mod picker;
mod tiny;
mod transitions;

pub(crate) use cells::columns_shown;
pub(crate) use transitions::lines_below;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::layout::{self, Regions};
use crate::look::GlyphSet;
use crate::state::{LinkState, Overlay, Screen, State};

/// Draws the whole screen. Returns where the text cursor stands, if it does.
pub(crate) fn view(state: &State, buffer: &mut Buffer) -> Option<Position> {
    if layout::is_tiny(state.size) {
        tiny::draw(state, buffer);
        return None;
    }
    let regions = layout::regions(state);
    header::draw(state, regions.header, buffer);
    notices::banners(state, regions.banners, buffer);
    let mut cursor = filter::draw(state, regions.filter, buffer);
    screen(state, &regions, buffer);
    let is_lost = matches!(state.link.state, LinkState::Lost { .. });
    if (is_lost || state.link.silent_ms(state.now).is_some()) && state.frozen.is_none() {
        // What is below is no longer known to be true.
        for area in [regions.titles, regions.body, regions.detail] {
            buffer.set_style(area, state.theme.faded());
        }
    }
    notices::draw(state, regions.notices, buffer);
    hints::draw(state, regions.hints, buffer);
    if let Some(at) = overlay(state, buffer) {
        cursor = Some(at);
    }
    if state.charset == GlyphSet::Ascii {
        only_ascii(buffer);
    }
    cursor
}

fn screen(state: &State, regions: &Regions, buffer: &mut Buffer) {
    match state.screen {
        Screen::Fleet => {
            fleet::draw(state, regions, buffer);
            detail::draw(state, regions.detail, buffer);
        }
        Screen::Agent => agent::draw(state, regions.body, buffer),
        Screen::Transitions => transitions::draw(state, regions, buffer),
    }
}

fn overlay(state: &State, buffer: &mut Buffer) -> Option<Position> {
    match state.overlay.as_ref()? {
        Overlay::Help { scroll } => {
            help::draw(state, *scroll, buffer);
            None
        }
        Overlay::Palette(palette) => picker::palette(state, palette, buffer),
        Overlay::Picker(picker) => {
            picker::draw(state, picker, buffer);
            None
        }
        Overlay::Dialog(dialog) => dialog::draw(state, dialog, buffer),
        Overlay::Filter(_) => None,
    }
}

/// An area of at most this size in the middle of the screen.
fn centred(state: &State, width: u16, height: u16) -> Rect {
    let (all_width, all_height) = state.size;
    let (width, height) = (width.min(all_width), height.min(all_height));
    Rect::new((all_width - width) / 2, (all_height - height) / 2, width, height)
}

/// With `--ascii` nothing else reaches the terminal, whatever the agents' texts hold.
fn only_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}
