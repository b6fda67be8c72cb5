//! The areas of the screen: a pure function of the state, used to draw and to scroll.

use heartline_operator::message::HistoryHealth;
use ratatui::layout::Rect;

use crate::state::{AppState, ConnectionState, Overlay, Screen};
use crate::text::wrap;

/// The least size of a screen; below it there is one line of counts.
const MIN_SIZE: (u16, u16) = (60, 15);
/// From this height on there is a detail pane below the list.
const DETAIL_MIN_HEIGHT: u16 = 30;
/// From this width on the detail pane stands beside the list.
const SIDE_DETAIL_MIN_WIDTH: u16 = 160;
const DETAIL_HEIGHT: u16 = 8;
/// From this height on the detail pane is higher.
const TALL_DETAIL_MIN_HEIGHT: u16 = 36;
const TALL_DETAIL_HEIGHT: u16 = 10;
const DETAIL_WIDTH: u16 = 58;
/// The most lines for the error of a filter.
const MAX_ERROR_LINES: u16 = 3;
/// The most banners shown at once.
const MAX_BANNERS: usize = 3;

/// The areas of a screen. Empty ones are not drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScreenAreas {
    pub header: Rect,
    pub banners: Rect,
    /// The filter line, and the error below it.
    pub filter: Rect,
    pub titles: Rect,
    pub body: Rect,
    pub detail: Rect,
    pub messages: Rect,
    pub hints: Rect,
}

/// Returns whether there is only room for one line of counts.
pub(crate) fn is_tiny(size: (u16, u16)) -> bool {
    size.0 < MIN_SIZE.0 || size.1 < MIN_SIZE.1
}

/// Returns why the connection is lost, and the collector's warnings.
pub(crate) fn banners(state: &AppState) -> Vec<String> {
    let mut all = Vec::new();
    if let ConnectionState::Lost { why, .. } = &state.connection.state {
        all.push(why.clone());
    }
    if let Some(collector) = state.model().collector() {
        if let HistoryHealth::Paused(why) = &collector.history {
            all.push(format!("history is paused: {why}"));
        }
        all.extend(collector.banners.iter().cloned());
    }
    if all.len() > MAX_BANNERS {
        let more = all.len() - MAX_BANNERS + 1;
        all.truncate(MAX_BANNERS - 1);
        all.push(format!("and {more} more: see `heartline doctor`"));
    }
    all
}

/// Returns the number of lines above the hints, for commands and status messages.
fn message_lines(state: &AppState) -> u16 {
    u16::from(state.status_message.is_some()) + u16::from(!state.tracker.is_empty())
}

/// Returns the areas of the current screen.
pub(crate) fn areas(state: &AppState) -> ScreenAreas {
    let (width, height) = state.size;
    let mut rest = Rect::new(0, 0, width, height);
    let header = split_top(&mut rest, 2);
    let banners = split_top(&mut rest, u16::try_from(banners(state).len()).unwrap_or(0));
    let hints = split_bottom(&mut rest, 1);
    let messages = split_bottom(&mut rest, message_lines(state));
    let mut areas = ScreenAreas { header, banners, hints, messages, ..ScreenAreas::default() };
    if state.screen != Screen::Agent {
        areas.filter = split_top(&mut rest, filter_lines(state));
    }
    match state.screen {
        Screen::Fleet => place_fleet(state, rest, &mut areas),
        Screen::Agent => areas.body = rest,
        Screen::Transitions => {
            areas.titles = split_top(&mut rest, 1);
            areas.body = rest;
        }
    }
    areas
}

fn filter_lines(state: &AppState) -> u16 {
    match &state.overlay {
        Some(Overlay::Filter(editor)) => editor.error.as_ref().map_or(1, |error| {
            let message = wrap_error(error.message(), state.size.0).len();
            2 + u16::try_from(message).unwrap_or(1).min(MAX_ERROR_LINES)
        }),
        _ => 1,
    }
}

fn place_fleet(state: &AppState, mut rest: Rect, areas: &mut ScreenAreas) {
    let (width, height) = state.size;
    if state.is_expanded {
        areas.detail = rest;
        return;
    }
    if width >= SIDE_DETAIL_MIN_WIDTH {
        areas.detail = split_right(&mut rest, DETAIL_WIDTH);
        rest.width = rest.width.saturating_sub(1);
    } else if height >= DETAIL_MIN_HEIGHT {
        let rows =
            if height >= TALL_DETAIL_MIN_HEIGHT { TALL_DETAIL_HEIGHT } else { DETAIL_HEIGHT };
        areas.detail = split_bottom(&mut rest, rows);
    }
    areas.titles = split_top(&mut rest, 1);
    areas.body = rest;
}

/// Wraps the error of a filter into lines that fit.
pub(crate) fn wrap_error(message: &str, columns: u16) -> Vec<String> {
    wrap(message, usize::from(columns.saturating_sub(2)))
}

/// Splits off the first rows of an area.
pub(crate) fn split_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    top
}

/// Splits off the last rows of an area.
fn split_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

fn split_right(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    area.width -= columns;
    Rect { x: area.x + area.width, width: columns, ..*area }
}
