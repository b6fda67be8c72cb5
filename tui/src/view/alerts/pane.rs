//! Sinks and silences, below the incidents: what takes nothing comes first.

use heartline_operator::message::{Silence, SinkReport};
use ratatui::layout::Rect;

use super::super::frame::ScreenFrame;
use super::super::zoned_time;
use crate::state::AppState;
use crate::text::{TextAlign, count, fit};
use crate::theme::StyleRole;

/// A line of the pane: its heading, and pieces with their styles.
type PaneLine = (&'static str, Vec<(StyleRole, String)>);

/// Returns the number of lines.
pub(super) fn line_count(state: &AppState) -> usize {
    lines(state).len()
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    let state = frame.state;
    let lines = lines(state);
    let hidden = lines.len().saturating_sub(usize::from(area.height - 2));
    let more =
        if hidden > 0 { format!("  +{hidden} lines: heartline alerts") } else { String::new() };
    let inner = frame.draw_box(area, &format!("who is told, and what is silenced{more}"));
    for (row, (heading, pieces)) in (0..inner.height).zip(&lines) {
        let Some(mut out) = frame.line(inner, row) else { return };
        out.gap(1).put(StyleRole::Title, &format!("{heading:9}"));
        for (role, text) in pieces {
            out.put(*role, text).gap(2);
        }
    }
}

fn lines(state: &AppState) -> Vec<PaneLine> {
    let report = &state.alerts.report;
    if !state.alerts.is_known {
        return Vec::new();
    }
    let mut lines: Vec<PaneLine> = Vec::new();
    if report.routes == 0 {
        let text = "nobody is told: there is no [[route]] in the config file";
        lines.push(("routes", vec![(StyleRole::Degraded, text.to_owned())]));
    }
    let mut sinks: Vec<&SinkReport> = report.sinks.iter().collect();
    sinks.sort_by_key(|sink| (sink.broken.is_none(), sink.last_failure.is_none()));
    lines.extend(sinks.into_iter().map(|sink| ("sink", sink_pieces(state, sink))));
    if report.sinks.is_empty() {
        lines.push(("sinks", vec![(StyleRole::Dim, "none is in the config file".to_owned())]));
    }
    lines.extend(report.silences.iter().map(|silence| silence_line(state, silence)));
    lines
}

fn sink_pieces(state: &AppState, sink: &SinkReport) -> Vec<(StyleRole, String)> {
    let (role, health, why) = match (&sink.broken, &sink.last_failure) {
        (Some(why), _) => (StyleRole::Unreachable, "BROKEN", Some(why)),
        (None, Some(why)) => (StyleRole::Degraded, "FAILS", Some(why)),
        (None, None) => (StyleRole::Healthy, "works", None),
    };
    let mut pieces = vec![
        (StyleRole::Strong, fit(&sink.name, 12, TextAlign::Left, state.glyphs.more)),
        (StyleRole::Dim, fit(&sink.kind, 12, TextAlign::Left, state.glyphs.more)),
        (role, format!("{health:6}")),
        (StyleRole::Text, format!("{} pending", count(sink.pending.into()))),
    ];
    if sink.lost > 0 {
        pieces.push((StyleRole::Unreachable, format!("{} lost", count(sink.lost))));
    }
    // Why it takes nothing is read before how much it took.
    pieces.extend(why.map(|why| (role, why.clone())));
    pieces.push((StyleRole::Text, format!("{} delivered", count(sink.delivered))));
    if let Some(at_ms) = sink.last_delivery_ms {
        pieces.push((StyleRole::Dim, format!("last {}", zoned_time(state, at_ms))));
    }
    pieces
}

fn silence_line(state: &AppState, silence: &Silence) -> PaneLine {
    let heading = if silence.id.is_some() { "silence" } else { "window" };
    let (from, until) = (zoned_time(state, silence.from_ms), zoned_time(state, silence.until_ms));
    let lasts = silence.from_ms <= state.live_ms();
    let when = if lasts { format!("until {until}") } else { format!("from {from} until {until}") };
    let number = silence.id.map(|id| format!("#{id}"));
    let by = if silence.by.is_empty() { String::new() } else { format!("{}: ", silence.by) };
    let pieces = [
        (StyleRole::Dim, number.unwrap_or_default()),
        (if lasts { StyleRole::Strong } else { StyleRole::Dim }, silence.filter.clone()),
        (StyleRole::Text, when),
        (StyleRole::Dim, format!("{by}{}", silence.reason)),
    ];
    (heading, pieces.into_iter().filter(|(_, text)| !text.is_empty()).collect())
}
