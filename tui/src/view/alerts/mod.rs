//! The Alerts screen: incidents, and below them sinks and silences; or one incident whole.

mod incident;
mod list;
mod pane;

use ratatui::layout::{Position, Rect};

use super::frame::ScreenFrame;
use crate::layout::{MIN_SIZE, split_bottom, split_top};
use crate::state::AppState;

/// The least rows of incidents above the pane of sinks and silences.
const MIN_ROWS: u16 = 6;

/// From this height on the selected incident is shown below the list, as much of it as there is room for.
const PREVIEW_MIN_HEIGHT: u16 = 26;

/// The areas of the list. Empty ones are not drawn.
struct ListAreas {
    titles: Rect,
    rows: Rect,
    /// The selected incident.
    preview: Rect,
    pane: Rect,
}

impl ListAreas {
    fn of(state: &AppState, area: Rect) -> Self {
        let mut rest = area;
        let is_full = state.size.0 >= MIN_SIZE.0 && state.size.1 >= MIN_SIZE.1;
        let titles = split_top(&mut rest, u16::from(is_full));
        let wanted = u16::try_from(pane::line_count(state)).unwrap_or(u16::MAX).saturating_add(2);
        let most = (area.height / 2).min(rest.height.saturating_sub(MIN_ROWS));
        let pane = split_bottom(&mut rest, if is_full && most > 2 { wanted.min(most) } else { 0 });
        let has_preview = is_full && area.height >= PREVIEW_MIN_HEIGHT;
        let has_preview = has_preview && !state.alerts.report.incidents.is_empty();
        let preview = split_bottom(&mut rest, if has_preview { area.height * 2 / 5 } else { 0 });
        Self { titles, rows: rest, preview, pane }
    }
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    if frame.state.alerts.opened.is_some() {
        return incident::draw(frame, area);
    }
    let areas = ListAreas::of(frame.state, area);
    list::draw(frame, areas.titles, areas.rows);
    incident::draw_preview(frame, areas.preview);
    pane::draw(frame, areas.pane);
}

/// Returns the rows that move: of the list, or of the incident that is shown whole.
pub(crate) fn alert_rows(area: Rect, state: &AppState) -> u16 {
    rows_area(state, area).height
}

/// Returns the row of the list, or the line of the incident, at a place of the screen.
pub(crate) fn alert_line(state: &AppState, area: Rect, at: (u16, u16)) -> Option<usize> {
    let rows = rows_area(state, area);
    let offset = state.alerts.opened.map_or(state.alerts.offset, |opened| opened.offset);
    rows.contains(Position::from(at)).then(|| offset + usize::from(at.1 - rows.y))
}

fn rows_area(state: &AppState, area: Rect) -> Rect {
    match state.alerts.opened {
        Some(_) => incident::inner(area),
        None => ListAreas::of(state, area).rows,
    }
}
