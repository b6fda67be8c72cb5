//! The collector's own health: doubts, who watches it, queues, losses, ticks, commits, disk.

use heartline_operator::text::{HealthLine, collector_lines};
use ratatui::layout::Rect;

use super::frame::ScreenFrame;
use super::{centred, room_for_overlay};
use crate::state::{AppState, CollectorView};
use crate::text::wrap;
use crate::theme::StyleRole;

const WIDTH: u16 = 110;
/// Columns of what a line is about; on a narrow screen it stands above.
const LABEL: u16 = 11;
const BESIDE_MIN_WIDTH: u16 = 50;

/// A line as it is drawn.
struct DrawnLine {
    label: String,
    role: StyleRole,
    text: String,
}

/// Returns how far it can be scrolled.
pub(crate) fn max_collector_scroll(state: &AppState, view: &CollectorView) -> usize {
    let area = area(state, view);
    let lines = lines(view, area.width.saturating_sub(4));
    lines.len().saturating_sub(usize::from(area.height.saturating_sub(2)))
}

/// Draws the overlay.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, view: &CollectorView) {
    let state = frame.state;
    let mut inner = frame.draw_box(area(state, view), "The collector itself");
    inner.x += 1;
    inner.width = inner.width.saturating_sub(2);
    let lines = lines(view, inner.width);
    let scroll = view.scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (row, line) in (0..).zip(lines.iter().skip(scroll).take(usize::from(inner.height))) {
        let Some(mut out) = frame.line(inner, row) else { return };
        out.put(StyleRole::Dim, &line.label).put(line.role, &line.text);
    }
}

fn area(state: &AppState, view: &CollectorView) -> Rect {
    let width = WIDTH.min(state.size.0);
    let rows = lines(view, width.saturating_sub(4)).len();
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2);
    centred(state, width, wanted.min(room_for_overlay(state)))
}

fn lines(view: &CollectorView, columns: u16) -> Vec<DrawnLine> {
    let plain = |role, text: &str| {
        let drawn = |text| DrawnLine { label: String::new(), role, text };
        wrap(text, columns.into()).into_iter().map(drawn).collect()
    };
    match &view.answer {
        None => plain(StyleRole::Dim, "asking the collector"),
        Some(Err(why)) => plain(StyleRole::Alert, why),
        Some(Ok(health)) => {
            let lines = collector_lines(health);
            lines.iter().flat_map(|line| drawn(line, columns)).collect()
        }
    }
}

/// Returns a line, broken where it is too wide.
fn drawn(line: &HealthLine, columns: u16) -> Vec<DrawnLine> {
    let role = if line.is_bad { StyleRole::Alert } else { StyleRole::Text };
    let is_beside = columns >= BESIDE_MIN_WIDTH;
    let indent = if is_beside { LABEL } else { 2 };
    let mut all: Vec<DrawnLine> = Vec::new();
    if !is_beside && !line.label.is_empty() {
        all.push(DrawnLine { label: line.label.to_owned(), role, text: String::new() });
    }
    for (number, text) in (0..).zip(wrap(&line.text, columns.saturating_sub(indent).into())) {
        let label = if number == 0 && is_beside { line.label } else { "" };
        all.push(DrawnLine { label: format!("{label:<0$}", usize::from(indent)), role, text });
    }
    all
}
