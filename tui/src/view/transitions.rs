//! The Transitions screen: what happened, oldest first, the newest at the bottom.

use heartline_operator::message::Event;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::layout::Regions;
use crate::look::{Align, EventWords, Role, age, day_clock, event_role, width};
use crate::state::{State, ZoneChoice};

/// From this width on there is room for who caused it.
const WITH_BY: u16 = 110;

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

/// One event; the selected one has a second line when its cause does not fit. Returns the lines.
fn row(
    state: &State,
    area: Rect,
    line: u16,
    event: &Event,
    selected: bool,
    columns: &Columns,
    buffer: &mut Buffer,
) -> u16 {
    let words = EventWords::of(event);
    first_line(state, area, line, event, &words, columns, buffer);
    if !selected {
        return 1;
    }
    let fits = width(&words.cause) <= usize::from(columns.cause) && columns.by > 0;
    let lines = if fits || line + 1 >= area.height { 1 } else { 2 };
    if lines == 2
        && let Some(mut pen) = Pen::on(state, area, line + 1, buffer)
    {
        pen.gap(14).put(Role::Text, &format!("by {}: {}", words.who(), words.cause));
    }
    let rows = Rect { y: area.y + line, height: lines, ..area };
    buffer.set_style(rows, state.theme.cursor());
    lines
}

fn first_line(
    state: &State,
    area: Rect,
    line: u16,
    event: &Event,
    words: &EventWords,
    columns: &Columns,
    buffer: &mut Buffer,
) {
    let Some(mut pen) = Pen::on(state, area, line, buffer) else { return };
    let what = words.what.text(state.glyphs.arrow);
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
