//! One incident whole.

use ratatui::layout::Rect;

use super::super::frame::ScreenFrame;
use crate::incident_lines::{headline, lines_of_opened, position};

/// Returns the area inside the box.
pub(super) fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(opened) = state.alerts.opened else { return };
    let Some(report) = state.alerts.incident(opened.id) else { return };
    let incident = &report.incident;
    let over = if incident.ended_ms.is_some() { ", over" } else { "" };
    let severity = incident.severity.name();
    let title = format!("{} {} ({severity}{over})", incident.id, headline(incident));
    let lines = lines_of_opened(state);
    let hidden = lines.len().saturating_sub(opened.offset + usize::from(inner(area).height));
    let more = if hidden > 0 { format!("  +{hidden} lines") } else { String::new() };
    let inner = frame.draw_box(area, &(title + &more));
    let (at, _) = position(state);
    for (row, (number, line)) in (0..inner.height).zip(lines.iter().enumerate().skip(opened.offset))
    {
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1);
            for (role, text) in &line.pieces {
                out.put(*role, text);
            }
        }
        if number == at {
            frame.select_rows(inner, row, 1);
        }
    }
}
