//! One incident whole.

use heartline_operator::message::IncidentReport;
use ratatui::layout::Rect;

use super::super::frame::ScreenFrame;
use crate::incident_lines::{headline, incident_lines, position};

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
    let (at, _) = position(state);
    draw_box(frame, area, report, opened.offset, Some(at));
}

/// Draws the begin of the selected incident.
pub(super) fn draw_preview(frame: &mut ScreenFrame<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    if let Some(report) = frame.state.alerts.current() {
        draw_box(frame, area, report, 0, None);
    }
}

fn draw_box(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    report: &IncidentReport,
    offset: usize,
    at: Option<usize>,
) {
    let incident = &report.incident;
    let over = if incident.ended_ms.is_some() { ", over" } else { "" };
    let severity = incident.severity.name();
    let title = format!("{} {} ({severity}{over})", incident.id, headline(incident));
    let lines = incident_lines(frame.state, report);
    let hidden = lines.len().saturating_sub(offset + usize::from(inner(area).height));
    let more = if hidden > 0 { format!("  +{hidden} lines") } else { String::new() };
    let inner = frame.draw_box(area, &(title + &more));
    for (row, (number, line)) in (0..inner.height).zip(lines.iter().enumerate().skip(offset)) {
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1);
            for (role, text) in &line.pieces {
                out.put(*role, text);
            }
        }
        if Some(number) == at {
            frame.select_rows(inner, row, 1);
        }
    }
}
