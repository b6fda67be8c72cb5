//! The Timeline screen: cursor, zoom, marks, and the outages below.

use std::collections::BTreeSet;

use heartline_operator::message::{
    AgentHistoryQuery, EventOrder, OUTAGES_MAX, Outage, OutageQuery, Request, TIMELINE_CELL_MAX_MS,
    TimelineQuery,
};
use heartline_operator::time::describe;
use heartline_vocabulary::AgentRowId;

use super::time_travel::{jump_to, return_to_live, show_instant, timeline_columns};
use super::{lists, prompt, rebuild_fleet};
use crate::commands::AppCommand;
use crate::state::{
    AppState, CellMode, FleetRow, HistoryPurpose, HistoryRequest, OutageJump, Screen, SelectedRow,
    TimelineFocus,
};
use crate::theme::StyleRole;

const MINUTE_MS: i64 = 60_000;
/// Cells wider than this show the bad share after a fit: hardly any is without an outage.
const SHARE_CELL_MS: i64 = 6 * 60 * MINUTE_MS;
/// How many outages are looked at for the next one that matches.
const JUMP_PAGE: u32 = 50;

/// Shows the timeline; at an event of the transitions, the instant of that event.
pub(super) fn show(state: &mut AppState, command: AppCommand) {
    if command == AppCommand::TimelineOf
        && state.screen == Screen::Transitions
        && let Some(event) = state.selected_event()
    {
        let (at_ms, agent) = (event.at_ms, event.agent.clone());
        if let Some(agent) = agent {
            state.list.cursor = Some(SelectedRow::Agent(agent));
        }
        if at_ms < state.live_ms() {
            jump_to(state, at_ms);
        }
    } else if state.screen == Screen::Agent
        && let Some(agent) = &state.agent
    {
        state.list.cursor = Some(SelectedRow::Agent(agent.id.clone()));
    }
    state.show(Screen::Timeline);
    rebuild_fleet(state);
    let columns = i64::from(timeline_columns(state));
    state.timeline.scroll_to(state.cursor_ms(), columns);
}

/// Runs a command of the timeline.
pub(super) fn run(state: &mut AppState, command: AppCommand) {
    let columns = i64::from(timeline_columns(state)).max(1);
    match command {
        AppCommand::CursorLeft => move_cursor(state, -1, columns),
        AppCommand::CursorRight => move_cursor(state, 1, columns),
        AppCommand::CursorPageLeft => page(state, -columns / 2),
        AppCommand::CursorPageRight => page(state, columns / 2),
        AppCommand::ZoomIn => zoom(state, -1, columns),
        AppCommand::ZoomOut => zoom(state, 1, columns),
        AppCommand::FitAll => fit_all(state, columns),
        AppCommand::CellMode => {
            state.timeline.style = match state.timeline.style {
                CellMode::Worst => CellMode::Share,
                CellMode::Share => CellMode::Worst,
            };
        }
        AppCommand::CentreOutage => centre_outage(state, columns),
        AppCommand::MarkSpan => mark(state),
        AppCommand::AddNote => prompt::open_note(state, false),
        AppCommand::Acknowledge => prompt::open_note(state, true),
        _ => {}
    }
}

fn move_cursor(state: &mut AppState, cells: i64, columns: i64) {
    let at_ms = state.cursor_ms().saturating_add(cells * state.timeline.cell_ms());
    move_to(state, at_ms);
    state.timeline.scroll_to(state.cursor_ms(), columns);
}

fn page(state: &mut AppState, cells: i64) {
    let distance_ms = cells * state.timeline.cell_ms();
    let at_ms = state.cursor_ms();
    move_to(state, at_ms.saturating_add(distance_ms));
    if state.cursor_ms() != at_ms && state.travel.is_past() {
        state.timeline.left_ms += distance_ms;
    }
    let columns = i64::from(timeline_columns(state));
    state.timeline.scroll_to(state.cursor_ms(), columns);
}

/// Moves the instant, not before the first record; at the end live.
fn move_to(state: &mut AppState, at_ms: i64) {
    let first_ms = state.travel.first_record_ms.unwrap_or(i64::MIN);
    if at_ms < first_ms && state.cursor_ms() <= first_ms {
        let begin = describe(first_ms, &prompt::time_context(state));
        state.set_status(StyleRole::Text, format!("history begins {begin}"));
        return;
    }
    show_instant(state, at_ms.max(first_ms));
}

fn zoom(state: &mut AppState, step: isize, columns: i64) {
    let at_ms = state.cursor_ms();
    state.timeline.zoom_about(at_ms, step);
    state.timeline.scroll_to(at_ms, columns);
}

fn fit_all(state: &mut AppState, columns: i64) {
    let to_ms = state.live_ms();
    let from_ms = state.travel.first_record_ms.unwrap_or(to_ms - 24 * 60 * MINUTE_MS);
    state.timeline.fit(from_ms, to_ms, columns);
    if state.timeline.cell_ms() > SHARE_CELL_MS {
        state.timeline.style = CellMode::Share;
    }
}

/// Shows the outage under the cursor in the middle; if it is there, all of it with some room.
fn centre_outage(state: &mut AppState, columns: i64) {
    let at_ms = state.cursor_ms();
    let Some(outage) = outage_at(state, at_ms).cloned() else {
        state.set_status(StyleRole::Text, "no outage of this agent here: [ ] go to one");
        return;
    };
    let end_ms = outage.end_ms.unwrap_or_else(|| state.live_ms());
    let middle_ms = outage.start_ms + (end_ms - outage.start_ms) / 2;
    let is_centred = state.timeline.column_of(middle_ms).abs_diff(columns / 2) <= 1;
    if is_centred {
        let room_ms = (end_ms - outage.start_ms) / 10;
        state.timeline.fit(outage.start_ms - room_ms, end_ms + room_ms, columns);
    } else {
        state.timeline.centre(middle_ms, columns);
    }
    state.timeline.scroll_to(at_ms, columns);
}

/// Returns the outage of the selected row that a moment is in, or the selected one.
fn outage_at(state: &AppState, at_ms: i64) -> Option<&Outage> {
    let outages = &state.timeline.outages;
    if state.timeline.focus == TimelineFocus::Outages {
        return outages.selected();
    }
    let cell_ms = state.timeline.cell_ms();
    let agent = state.list.selected_agent();
    outages.rows.iter().find(|outage| {
        agent.is_none_or(|agent| outage.agent == agent)
            && outage.start_ms < state.timeline.cell_of(at_ms) + cell_ms
            && outage.end_ms.is_none_or(|end_ms| end_ms >= state.timeline.cell_of(at_ms))
    })
}

/// Sets mark A, then B, then none.
fn mark(state: &mut AppState) {
    let at_ms = state.cursor_ms();
    let (marks, span) = match state.timeline.marks {
        (None, _) => ((Some(at_ms), None), None),
        (Some(from_ms), None) if from_ms != at_ms => {
            ((Some(from_ms), Some(at_ms)), Some((from_ms.min(at_ms), from_ms.max(at_ms))))
        }
        (Some(_), _) => ((None, None), None),
    };
    state.timeline.marks = marks;
    state.timeline.span = None;
    match (marks, span) {
        ((Some(_), None), _) => {
            state
                .set_status(StyleRole::Text, "mark A is set: m sets B, and tells what was between");
        }
        (_, Some((from_ms, to_ms))) => request_span(state, from_ms, to_ms),
        _ => {}
    }
}

/// Takes the marks away. Returns whether there were any.
pub(super) fn clear_marks(state: &mut AppState) -> bool {
    state.timeline.span = None;
    std::mem::take(&mut state.timeline.marks) != (None, None)
}

/// Asks what was between the marks: of the selected agent or group.
fn request_span(state: &mut AppState, from_ms: i64, to_ms: i64) {
    let Some(row) = state.list.rows.get(state.list.at).copied() else { return };
    let cells = (to_ms - from_ms) / TIMELINE_CELL_MAX_MS + 1;
    let query = TimelineQuery {
        from_ms,
        cell_ms: (to_ms - from_ms) / cells,
        cells: u32::try_from(cells).unwrap_or(1),
        rows: vec![agents_of(state, row)],
    };
    let mut agents = BTreeSet::new();
    let name = match row {
        FleetRow::Group(group) => {
            let group = &state.list.groups[group];
            let entries = group.agents.iter().filter_map(|id| state.model().fleet.get(*id));
            agents.extend(entries.map(|entry| entry.agent.clone()));
            group.name.clone()
        }
        FleetRow::Agent { id, .. } => {
            state.listed_agent(id).map_or_else(String::new, |entry| entry.agent.clone())
        }
    };
    let is_agent = matches!(row, FleetRow::Agent { .. });
    let outages = OutageQuery {
        since_ms: Some(from_ms),
        until_ms: Some(to_ms),
        agent: is_agent.then(|| name.clone()),
        limit: OUTAGES_MAX,
        ..OutageQuery::default()
    };
    let work = AgentHistoryQuery {
        agent: name.clone(),
        since_ms: Some(from_ms),
        until_ms: to_ms,
        step_ms: None,
        chart: None,
    };
    let span = HistoryPurpose::Span { from_ms, to_ms, name };
    let mut questions = vec![
        (span, Request::Timeline(query)),
        (HistoryPurpose::SpanOutages { agents }, Request::Outages(outages)),
    ];
    if is_agent {
        questions.push((HistoryPurpose::SpanWork, Request::AgentHistory(work)));
    }
    let questions = questions.into_iter();
    state.requests.span =
        questions.map(|(purpose, request)| HistoryRequest { purpose, request }).collect();
}

/// Returns the agents of a row.
pub(super) fn agents_of(state: &AppState, row: FleetRow) -> Vec<AgentRowId> {
    match row {
        FleetRow::Group(group) => state.list.groups[group].agents.clone(),
        FleetRow::Agent { id, .. } => vec![id],
    }
}

/// Handles Enter: at an outage the instant at which it began, else the fleet as it was.
pub(super) fn open(state: &mut AppState) {
    match state.timeline.focus {
        TimelineFocus::Outages => {
            if let Some(outage) = state.timeline.outages.selected().cloned() {
                go_to_outage(state, &outage);
            }
        }
        TimelineFocus::Rows => {
            state.show(Screen::Fleet);
            rebuild_fleet(state);
            lists::rebuild_transitions(state);
        }
    }
}

/// Shows the instant at which an outage began, and selects its agent.
pub(super) fn go_to_outage(state: &mut AppState, outage: &Outage) {
    select_agent(state, &outage.agent);
    state.timeline.outages.selected = Some(outage.id);
    if let Some(at) = state.timeline.outages.rows.iter().position(|row| row.id == outage.id) {
        state.timeline.outages.select_row(at);
    }
    jump_to(state, outage.start_ms);
    let columns = i64::from(timeline_columns(state));
    state.timeline.centre(outage.start_ms, columns);
}

/// Selects an agent where it stands; only one in a folded group moves rows.
fn select_agent(state: &mut AppState, agent: &str) {
    state.list.cursor = Some(SelectedRow::Agent(agent.to_owned()));
    let fleets = [&state.live.fleet, &state.model().fleet];
    let Some(id) = fleets.iter().find_map(|fleet| fleet.by_name(agent)).map(|entry| entry.id)
    else {
        return;
    };
    match state.list.row_of(id) {
        Some(row) => state.list.at = row,
        None => {
            state.list.folded.clear();
            rebuild_fleet(state);
        }
    }
}

/// Asks for an outage to jump to.
pub(super) fn request_jump(state: &mut AppState, jump: OutageJump, query: OutageQuery) {
    let query = match jump {
        OutageJump::Before(at_ms) => {
            OutageQuery { until_ms: Some(at_ms), order: EventOrder::NewestFirst, ..query }
        }
        OutageJump::After(at_ms) => {
            OutageQuery { since_ms: Some(at_ms), order: EventOrder::OldestFirst, ..query }
        }
        OutageJump::Number(number) => {
            OutageQuery { after: Some(number - 1), before: Some(number.saturating_add(1)), ..query }
        }
    };
    state.requests.jump = Some((jump, OutageQuery { limit: JUMP_PAGE, ..query }));
}

/// Jumps to an outage that was asked for, asks for more of them, or says that there is none.
pub(super) fn finish_jump(
    state: &mut AppState,
    jump: OutageJump,
    query: OutageQuery,
    outages: &[Outage],
    next: Option<i64>,
) {
    let found = match jump {
        OutageJump::Before(at_ms) => {
            outages.iter().filter(|outage| outage.start_ms < at_ms).max_by_key(|it| it.start_ms)
        }
        OutageJump::After(at_ms) => {
            outages.iter().filter(|outage| outage.start_ms > at_ms).min_by_key(|it| it.start_ms)
        }
        OutageJump::Number(number) => outages.iter().find(|outage| outage.id == number),
    };
    if let Some(outage) = found.cloned() {
        if jump == OutageJump::Number(outage.id) && state.screen != Screen::Timeline {
            state.list.cursor = Some(SelectedRow::Agent(outage.agent.clone()));
            jump_to(state, outage.start_ms);
        } else {
            go_to_outage(state, &outage);
        }
        return;
    }
    if let Some(next) = next {
        state.requests.jump = Some((jump, query.following(next)));
        return;
    }
    let begin = state.travel.first_record_ms.map_or_else(String::new, |first_ms| {
        format!("; history begins {}", describe(first_ms, &prompt::time_context(state)))
    });
    let text = match jump {
        OutageJump::Before(_) => format!("no earlier outage{begin}"),
        OutageJump::After(_) => "no later outage".to_owned(),
        OutageJump::Number(number) => format!("there is no outage {number}"),
    };
    state.set_status(StyleRole::Text, text);
}

/// Keeps the newest cell in view while live.
pub(super) fn follow_live(state: &mut AppState) {
    if state.screen == Screen::Timeline && !state.travel.is_past() {
        let columns = i64::from(timeline_columns(state));
        state.timeline.scroll_to(state.live_ms(), columns);
    }
}

/// Shows only rows with an outage in the window, or all again.
pub(super) fn toggle_only_outages(state: &mut AppState) {
    state.timeline.is_only_outages ^= true;
    apply_only_outages(state);
}

/// Limits the rows to those with an outage in the window, where that is wanted.
pub(super) fn apply_only_outages(state: &mut AppState) {
    let is_wanted = state.screen == Screen::Timeline && state.timeline.is_only_outages;
    let only = is_wanted.then(|| state.timeline.outages.agents());
    if state.list.only != only {
        state.list.only = only;
        rebuild_fleet(state);
    }
}

/// Returns to live; the window follows.
pub(super) fn go_live(state: &mut AppState) {
    return_to_live(state);
    follow_live(state);
}
