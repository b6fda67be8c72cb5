//! The Agent screen: details, charts, sessions and events of one agent.

use heartline_operator::message::{AgentEntry, Event, SessionSummary};
use heartline_operator::session_text;
use ratatui::layout::Rect;

use super::agent_areas::AgentAreas;
use super::charts;
use super::details::{draw_sections, section_lines};
use super::frame::ScreenFrame;
use super::{short_time, zone_name};
use crate::state::{AgentPane, AgentScreen, AppState, DisplayTimeZone, host_of};
use crate::text::{EventText, TextAlign, age, age_since, fit, wrap};
use crate::theme::{StyleRole, event_role};

/// From this width on both lists stand side by side.
const SIDE_BY_SIDE: u16 = charts::WIDE;
/// Width of the list of sessions there.
const SESSIONS_WIDTH: u16 = 56;

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
    let areas = AgentAreas::place(state, screen, entry, area);
    if areas.details.height > 0 {
        draw_details(frame, screen, entry, &areas);
    }
    if let Some(parts) = &areas.charts {
        charts::draw(frame, screen, entry, parts);
    }
    if areas.lists.height > 0 {
        draw_lists(frame, screen, areas.lists);
    }
}

fn draw_details(
    frame: &mut ScreenFrame<'_>,
    screen: &AgentScreen,
    entry: &AgentEntry,
    areas: &AgentAreas,
) {
    let state = frame.state;
    let sections = areas.sections(state, screen, entry);
    let host = host_of(entry).unwrap_or("-");
    let mark = if screen.focus == AgentPane::Details { "> " } else { "" };
    let area = areas.details;
    let hidden = section_lines(&sections, area.width.saturating_sub(2)) + 2;
    let more = match hidden.saturating_sub(area.height) {
        0 => String::new(),
        lines => format!("  +{lines} lines"),
    };
    let inner = frame.draw_box(area, &format!("{mark}{} @ {host}{more}", entry.agent));
    draw_sections(frame, inner, &sections);
}

/// Returns the rows of the list that has the focus.
pub(crate) fn agent_list_rows(state: &AppState, area: Rect) -> usize {
    let (Some(screen), Some(entry)) = (&state.agent, state.opened_agent()) else {
        return usize::from(area.height.saturating_sub(2));
    };
    usize::from(AgentAreas::place(state, screen, entry, area).lists.height.saturating_sub(2))
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
    if screen.detail.is_none() {
        let (list, why) = match screen.focus {
            AgentPane::Sessions => ("> sessions", "loading sessions"),
            AgentPane::Events => ("> events", "loading events"),
            AgentPane::Charts | AgentPane::Details => ("events", "loading events"),
        };
        let inner = frame.draw_box(area, list);
        draw_message(frame, inner, screen.failure.as_deref().unwrap_or(why));
        return;
    }
    let (events, sessions) = (frame.state.agent_events(screen), frame.state.agent_sessions(screen));
    if area.width >= SIDE_BY_SIDE && !screen.is_expanded {
        let left = Rect { width: area.width - SESSIONS_WIDTH - 1, ..area };
        let right = Rect { x: area.right() - SESSIONS_WIDTH, width: SESSIONS_WIDTH, ..area };
        draw_events(frame, screen, &events, left);
        draw_sessions(frame, screen, &sessions, right);
    } else if screen.focus == AgentPane::Sessions {
        draw_sessions(frame, screen, &sessions, area);
    } else {
        draw_events(frame, screen, &events, area);
    }
}

fn draw_events(frame: &mut ScreenFrame<'_>, screen: &AgentScreen, events: &[&Event], area: Rect) {
    let title = format!("{}, newest first", timed_title(frame.state, "events"));
    for (area, event) in list_rows(frame, screen, AgentPane::Events, &title, events, area) {
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
    for (area, session) in list_rows(frame, screen, AgentPane::Sessions, &title, sessions, area) {
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
    list: AgentPane,
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
    // How long it ran: one that runs has not ended yet.
    let end_ms = session.ended.as_ref().map_or(Some(state.now_ms()), |_| session.last_beat_ms);
    let ran = end_ms.map_or_else(|| "-".to_owned(), |end| age_since(Some(session.started_ms), end));
    let name = session_text(session.session);
    out.gap(1)
        .put(StyleRole::Text, name.get(..4).unwrap_or(&name))
        .gap(1)
        .put(StyleRole::Dim, &fit(&short_time(state, session.started_ms), 12, TextAlign::Left, ""))
        .gap(1)
        .cell(StyleRole::Text, ended, 11, TextAlign::Left)
        .put_labelled("beat", StyleRole::Text, &fit(&last, 6, TextAlign::Right, ""))
        .put_labelled("ran", StyleRole::Text, &ran);
}
