//! How events change the state: the only place where it changes.

mod agent;
mod alerts;
mod attention;
mod collector;
mod command;
mod dialog;
mod history;
mod keys;
mod lists;
mod navigation;
mod prompt;
mod time_travel;
mod timeline;

use heartline_operator::client::{AccessMode, Greeting, LinkEvent, LinkState};
use heartline_operator::message::{
    AgentCommand, AgentDetail, AlertQuery, AlertReport, CollectorHealth, CommandOutcome,
    EVENTS_MAX, Event, EventQuery, ForgetCommand, NoteCommand, Reply,
};
use heartline_operator::{Filter, FilterError, SubscriptionUpdate};

use heartline_vocabulary::IncidentId;

use crate::clock::MonoTime;
use crate::keys::KeyChord;
use crate::layout::{self, ScreenLayout};
use crate::state::{
    AppState, ConnectionState, HistoryPurpose, HistoryRequest, ListOrder, ListStaleness, MouseMode,
    Overlay, Screen, TimelineFocus,
};
use crate::terminal::CopyOutcome;
use crate::text::strip_unsafe;
use crate::theme::StyleRole;
use crate::timeline_layout::TimelineAreas;

pub(crate) use time_travel::show_instant;

/// Everything that can happen to the program, in one order.
#[derive(Debug)]
pub(crate) enum AppEvent {
    Key(KeyChord),
    /// Pasted text, which is never a command.
    Paste(String),
    Mouse(MouseInput),
    Resize(u16, u16),
    Link(LinkEvent),
    /// A request for an agent's details has ended.
    AgentReceived {
        id: String,
        result: Result<Box<AgentDetail>, String>,
    },
    EventsReceived {
        events: Vec<Event>,
        next: Option<i64>,
    },
    CommandAnswered(CommandOutcome),
    /// The collector did not consider a command.
    CommandRefused {
        request_id: u64,
        why: String,
    },
    /// No answer came to a command; it is sent again once the connection is back.
    CommandUnanswered,
    /// The collector forgot these agents, or why it forgot none.
    ForgetAnswered(Result<Vec<String>, String>),
    /// A question about the past was answered, or why it was not.
    HistoryAnswered {
        purpose: HistoryPurpose,
        result: Result<Reply, String>,
    },
    /// How the collector itself does, or why it did not say so.
    CollectorHealthReceived(Result<Box<CollectorHealth>, String>),
    /// A note is on disk, or why it is not.
    NoteAnswered(Result<(), String>),
    /// A question about alerts was answered, or why it was not.
    AlertsReceived {
        query: AlertQuery,
        result: Result<Box<AlertReport>, String>,
    },
    /// These incidents are acknowledged, and whether that is stored; or why none is.
    AcknowledgementAnswered(Result<(Vec<IncidentId>, bool), String>),
    RequestFailed(String),
    /// A text was handed to the clipboard.
    Copied {
        text: String,
        outcome: CopyOutcome,
    },
    /// An export ended: the message says what was written, or why nothing was.
    Exported(Result<String, String>),
    /// What [`AppState::wake_at`] tells is due.
    Wake,
    /// A second of the collector's time has begun.
    Tick,
    /// The fleet list may be rebuilt, if it is stale.
    RebuildList,
}

/// Mouse input while the mouse is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseInput {
    Click { column: u16, row: u16 },
    ScrollDown,
    ScrollUp,
}

/// Something to do outside the state, besides drawing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AppEffect {
    Exit,
    Suspend,
    Redraw,
    Reconnect,
    RequestAgent(String),
    RequestEvents(EventQuery),
    SendCommand(AgentCommand),
    SendForget(ForgetCommand),
    SendNote(NoteCommand),
    RequestHistory(HistoryRequest),
    RequestCollectorHealth,
    RequestAlerts(AlertQuery),
    SendAcknowledgement(IncidentId),
    CopyToClipboard(String),
    /// Asks the terminal to put text on its clipboard.
    SendToClipboard(String),
    Export(ExportFile),
    SetMouseMode(MouseMode),
    /// Has the terminal ring, and show a line of text.
    Ring(String),
}

/// A file to write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExportFile {
    /// The first part of its name.
    pub stem: &'static str,
    pub format: ExportFormat,
    pub text: String,
    /// Its content, for a person: `12 agents`.
    pub summary: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// One document.
    Json,
    /// One object a line.
    JsonLines,
}

/// Applies an event, and returns what is to be done about it.
#[must_use = "a question that is not asked is waited for without end"]
pub(crate) fn update(state: &mut AppState, event: AppEvent, now: MonoTime) -> Vec<AppEffect> {
    state.now = now;
    if !matches!(event, AppEvent::Tick | AppEvent::Wake | AppEvent::RebuildList) {
        state.mark_changed();
    }
    let mut effects = Vec::new();
    match event {
        AppEvent::Key(chord) => effects = keys::handle_key(state, chord),
        // What is not drawn takes no text.
        AppEvent::Paste(text) if state.is_overlay_drawn() => keys::paste(state, &text),
        AppEvent::Paste(_) | AppEvent::Wake => {}
        // A program before this one may have left reports on.
        AppEvent::Mouse(_) if state.mouse == MouseMode::Terminal => {}
        AppEvent::Mouse(input) => navigation::handle_mouse(state, input),
        AppEvent::Resize(width, height) => {
            state.size = (width, height);
            if list_order(state) != state.list.order {
                rebuild_fleet(state);
            }
            if state.screen == Screen::Timeline {
                let columns = i64::from(time_travel::timeline_columns(state));
                state.timeline.scroll_to(state.cursor_ms(), columns);
            }
        }
        AppEvent::Link(event) => effects = handle_link_event(state, event),
        AppEvent::AgentReceived { id, result } => set_agent_detail(state, &id, result),
        AppEvent::EventsReceived { events, next } => {
            if let (Some(_), Some(oldest)) = (next, events.first()) {
                // More was missed than is shown: what came before the hole is not.
                state.live.events.retain(|event| event.cursor >= oldest.cursor);
            }
            add_events(state, events);
        }
        AppEvent::CommandAnswered(outcome) => {
            state.tracker.record_outcome(&outcome);
            state.tracker.observe(&state.live, &[], state.now);
        }
        AppEvent::CommandRefused { request_id, why } => {
            state.tracker.record_failure(request_id, &why);
            state.tracker.observe(&state.live, &[], state.now);
        }
        AppEvent::CommandUnanswered => state.set_status(
            StyleRole::Warning,
            "no answer yet: the command is sent again once the connection is back",
        ),
        AppEvent::ForgetAnswered(outcome) => dialog::record_forget(state, outcome),
        AppEvent::HistoryAnswered { purpose, result } => {
            history::record_answer(state, purpose, result);
        }
        AppEvent::CollectorHealthReceived(answer) => collector::receive(state, answer),
        AppEvent::NoteAnswered(Ok(())) => {
            state.timeline.outages.is_stale = true;
            state.set_status(StyleRole::Text, "the note is written");
        }
        AppEvent::NoteAnswered(Err(why)) => {
            state.set_status(StyleRole::Alert, format!("the note is not written: {why}"));
        }
        AppEvent::AlertsReceived { query, result } => {
            state.alerts.receive(query, result.map(|report| *report));
        }
        AppEvent::AcknowledgementAnswered(result) => alerts::record_acknowledgement(state, result),
        AppEvent::Copied { text, outcome } => effects.extend(copied(state, text, &outcome)),
        AppEvent::Exported(Ok(written)) => state.set_status(StyleRole::Text, written),
        AppEvent::RequestFailed(why) | AppEvent::Exported(Err(why)) => {
            state.set_status(StyleRole::Alert, why);
        }
        AppEvent::Tick => {
            effects = tick(state).into_iter().collect();
            effects.extend(collector::ask(state));
        }
        AppEvent::RebuildList => rebuild_if_stale(state),
    }
    if state.requests.rests_at.is_some_and(|at| now >= at) {
        state.requests.rests_at = None;
    }
    time_travel::play_on(state);
    if state.screen != Screen::Timeline && state.list.only.is_some() {
        timeline::apply_only_outages(state);
    }
    scroll_to_selection(state);
    effects.extend(history::next_request(state).map(AppEffect::RequestHistory));
    effects.extend(alerts::next_question(state));
    effects.extend(state.bell.next(now).map(AppEffect::Ring));
    effects
}

/// Says what became of a copied text, and sends it to the terminal unless tmux did.
fn copied(state: &mut AppState, text: String, outcome: &CopyOutcome) -> Option<AppEffect> {
    let shown = strip_unsafe(&text);
    let said = match outcome {
        CopyOutcome::InTmux => format!("copied to tmux and its clipboard: {shown}"),
        CopyOutcome::ForTerminal => format!("sent to the terminal's clipboard: {shown}"),
        CopyOutcome::Refused(why) => {
            format!("sent to the terminal's clipboard, as tmux did not take it ({why}): {shown}")
        }
    };
    state.set_status(StyleRole::Text, said);
    (*outcome != CopyOutcome::InTmux).then_some(AppEffect::SendToClipboard(text))
}

/// Ages grow, status messages expire, and the agent of the Agent screen is requested again.
fn tick(state: &mut AppState) -> Option<AppEffect> {
    let now = state.now;
    let is_expired = state.status_message.as_ref().is_some_and(|message| now >= message.until);
    if is_expired {
        state.status_message = None;
    }
    let removed = state.tracker.remove_finished(now);
    state.attention.expire(state.live_ms());
    let is_cut_off = !state.connection.is_live() || state.connection.silent_ms(now).is_some();
    if !state.travel.is_past() || is_expired || removed || is_cut_off {
        state.mark_changed();
    }
    if state.travel.is_past() {
        return None;
    }
    timeline::follow_live(state);
    // A filter or an order by age has other results as time passes.
    let is_time_dependent =
        state.list.sort.is_time_dependent() || state.list.filter.query.is_some();
    let staleness = if is_time_dependent { ListStaleness::Rows } else { ListStaleness::Totals };
    state.list.staleness = state.list.staleness.max(staleness);
    if state.screen != Screen::Agent || !state.connection.is_live() {
        return None;
    }
    let agent = state.agent.as_mut().filter(|agent| agent.is_refresh_due(now))?;
    agent.set_requested(now);
    Some(AppEffect::RequestAgent(agent.id.clone()))
}

fn handle_link_event(state: &mut AppState, event: LinkEvent) -> Vec<AppEffect> {
    if !matches!(event, LinkEvent::State(LinkState::Connecting | LinkState::Lost { .. })) {
        state.connection.last_received = state.now;
    }
    match event {
        LinkEvent::State(LinkState::Live(greeting)) => return set_connected(state, &greeting),
        LinkEvent::State(LinkState::Lost { why, .. }) => state.connection.set_lost(why),
        LinkEvent::State(LinkState::Connecting) => {}
        LinkEvent::RoundTrip(time) => {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            state.connection.round_trip_ms = Some(ms);
        }
        LinkEvent::Update(SubscriptionUpdate::Bell(ring)) => {
            let text = strip_unsafe(&ring.text).into_owned();
            state.set_status(StyleRole::Alert, &*text);
            state.bell.push(text);
        }
        LinkEvent::Update(update) => apply_update(state, update),
    }
    Vec::new()
}

/// Requests the newest events since the last connection, as many as are shown, and sends commands that were never answered again
/// under their request ids.
fn set_connected(state: &mut AppState, greeting: &Greeting) -> Vec<AppEffect> {
    state.connection.state = ConnectionState::Live;
    state.connection.operator = Some(greeting.operator.clone());
    state.connection.access =
        if greeting.may_control { AccessMode::Control } else { AccessMode::View };
    state.live.fleet.begin();
    // It may be another collector, whose ids stand for other agents.
    state.timeline.tiles.clear();
    state.alerts.begin();
    let mut effects = vec![request_events(state.live.events.back().map(|event| event.cursor))];
    effects.extend(state.tracker.unanswered().cloned().map(AppEffect::SendCommand));
    if let Some(agent) = &mut state.agent {
        agent.charts.ask_again();
        effects.push(AppEffect::RequestAgent(agent.id.clone()));
    }
    effects
}

fn request_events(after: Option<i64>) -> AppEffect {
    AppEffect::RequestEvents(EventQuery { after, limit: EVENTS_MAX, ..EventQuery::default() })
}

fn apply_update(state: &mut AppState, update: SubscriptionUpdate) {
    let events = match &update {
        SubscriptionUpdate::Delta(delta) => delta.events.clone(),
        SubscriptionUpdate::Page { .. }
        | SubscriptionUpdate::Resync
        | SubscriptionUpdate::Bell(_) => Vec::new(),
    };
    let staleness = state.live.apply(update, state.now);
    state.tracker.observe(&state.live, &events, state.now);
    attention::take_in(state, &events);
    if !events.is_empty() && state.screen == Screen::Timeline {
        // They may begin or end outages.
        state.timeline.outages.is_stale = true;
        state.requests.record_change(state.now);
    }
    if state.travel.is_past() {
        return;
    }
    if !events.is_empty() {
        lists::rebuild_transitions(state);
    }
    state.list.staleness = state.list.staleness.max(staleness);
    if staleness == ListStaleness::Ids {
        rebuild_fleet(state);
    }
}

fn set_agent_detail(state: &mut AppState, id: &str, result: Result<Box<AgentDetail>, String>) {
    let Some(agent) = state.agent.as_mut().filter(|agent| agent.id == id) else { return };
    match result {
        Ok(detail) => (agent.detail, agent.failure) = (Some(detail), None),
        Err(why) => agent.failure = Some(why),
    }
}

fn add_events(state: &mut AppState, events: Vec<Event>) {
    state.live.add_events(events);
    if !state.travel.is_past() {
        lists::rebuild_transitions(state);
    }
}

fn rebuild_if_stale(state: &mut AppState) {
    let staleness = match state.list.staleness {
        // The rows of the timeline keep their order, as long as they are the same.
        ListStaleness::Rows
            if state.screen == Screen::Timeline
                && state.list.built_of == state.model().fleet.len() =>
        {
            ListStaleness::Totals
        }
        staleness => staleness,
    };
    match staleness {
        ListStaleness::Fresh => return,
        ListStaleness::Totals => {
            let now_ms = state.now_ms();
            let model = state.travel.model_or(&state.live);
            state.list.update_totals(&model.fleet, now_ms);
        }
        ListStaleness::Rows | ListStaleness::Ids => rebuild_fleet(state),
    }
    state.mark_changed();
}

/// Rebuilds the fleet list from the model that is shown.
fn rebuild_fleet(state: &mut AppState) {
    let now_ms = state.now_ms();
    let model = state.travel.model_or(&state.live);
    state.list.order = list_order(state);
    state.list.rebuild(&model.fleet, now_ms);
}

fn list_order(state: &AppState) -> ListOrder {
    match ScreenLayout::of(state.size) {
        ScreenLayout::Full => ListOrder::Chosen,
        ScreenLayout::Compact | ScreenLayout::Counts => ListOrder::WorstFirst,
    }
}

/// Sets the filter of the fleet and of the transitions, as given on the command line.
pub(crate) fn set_initial_filter(state: &mut AppState, text: &str) -> Result<(), FilterError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let query = Filter::parse(text)?;
    state.list.filter.query = Some(query.clone());
    state.transitions.filter.query = Some(query);
    rebuild_fleet(state);
    lists::rebuild_transitions(state);
    scroll_to_selection(state);
    Ok(())
}

/// Keeps the selection of the screen visible.
fn scroll_to_selection(state: &mut AppState) {
    if matches!(state.overlay, Some(Overlay::Help { .. })) {
        let most = crate::view::max_help_scroll(state);
        if let Some(Overlay::Help { scroll }) = &mut state.overlay {
            *scroll = (*scroll).min(most);
        }
    }
    if let Some(Overlay::Collector(view)) = &state.overlay {
        let most = crate::view::max_collector_scroll(state, view);
        if let Some(Overlay::Collector(view)) = &mut state.overlay {
            view.scroll = view.scroll.min(most);
        }
    }
    let body = layout::areas(state).body;
    let height = usize::from(body.height);
    match state.screen {
        Screen::Fleet => state.list.scroll_to_cursor(height),
        Screen::Transitions => {
            let detail_lines = crate::view::selected_event_lines(state, body.width);
            state.transitions.scroll_to_selection(height.saturating_sub(detail_lines));
        }
        Screen::Timeline => {
            let areas = TimelineAreas::of(layout::areas(state).body);
            state.list.scroll_to_cursor(usize::from(areas.rows.height));
            state.timeline.outages.scroll_to_selection(usize::from(areas.outages.height));
            if areas.outages.height == 0 {
                state.timeline.focus = TimelineFocus::Rows;
            }
        }
        Screen::Alerts => alerts::scroll_to_selection(state),
        Screen::Agent => {
            let most = state.agent_rows().saturating_sub(crate::view::agent_list_rows(state, body));
            if let Some(agent) = &mut state.agent {
                agent.scroll = agent.scroll.min(most);
            }
        }
    }
}
