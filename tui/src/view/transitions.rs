//! The Transitions screen: what happened, oldest first, the newest at the bottom.

use heartline_operator::message::Event;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::layout::Regions;
use crate::look::{Align, EventText, Role, age, day_clock, event_role, width, wrap};
use crate::state::{State, ZoneChoice};

/// From this width on there is room for who caused it.
const WITH_BY: u16 = 110;

/// Where lines below the selected row begin, and how many there may be.
const BELOW_FROM: u16 = 14;
const MOST_BELOW: usize = 4;

/// Widths of the columns but the last one.
struct Columns {
    time: u16,
    agent: u16,
    what: u16,
    lasted: u16,
    cause: u16,
    by: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let by = if width >= WITH_BY { 16 } else { 0 };
        let (time, what, lasted) = (12, 21, 6);
        let agent = if width >= WITH_BY { 26 } else { 18 };
        let taken = 1 + time + agent + what + lasted + by + 6;
        Self { time, agent, what, lasted, cause: width.saturating_sub(taken), by }
    }
}

pub(super) fn draw(state: &State, regions: &Regions, buffer: &mut Buffer) {
    let columns = Columns::of(regions.body.width);
    titles(state, regions.titles, &columns, buffer);
    let rows = &state.transitions.rows;
    if rows.is_empty() {
        let text = if state.world().events.is_empty() {
            "Nothing has happened yet."
        } else {
            "No event matches. Esc clears the filter."
        };
        if let Some(mut pen) = Pen::on(state, regions.body, 1, buffer) {
            pen.gap(2).put(Role::Text, text);
        }
        return;
    }
    let mut line = 0;
    for (at, cursor) in rows.iter().enumerate().skip(state.transitions.offset) {
        if line >= regions.body.height {
            break;
        }
        let Some(event) = state.event(*cursor) else { continue };
        let selected = at == state.transitions.at;
        line += row(state, regions.body, line, event, selected, &columns, buffer);
    }
}

fn titles(state: &State, area: Rect, columns: &Columns, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, 0, buffer) else { return };
    let time = if state.zone == ZoneChoice::Utc { "TIME (UTC)" } else { "TIME (local)" };
    pen.gap(1)
        .cell(Role::Dim, time, columns.time, Align::Left)
        .gap(1)
        .cell(Role::Dim, "AGENT", columns.agent, Align::Left)
        .gap(1)
        .cell(Role::Dim, "WHAT", columns.what, Align::Left)
        .gap(1)
        .cell(Role::Dim, "LASTED", columns.lasted, Align::Right)
        .gap(2)
        .cell(Role::Dim, "CAUSE", columns.cause, Align::Left)
        .gap(1);
    if columns.by > 0 {
        pen.put(Role::Dim, "BY");
    }
}

/// One event; the selected one has its cause below it when that does not fit. Returns the lines.
fn row(
    state: &State,
    area: Rect,
    line: u16,
    event: &Event,
    selected: bool,
    columns: &Columns,
    buffer: &mut Buffer,
) -> u16 {
    let words = EventText::of(event);
    first_line(state, area, line, event, &words, columns, buffer);
    if !selected {
        return 1;
    }
    let mut lines = 1;
    for text in below(&words, columns, area.width) {
        let Some(mut pen) = Pen::on(state, area, line + lines, buffer) else { break };
        pen.gap(BELOW_FROM).put(Role::Text, &text);
        lines += 1;
    }
    let rows = Rect { y: area.y + line, height: lines, ..area };
    buffer.set_style(rows, state.theme.cursor());
    lines
}

/// How many lines the selected event has below its row.
pub(crate) fn lines_below(state: &State, width: u16) -> usize {
    let event = state.selected_event();
    let lines = event.map(|event| below(&EventText::of(event), &Columns::of(width), width));
    lines.map_or(0, |lines| lines.len())
}

/// What does not fit the row of the selected event.
fn below(words: &EventText, columns: &Columns, across: u16) -> Vec<String> {
    let fits = width(&words.cause) <= usize::from(columns.cause);
    if fits && columns.by > 0 || words.cause.is_empty() && words.by.is_none() {
        return Vec::new();
    }
    let room = usize::from(across.saturating_sub(BELOW_FROM + 1));
    let mut lines = match words.cause.as_str() {
        "" => wrap(&format!("by {}", words.who()), room),
        cause => wrap(&format!("by {}: {cause}", words.who()), room),
    };
    lines.truncate(MOST_BELOW);
    lines
}

fn first_line(
    state: &State,
    area: Rect,
    line: u16,
    event: &Event,
    words: &EventText,
    columns: &Columns,
    buffer: &mut Buffer,
) {
    let Some(mut pen) = Pen::on(state, area, line, buffer) else { return };
    let what = words.headline.text(state.glyphs.arrow);
    let lasted = words.lasted_ms.map_or_else(|| "-".to_owned(), age);
    let time = day_clock(event.at_ms, state.now_ms(), &state.zone());
    pen.gap(1)
        .cell(Role::Text, &time, columns.time, Align::Left)
        .gap(1)
        .cell(Role::Strong, &words.agent, columns.agent, Align::Left)
        .gap(1)
        .cell(event_role(event), &what, columns.what, Align::Left)
        .gap(1)
        .cell(Role::Text, &lasted, columns.lasted, Align::Right)
        .gap(2)
        .cell(Role::Text, &words.cause, columns.cause, Align::Left)
        .gap(1);
    if columns.by > 0 {
        pen.put(Role::Dim, words.who());
    }
}
