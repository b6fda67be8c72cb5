//! The line with the filter, how much it shows, and the order of the list.

use std::time::Duration;

use heartline_operator::FilterError;
use heartline_operator::message::PastWork;
use heartline_operator::text::format_duration;
use ratatui::layout::{Position, Rect};

use super::frame::ScreenFrame;
use crate::layout::ScreenLayout;
use crate::state::{AppState, CellMode, DisplayTimeZone, FollowMode, Overlay, Screen};
use crate::text::count;
use crate::theme::StyleRole;

/// Draws the line. Returns the position of the text cursor while the filter is typed.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) -> Option<Position> {
    let state = frame.state;
    let mut out = frame.line(area, 0)?;
    let editor = match &state.overlay {
        Some(Overlay::Filter(editor)) => Some(editor),
        _ => None,
    };
    let is_short = editor.is_some() || ScreenLayout::of(state.size) != ScreenLayout::Full;
    let summary = match state.screen {
        Screen::Agent | Screen::Alerts => return None,
        // The filter needs the room.
        _ if is_short => short_summary(state),
        Screen::Fleet => fleet_summary(state),
        Screen::Transitions => transitions_summary(state),
        Screen::Timeline => timeline_summary(state),
    };
    out.put_right(&[(StyleRole::Dim, &summary)]).gap(1);
    let filter = match state.screen {
        Screen::Transitions => &state.transitions.filter,
        Screen::Fleet | Screen::Agent | Screen::Timeline | Screen::Alerts => &state.list.filter,
    };
    if filter.problems_only {
        out.put(StyleRole::Warning, " bad only ").gap(1);
    }
    out.put(StyleRole::Key, "/").gap(1);
    let start = out.column();
    match editor {
        Some(editor) => {
            let part = editor.input.visible_part(out.remaining());
            out.put(StyleRole::Strong, part.text);
            if let Some(error) = &editor.error {
                draw_error(frame, error, i32::from(start - area.x) - i32::from(part.skipped), area);
            }
            Some(Position::new(start + part.cursor, area.y))
        }
        None if filter.text().is_empty() => {
            out.put(StyleRole::Dim, "no filter");
            None
        }
        None => {
            out.put(StyleRole::Strong, filter.text());
            None
        }
    }
}

/// Draws a caret under the error, and what was expected there, on as many lines as that takes. The
/// filter begins at `start`, which is negative when its begin is not shown.
fn draw_error(frame: &mut ScreenFrame<'_>, error: &FilterError, start: i32, area: Rect) {
    let column = i32::try_from(error.column() - 1).unwrap_or(i32::MAX);
    if let Some(mut out) = frame.line(area, 1) {
        let place = format!("^ column {}", error.column());
        let at = u16::try_from(start.saturating_add(column)).unwrap_or(0);
        out.gap(at).put(StyleRole::Unreachable, &place);
    }
    for (row, line) in (2..area.height).zip(crate::layout::wrap_error(error.message(), area.width))
    {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(StyleRole::Unreachable, &line);
        }
    }
}

fn short_summary(state: &AppState) -> String {
    let (shown, all) = match state.screen {
        Screen::Transitions => (state.transitions.rows.len(), state.model().events.len()),
        Screen::Fleet | Screen::Agent | Screen::Timeline | Screen::Alerts => {
            (state.list.matched, state.model().fleet.len())
        }
    };
    format!("{} of {} ", count(shown as u64), count(all as u64))
}

fn fleet_summary(state: &AppState) -> String {
    let list = &state.list;
    let (separator, order) = (state.glyphs.separator, arrow(state));
    let title = list.sort.spec().title;
    let total = state.model().fleet.len();
    let marks = match list.marks.len() {
        0 => String::new(),
        n => format!("{n} marked {separator} "),
    };
    // Finer work is not kept so long.
    let of_hour = match state.model().unknown.work {
        PastWork::NotRead => "work is being read ",
        PastWork::HourOf => "~ work of the whole hour ",
        PastWork::HourUntil => "",
    };
    format!(
        "{marks}{of_hour}{} of {} {separator} sort {title} {order} {separator} group {} ",
        count(list.matched as u64),
        count(total as u64),
        list.group_by().name()
    )
}

fn arrow(state: &AppState) -> &'static str {
    if state.list.is_inverted { state.glyphs.up } else { state.glyphs.down }
}

fn timeline_summary(state: &AppState) -> String {
    let (list, timeline, separator) = (&state.list, &state.timeline, state.glyphs.separator);
    let only = if timeline.is_only_outages { "only with outages " } else { "" };
    let style = match timeline.style {
        CellMode::Worst => "worst state",
        CellMode::Share => "bad time",
    };
    let cell = format_duration(Duration::from_millis(timeline.cell_ms().unsigned_abs()));
    format!(
        "{only}{} of {} {separator} 1 cell = {cell}{} {separator} {style} {separator} group {} ",
        count(list.matched as u64),
        count(state.model().fleet.len() as u64),
        if timeline.cell_ms() >= 86_400_000 && state.zone == DisplayTimeZone::Local {
            " (UTC)"
        } else {
            ""
        },
        list.group_by().name()
    )
}

fn transitions_summary(state: &AppState) -> String {
    let follow = match state.transitions.follow {
        FollowMode::Tail => format!("following {}", state.glyphs.down),
        FollowMode::Paused => "paused (G follows)".to_owned(),
    };
    let (shown, all) = (state.transitions.rows.len(), state.model().events.len());
    format!("{} of {} {} {follow} ", count(shown as u64), count(all as u64), state.glyphs.separator)
}
