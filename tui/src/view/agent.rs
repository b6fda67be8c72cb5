//! The Agent screen: who it is, how it is, its work, its sessions and what happened to it.

use heartline_operator::message::{AgentDetail, Event, SessionSummary};
use heartline_operator::session_text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::detail::{height, lines};
use super::facts::{sections, when};
use super::pen::{Pen, boxed};
use crate::layout::take_top;
use crate::look::{Align, EventText, Role, age, age_since, event_role, fit};
use crate::state::{AgentPane, Pane, State};

/// From this width on both lists stand side by side.
const SIDE_BY_SIDE: u16 = 118;
/// Width of the list of sessions there.
const SESSIONS: u16 = 56;
/// Fewest lines left for the lists.
const LISTS: u16 = 5;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(pane) = &state.agent else {
        message(state, area, "No agent was opened: choose one on the fleet screen.", buffer);
        return;
    };
    let Some(entry) =
        state.world().agent(&pane.id).or_else(|| pane.detail.as_ref().map(|detail| &detail.entry))
    else {
        let why = pane.failure.as_deref().unwrap_or("it is not in the fleet");
        message(state, area, &format!("{}: {why}", pane.id), buffer);
        return;
    };
    let mut rest = area;
    if !pane.expanded {
        let sections = sections(state, entry, pane.detail.as_deref());
        let wanted = height(&sections, area.width.saturating_sub(2)) + 2;
        let top = take_top(&mut rest, wanted.min(area.height.saturating_sub(LISTS)));
        let host = entry.identity.shared.host.as_deref().unwrap_or("-");
        let inner = boxed(state, top, &format!("{} @ {host}", entry.agent), buffer);
        lines(state, inner, &sections, buffer);
    }
    lists(state, pane, rest, buffer);
}

fn message(state: &State, area: Rect, text: &str, buffer: &mut Buffer) {
    if let Some(mut pen) = Pen::on(state, area, 1, buffer) {
        pen.gap(2).put(Role::Text, text);
    }
}

fn lists(state: &State, pane: &AgentPane, area: Rect, buffer: &mut Buffer) {
    let Some(detail) = &pane.detail else {
        let why = pane.failure.as_deref().unwrap_or("loading what happened");
        message(state, area, why, buffer);
        return;
    };
    if area.width >= SIDE_BY_SIDE && !pane.expanded {
        let left = Rect { width: area.width - SESSIONS - 1, ..area };
        let right = Rect { x: area.right() - SESSIONS, width: SESSIONS, ..area };
        events(state, pane, detail, left, buffer);
        sessions(state, pane, detail, right, buffer);
    } else {
        match pane.focus {
            Pane::Events => events(state, pane, detail, area, buffer),
            Pane::Sessions => sessions(state, pane, detail, area, buffer),
        }
    }
}

/// The title of a list; the one that the keys move is marked.
fn title(pane: &AgentPane, which: Pane, name: &str, count: usize) -> String {
    let focus = if pane.focus == which { "> " } else { "" };
    format!("{focus}{name} {count}")
}

/// First row shown: only the list that has the focus scrolls.
fn first(pane: &AgentPane, which: Pane, rows: usize, height: u16) -> usize {
    let last = rows.saturating_sub(usize::from(height));
    if pane.focus == which { pane.scroll.min(last) } else { 0 }
}

fn events(state: &State, pane: &AgentPane, detail: &AgentDetail, area: Rect, buffer: &mut Buffer) {
    let all = &detail.events;
    let inner =
        boxed(state, area, &title(pane, Pane::Events, "events, newest first", all.len()), buffer);
    let skipped = first(pane, Pane::Events, all.len(), inner.height);
    for (row, event) in (0..inner.height).zip(all.iter().skip(skipped)) {
        event_line(state, inner, row, event, buffer);
    }
}

fn event_line(state: &State, area: Rect, row: u16, event: &Event, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, row, buffer) else { return };
    let words = EventText::of(event);
    let what = words.headline.text(state.glyphs.arrow);
    let lasted = words.lasted_ms.map_or_else(|| "-".to_owned(), age);
    pen.gap(1)
        .put(Role::Dim, &fit(&when(state, event.at_ms), 12, Align::Left, ""))
        .gap(1)
        .cell(event_role(event), &what, 20, Align::Left)
        .gap(1)
        .cell(Role::Dim, &lasted, 6, Align::Right)
        .gap(2)
        .put(Role::Text, &words.cause);
}

fn sessions(
    state: &State,
    pane: &AgentPane,
    detail: &AgentDetail,
    area: Rect,
    buffer: &mut Buffer,
) {
    let all = &detail.sessions;
    let inner = boxed(state, area, &title(pane, Pane::Sessions, "sessions", all.len()), buffer);
    let skipped = first(pane, Pane::Sessions, all.len(), inner.height);
    for (row, session) in (0..inner.height).zip(all.iter().skip(skipped)) {
        session_line(state, inner, row, session, buffer);
    }
}

fn session_line(
    state: &State,
    area: Rect,
    row: u16,
    session: &SessionSummary,
    buffer: &mut Buffer,
) {
    let Some(mut pen) = Pen::on(state, area, row, buffer) else { return };
    let end = session.ended.as_deref().unwrap_or("running");
    let last = age_since(session.last_beat_ms, state.now_ms());
    let name = session_text(session.session);
    pen.gap(1)
        .put(Role::Text, name.get(..4).unwrap_or(&name))
        .gap(1)
        .put(Role::Dim, &fit(&when(state, session.started_ms), 12, Align::Left, ""))
        .gap(1)
        .cell(Role::Text, end, 11, Align::Left)
        .pair("beat", Role::Text, &fit(&last, 6, Align::Right, ""))
        .pair("seg", Role::Text, &session.applied_segment.to_string());
}
