//! The charts of the Agent screen: what they show, and the question for it.

use heartline_operator::message::{
    AgentHistory, AgentHistoryQuery, Event, EventOrder, EventQuery, Request,
};

use crate::commands::AppCommand;
use crate::layout::{self, ScreenLayout};
use crate::state::{AgentPane, AppState, FocusDirection, HistoryPurpose, HistoryRequest, Screen};
use crate::view;

/// As many events as the collector sends of an agent of now.
const PAST_EVENTS: u32 = 50;

/// Changes the window or the kind of chart, and shows the charts where there is no room for all panes.
pub(super) fn change_chart(state: &mut AppState, command: AppCommand) {
    let area = layout::areas(state).body;
    let is_drawn = view::are_charts_drawn(state, area);
    let Some(screen) = &mut state.agent else { return };
    if !is_drawn {
        screen.focus = AgentPane::Charts;
        screen.scroll = 0;
    }
    match command {
        AppCommand::Window => screen.charts.window = screen.charts.window.next(),
        _ => screen.charts.kind = screen.charts.kind.next(),
    }
}

/// Gives the keys to another pane: on a compact screen to the charts, or back to the rest.
pub(super) fn move_focus(state: &mut AppState, direction: FocusDirection) {
    let is_compact = ScreenLayout::of(state.size) == ScreenLayout::Compact;
    let Some(screen) = &mut state.agent else { return };
    screen.scroll = 0;
    screen.focus = match (is_compact, direction) {
        (true, _) if screen.focus == AgentPane::Charts => AgentPane::default(),
        (true, _) => AgentPane::Charts,
        (false, FocusDirection::Next) => screen.focus.next(),
        (false, FocusDirection::Previous) => screen.focus.previous(),
    };
}

/// Returns the question for the agent's history, if one is due: while its charts are on the screen.
pub(super) fn chart_question(state: &mut AppState) -> Option<HistoryRequest> {
    if state.screen != Screen::Agent {
        return None;
    }
    state.model().collector()?;
    let room = view::chart_room(state, layout::areas(state).body)?;
    let (now_ms, time) = (state.now_ms(), state.shown_time());
    let screen = state.agent.as_mut()?;
    let query = screen.charts.next_question(&screen.id, room, now_ms, time)?;
    let request = Request::AgentHistory(query.clone());
    Some(HistoryRequest { purpose: HistoryPurpose::AgentCharts(query), request })
}

/// Returns the question for the agent's events until the instant of the past that is shown.
pub(super) fn events_question(state: &AppState) -> Option<HistoryRequest> {
    if state.screen != Screen::Agent {
        return None;
    }
    let (at_ms, agent) = (state.missing_agent_events_ms()?, state.agent.as_ref()?.id.clone());
    let query = EventQuery {
        until_ms: Some(at_ms.saturating_add(1)),
        agent: Some(agent.clone()),
        limit: PAST_EVENTS,
        order: EventOrder::NewestFirst,
        ..EventQuery::default()
    };
    let purpose = HistoryPurpose::AgentEvents { agent, at_ms };
    Some(HistoryRequest { purpose, request: Request::Events(query) })
}

/// Takes the agent's events until an instant, oldest first.
pub(super) fn receive_events(state: &mut AppState, agent: &str, at_ms: i64, events: Vec<Event>) {
    if let Some(screen) = state.agent.as_mut().filter(|screen| screen.id == agent) {
        screen.past_events = Some((at_ms, events.into_iter().rev().collect()));
    }
}

/// Takes an answer.
pub(super) fn receive_history(
    state: &mut AppState,
    query: &AgentHistoryQuery,
    result: Result<Box<AgentHistory>, String>,
) {
    if let Some(screen) = &mut state.agent {
        screen.charts.receive(query, result);
    }
}
