//! The columns of a chart over time, and the line of times below it.

use heartline_operator::message::AgentHistory;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::LABELS;
use crate::text::width;
use crate::theme::StyleRole;
use crate::view::frame::ScreenFrame;
use crate::view::time_ticks::{DAY_MS, civil, local_ms, tick_ms};

/// Least columns from one label to the next.
const TICK_WIDTH: i64 = 8;
/// Below a step that is not over.
pub(super) const UNFINISHED: &str = "~";

/// The steps that are drawn, each in the same number of columns.
pub(super) struct TimeColumns {
    /// The first step that is drawn: the newest ones are, as far as there is room.
    pub first: usize,
    pub columns: usize,
}

impl TimeColumns {
    pub(super) fn of(history: &AgentHistory, area: Rect) -> Self {
        let room = usize::from(area.width.saturating_sub(LABELS)).max(1);
        let steps = history.steps.len().max(1);
        Self { first: steps.saturating_sub(room), columns: (room / steps).max(1) }
    }
}

/// Draws the times below the steps, and a mark below the newest one while it is not over.
pub(super) fn draw(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    row: u16,
    history: &AgentHistory,
    steps: &TimeColumns,
) {
    let state = frame.state;
    let border = state.glyphs.border;
    let zone = state.zone();
    let Some(mut out) = frame.line(area, row) else { return };
    out.gap(LABELS - 1).put(StyleRole::Border, border.bottom_left);
    let cells = cells(history, steps, &zone, border.horizontal_bottom);
    cells.into_iter().for_each(|(role, text)| {
        out.put(role, &text);
    });
}

/// Returns the line in pieces.
fn cells(
    history: &AgentHistory,
    steps: &TimeColumns,
    zone: &TimeZone,
    line: &str,
) -> Vec<(StyleRole, String)> {
    let (step_ms, columns) = (history.step_ms.max(1), i64::try_from(steps.columns).unwrap_or(1));
    let tick_ms =
        tick_ms(|tick_ms| tick_ms % step_ms == 0 && tick_ms / step_ms * columns >= TICK_WIDTH);
    let format = if tick_ms < DAY_MS { "%H:%M" } else { "%m-%d" };
    let mut pieces = Vec::new();
    // Columns of the last label that are still to be drawn.
    let mut labelled = 0;
    for (at, step) in history.steps.iter().enumerate().skip(steps.first) {
        let is_last = at + 1 == history.steps.len();
        let fill = if is_last && step.at_ms.saturating_add(history.step_ms) > history.to_ms {
            UNFINISHED
        } else {
            line
        };
        let role = if fill == line { StyleRole::Border } else { StyleRole::Strong };
        let left = (history.steps.len() - at) * steps.columns;
        let label = Some(local_ms(step.at_ms, zone))
            .filter(|ms| ms.rem_euclid(tick_ms) == 0 && labelled == 0)
            .map(|local_ms| civil(local_ms, format))
            .filter(|label| width(label) + steps.columns <= left);
        if let Some(label) = label {
            labelled = width(&label);
            pieces.push((StyleRole::Dim, label));
        }
        let covered = labelled.min(steps.columns);
        labelled -= covered;
        pieces.push((role, fill.repeat(steps.columns - covered)));
    }
    pieces
}
