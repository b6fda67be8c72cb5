//! The Transitions screen: all events, the newest at the bottom.

use heartline_operator::message::Event;
use ratatui::layout::Rect;

use super::frame::{RowWriter, ScreenFrame};
use super::zone_name;
use crate::layout::{ScreenAreas, ScreenLayout};
use crate::state::AppState;
use crate::text::{EventText, TextAlign, age, date_or_time, width, wrap};
use crate::theme::{StyleRole, event_role};

/// From this width on there is a column BY.
const BY_MIN_WIDTH: u16 = 110;

/// The indent of the lines below the selected row.
const CAUSE_INDENT: u16 = 14;
/// The most lines below the selected row.
const MAX_CAUSE_LINES: usize = 4;

/// Widths of the columns.
struct TransitionColumns {
    time: u16,
    agent: u16,
    what: u16,
    lasted: u16,
    cause: u16,
    by: u16,
}

impl TransitionColumns {
    fn new(width: u16) -> Self {
        let by = if width >= BY_MIN_WIDTH { 16 } else { 0 };
        let (time, what, lasted) = (12, 21, 6);
        let agent = if width >= BY_MIN_WIDTH { 26 } else { 18 };
        let used = 1 + time + agent + what + lasted + by + 6;
        Self { time, agent, what, lasted, cause: width.saturating_sub(used), by }
    }

    fn write_row(&self, out: &mut RowWriter<'_>, cells: [(StyleRole, &str); 6]) {
        let [time, agent, what, lasted, cause, by] = cells;
        out.gap(1).cell(time.0, time.1, self.time, TextAlign::Left);
        out.gap(1).cell(agent.0, agent.1, self.agent, TextAlign::Left);
        out.gap(1).cell(what.0, what.1, self.what, TextAlign::Left);
        out.gap(1).cell(lasted.0, lasted.1, self.lasted, TextAlign::Right);
        out.gap(2).cell(cause.0, cause.1, self.cause, TextAlign::Left);
        if self.by > 0 {
            out.gap(1).put(by.0, by.1);
        }
    }
}

pub(super) fn draw(frame: &mut ScreenFrame<'_>, areas: &ScreenAreas) {
    let state = frame.state;
    let columns = TransitionColumns::new(areas.body.width);
    draw_titles(frame, areas.titles, &columns);
    let rows = &state.transitions.rows;
    if rows.is_empty() {
        let text = if state.model().events.is_empty() {
            "Nothing has happened yet."
        } else {
            "No event matches. Esc clears the filter."
        };
        if let Some(mut out) = frame.line(areas.body, 1) {
            out.gap(2).put(StyleRole::Text, text);
        }
        return;
    }
    let mut line = 0;
    for (at, cursor) in rows.iter().enumerate().skip(state.transitions.offset) {
        if line >= areas.body.height {
            break;
        }
        let Some(event) = state.event(*cursor) else { continue };
        let selected = at == state.transitions.at;
        line += draw_event(frame, areas.body, line, event, selected, &columns);
    }
}

fn draw_titles(frame: &mut ScreenFrame<'_>, area: Rect, columns: &TransitionColumns) {
    let time = format!("TIME ({})", zone_name(frame.state, frame.state.now_ms()));
    if let Some(mut out) = frame.line(area, 0) {
        let titles = [&*time, "AGENT", "WHAT", "LASTED", "CAUSE", "BY"];
        columns.write_row(&mut out, titles.map(|title| (StyleRole::Dim, title)));
    }
}

/// Draws an event, and below the selected one its cause when that does not fit, and the last lines of a
/// process. Returns the lines.
fn draw_event(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    line: u16,
    event: &Event,
    selected: bool,
    columns: &TransitionColumns,
) -> u16 {
    let words = EventText::of(event);
    draw_row(frame, area, line, event, &words, columns);
    if !selected {
        return 1;
    }
    let mut lines = 1;
    for text in cause_lines(&words, columns, area.width) {
        let Some(mut out) = frame.line(area, line + lines) else { break };
        out.gap(CAUSE_INDENT).put(StyleRole::Text, &text);
        lines += 1;
    }
    frame.select_rows(area, line, lines);
    lines
}

/// Returns the number of lines below the row of the selected event.
pub(crate) fn selected_event_lines(state: &AppState, width: u16) -> usize {
    if ScreenLayout::of(state.size) != ScreenLayout::Full {
        return 0;
    }
    let event = state.selected_event();
    let lines = event
        .map(|event| cause_lines(&EventText::of(event), &TransitionColumns::new(width), width));
    lines.map_or(0, |lines| lines.len())
}

/// Returns the lines below the row of the selected event: its cause, when that does not fit, and what a
/// process that crashed wrote last.
fn cause_lines(words: &EventText, columns: &TransitionColumns, width_of_list: u16) -> Vec<String> {
    let fits = width(&words.cause) <= usize::from(columns.cause);
    let room = usize::from(width_of_list.saturating_sub(CAUSE_INDENT + 1));
    let mut lines = match words.cause.as_str() {
        _ if fits && columns.by > 0 => Vec::new(),
        "" if words.by.is_none() => Vec::new(),
        "" => wrap(&format!("by {}", words.who()), room),
        cause => wrap(&format!("by {}: {cause}", words.who()), room),
    };
    lines.truncate(MAX_CAUSE_LINES);
    lines.extend(words.last_lines.iter().cloned());
    lines
}

fn draw_row(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    line: u16,
    event: &Event,
    words: &EventText,
    columns: &TransitionColumns,
) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, line) else { return };
    let what = words.headline.text(state.glyphs.arrow);
    let lasted = words.lasted_ms.map_or_else(|| "-".to_owned(), age);
    let time = date_or_time(event.at_ms, state.now_ms(), &state.zone());
    let cells = [
        (StyleRole::Text, &*time),
        (StyleRole::Strong, &words.agent),
        (event_role(event), &what),
        (StyleRole::Text, &lasted),
        (StyleRole::Text, &words.cause),
        (StyleRole::Dim, words.who()),
    ];
    columns.write_row(&mut out, cells);
}
