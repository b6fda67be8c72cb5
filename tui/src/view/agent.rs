//! The Agent screen: details, sessions and events of one agent.

use heartline_operator::message::{Event, SessionSummary};
use heartline_operator::session_text;
use ratatui::layout::Rect;

use super::details::{DetailSection, agent_sections, draw_sections, section_lines};
use super::frame::ScreenFrame;
use super::{short_time, zone_name};
use crate::layout::split_top;
use crate::state::{AgentScreen, AppState, DisplayTimeZone, FocusedList, host_of};
use crate::text::{EventText, TextAlign, age, age_since, fit, wrap};
use crate::theme::{StyleRole, event_role};

/// From this width on both lists stand side by side.
const SIDE_BY_SIDE: u16 = 118;
/// Width of the list of sessions there.
const SESSIONS_WIDTH: u16 = 56;
/// The least lines for the lists.
const MIN_LIST_LINES: u16 = 5;

pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    let Some(screen) = &state.agent else {
        draw_message(frame, area, "No agent was opened: choose one on the fleet screen.");
        return;
    };
    let Some(entry) = state.opened_agent() else {
        let why = screen.failure.as_deref().unwrap_or("it is not in the fleet");
        draw_message(frame, area, &format!("{}: {why}", screen.id));
        return;
    };
    let mut rest = area;
    if !screen.is_expanded {
        let sections = agent_sections(state, entry, screen.detail.as_deref());
        let top = split_top(&mut rest, details_height(&sections, area));
        let host = host_of(entry).unwrap_or("-");
        let inner = frame.draw_box(top, &format!("{} @ {host}", entry.agent));
        draw_sections(frame, inner, &sections);
    }
    draw_lists(frame, screen, rest);
}

/// Returns the lines of the box with the details: the lists below it keep some.
fn details_height(sections: &[DetailSection], area: Rect) -> u16 {
    let wanted = section_lines(sections, area.width.saturating_sub(2)) + 2;
    wanted.min(area.height.saturating_sub(MIN_LIST_LINES))
}

/// Returns the rows of the list that has the focus.
pub(crate) fn agent_list_rows(state: &AppState, area: Rect) -> usize {
    let Some(screen) = &state.agent else { return 0 };
    let details = match state.opened_agent() {
        Some(entry) if !screen.is_expanded => {
            details_height(&agent_sections(state, entry, screen.detail.as_deref()), area)
        }
        _ => 0,
    };
    usize::from(area.height.saturating_sub(details + 2))
}

fn draw_message(frame: &mut ScreenFrame<'_>, area: Rect, text: &str) {
    let lines = wrap(text, usize::from(area.width.saturating_sub(4)));
    let first = u16::from(usize::from(area.height) > lines.len());
    for (row, line) in (first..).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(2).put(StyleRole::Text, &line);
        }
    }
}

fn draw_lists(frame: &mut ScreenFrame<'_>, screen: &AgentScreen, area: Rect) {
    let Some(detail) = &screen.detail else {
        let why = screen.failure.as_deref().unwrap_or("loading events");
        draw_message(frame, area, why);
        return;
    };
    if area.width >= SIDE_BY_SIDE && !screen.is_expanded {
        let left = Rect { width: area.width - SESSIONS_WIDTH - 1, ..area };
        let right = Rect { x: area.right() - SESSIONS_WIDTH, width: SESSIONS_WIDTH, ..area };
        draw_events(frame, screen, &detail.events, left);
        draw_sessions(frame, screen, &detail.sessions, right);
    } else {
        match screen.focus {
            FocusedList::Events => draw_events(frame, screen, &detail.events, area),
            FocusedList::Sessions => draw_sessions(frame, screen, &detail.sessions, area),
        }
    }
}

fn draw_events(frame: &mut ScreenFrame<'_>, screen: &AgentScreen, events: &[Event], area: Rect) {
    let title = format!("{}, newest first", timed_title(frame.state, "events"));
    for (area, event) in list_rows(frame, screen, FocusedList::Events, &title, events, area) {
        draw_event(frame, area, event);
    }
}

fn draw_sessions(
    frame: &mut ScreenFrame<'_>,
    screen: &AgentScreen,
    sessions: &[SessionSummary],
    area: Rect,
) {
    let title = timed_title(frame.state, "sessions");
    for (area, session) in list_rows(frame, screen, FocusedList::Sessions, &title, sessions, area) {
        draw_session(frame, area, session);
    }
}

/// Returns a title that names the zone of the times below it, if they do not.
fn timed_title(state: &AppState, title: &str) -> String {
    match state.zone {
        DisplayTimeZone::Utc => title.to_owned(),
        DisplayTimeZone::Local => format!("{title} in {}", zone_name(state, state.now_ms())),
    }
}

/// Draws the box of a list. Returns the visible items and their rows: only the list that has the
/// focus scrolls.
fn list_rows<'a, T>(
    frame: &mut ScreenFrame<'_>,
    screen: &AgentScreen,
    list: FocusedList,
    title: &str,
    items: &'a [T],
    area: Rect,
) -> impl Iterator<Item = (Rect, &'a T)> + use<'a, T> {
    let has_focus = screen.focus == list;
    let mark = if has_focus { "> " } else { "" };
    let inner = frame.draw_box(area, &format!("{mark}{title} {}", items.len()));
    let last = items.len().saturating_sub(usize::from(inner.height));
    let first = if has_focus { screen.scroll.min(last) } else { 0 };
    inner.rows().zip(items.iter().skip(first))
}

fn draw_event(frame: &mut ScreenFrame<'_>, area: Rect, event: &Event) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    let words = EventText::of(event);
    let what = words.headline.text(state.glyphs.arrow);
    let lasted = words.lasted_ms.map_or_else(|| "-".to_owned(), age);
    out.gap(1)
        .put(StyleRole::Dim, &fit(&short_time(state, event.at_ms), 12, TextAlign::Left, ""))
        .gap(1)
        .cell(event_role(event), &what, 20, TextAlign::Left)
        .gap(1)
        .cell(StyleRole::Dim, &lasted, 6, TextAlign::Right)
        .gap(2)
        .put(StyleRole::Text, &words.cause);
}

fn draw_session(frame: &mut ScreenFrame<'_>, area: Rect, session: &SessionSummary) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, 0) else { return };
    let ended = session.ended.as_deref().unwrap_or("running");
    let last = age_since(session.last_beat_ms, state.now_ms());
    let name = session_text(session.session);
    out.gap(1)
        .put(StyleRole::Text, name.get(..4).unwrap_or(&name))
        .gap(1)
        .put(StyleRole::Dim, &fit(&short_time(state, session.started_ms), 12, TextAlign::Left, ""))
        .gap(1)
        .cell(StyleRole::Text, ended, 11, TextAlign::Left)
        .put_labelled("beat", StyleRole::Text, &fit(&last, 6, TextAlign::Right, ""))
        .put_labelled("seg", StyleRole::Text, &session.applied_segment.to_string());
}
