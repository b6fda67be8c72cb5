//! Where everything stands on the screen: a pure function of the state, used to draw and to scroll.

use heartline_operator::message::HistoryHealth;
use ratatui::layout::Rect;

use crate::look::wrap;
use crate::state::{FilterFault, LinkState, Overlay, Screen, State};

/// Below this, one line of counts.
pub(crate) const SMALLEST: (u16, u16) = (60, 15);
/// From this height on there is a detail pane below the list.
const DETAIL_FROM: u16 = 30;
/// From this width on the detail pane stands beside the list.
const BESIDE_FROM: u16 = 160;
const DETAIL_HEIGHT: u16 = 8;
/// From this height on the pane is higher.
const TALL_FROM: u16 = 36;
const TALL_DETAIL_HEIGHT: u16 = 10;
const DETAIL_WIDTH: u16 = 58;
/// Lines for what is wrong with a filter.
const MOST_FAULT_LINES: u16 = 3;
/// Banners shown at once.
const MOST_BANNERS: usize = 3;

/// The parts of a screen. Empty rectangles are not drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regions {
    pub header: Rect,
    pub banners: Rect,
    /// The filter line, and the fault below it.
    pub filter: Rect,
    pub titles: Rect,
    pub body: Rect,
    pub detail: Rect,
    pub notices: Rect,
    pub hints: Rect,
}

/// Whether there is room for a screen at all.
pub(crate) fn is_tiny(size: (u16, u16)) -> bool {
    size.0 < SMALLEST.0 || size.1 < SMALLEST.1
}

/// Sentences that must be read: why the link is lost, and what the collector says.
pub(crate) fn banners(state: &State) -> Vec<String> {
    let mut all = Vec::new();
    if let LinkState::Lost { why, .. } = &state.link.state {
        all.push(why.clone());
    }
    if let Some(collector) = state.world().collector() {
        if let HistoryHealth::Paused(why) = &collector.history {
            all.push(format!("history is not being kept: {why}"));
        }
        all.extend(collector.banners.iter().cloned());
    }
    if all.len() > MOST_BANNERS {
        let more = all.len() - MOST_BANNERS + 1;
        all.truncate(MOST_BANNERS - 1);
        all.push(format!("and {more} more: see `heartline doctor`"));
    }
    all
}

/// Lines for notices and orders above the hints.
pub(crate) fn notice_lines(state: &State) -> u16 {
    u16::from(state.notice.is_some()) + u16::from(!state.orders.is_empty())
}

/// The parts of the screen that is shown.
pub(crate) fn regions(state: &State) -> Regions {
    let (width, height) = state.size;
    let mut rest = Rect::new(0, 0, width, height);
    let header = take_top(&mut rest, 2);
    let banners = take_top(&mut rest, u16::try_from(banners(state).len()).unwrap_or(0));
    let hints = take_bottom(&mut rest, 1);
    let notices = take_bottom(&mut rest, notice_lines(state));
    let mut regions = Regions { header, banners, hints, notices, ..Regions::default() };
    if state.screen != Screen::Agent {
        regions.filter = take_top(&mut rest, filter_lines(state));
    }
    match state.screen {
        Screen::Fleet => fleet(state, rest, &mut regions),
        Screen::Agent => regions.body = rest,
        Screen::Transitions => {
            regions.titles = take_top(&mut rest, 1);
            regions.body = rest;
        }
    }
    regions
}

fn filter_lines(state: &State) -> u16 {
    match &state.overlay {
        Some(Overlay::Filter(edit)) => edit.error.as_ref().map_or(1, |fault| {
            let message = u16::try_from(fault_lines(fault, state.size.0).len()).unwrap_or(1);
            2 + message.min(MOST_FAULT_LINES)
        }),
        _ => 1,
    }
}

fn fleet(state: &State, mut rest: Rect, regions: &mut Regions) {
    let (width, height) = state.size;
    if state.expanded {
        regions.detail = rest;
        return;
    }
    if width >= BESIDE_FROM {
        regions.detail = take_right(&mut rest, DETAIL_WIDTH);
        rest.width = rest.width.saturating_sub(1);
    } else if height >= DETAIL_FROM {
        let rows = if height >= TALL_FROM { TALL_DETAIL_HEIGHT } else { DETAIL_HEIGHT };
        regions.detail = take_bottom(&mut rest, rows);
    }
    regions.titles = take_top(&mut rest, 1);
    regions.body = rest;
}

/// What is wrong with a filter, broken into lines that fit.
pub(crate) fn fault_lines(fault: &FilterFault, columns: u16) -> Vec<String> {
    wrap(&fault.message, usize::from(columns.saturating_sub(2)))
}

/// Splits off the first rows of an area.
pub(crate) fn take_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    top
}

/// Splits off the last rows of an area.
pub(crate) fn take_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

fn take_right(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    area.width -= columns;
    Rect { x: area.x + area.width, width: columns, ..*area }
}
