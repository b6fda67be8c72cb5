//! Questions about the past, one at a time: what is asked next, and what an answer changes.

use heartline_operator::message::{
    EVENTS_MAX, EventOrder, EventQuery, Outage, OutageQuery, Reply, Request, TimelineCell,
    TimelineQuery, TimelineRow,
};

use super::{agent, lists, prompt, time_travel, timeline};
use crate::layout;
use crate::state::{
    AppState, FleetRow, HistoryPurpose, HistoryRequest, OutageWindow, Overlay, Screen, SpanSummary,
    TILE_CELLS, TilePlace, TimelineRowKey,
};
use crate::theme::StyleRole;
use crate::timeline_layout::TimelineAreas;

/// The most outages in the table.
const OUTAGES: u32 = 500;
/// The most rows in one question.
const ROWS: usize = 64;
/// The most agents whose past is asked for with its work at once.
const FLEET_WITH_WORK: usize = 1_000;

/// Returns the next question, and notes that it is under way.
pub(super) fn next_request(state: &mut AppState) -> Option<HistoryRequest> {
    if !state.connection.is_live() || !state.requests.is_free(state.now) {
        return None;
    }
    let request = wanted(state)
        .or_else(|| shown(state))
        .or_else(|| agent::chart_question(state))
        .or_else(|| agent::events_question(state))
        .or_else(|| timeline_page(state))?;
    state.requests.under_way = true;
    Some(request)
}

/// Returns what the operator has asked for.
fn wanted(state: &mut AppState) -> Option<HistoryRequest> {
    if let Some((jump, query)) = state.requests.jump.take() {
        let request = Request::Outages(query.clone());
        return Some(HistoryRequest { purpose: HistoryPurpose::Jump(jump, query), request });
    }
    if let Some(at_ms) = state.requests.echo_ms.take() {
        let is_open = matches!(state.overlay, Some(Overlay::Prompt(_)));
        if is_open {
            let purpose = HistoryPurpose::Echo { at_ms };
            return Some(HistoryRequest { purpose, request: Request::Moment { at_ms } });
        }
    }
    state.requests.span.pop_front()
}

/// Returns what the screen lacks of the instant that it shows.
fn shown(state: &AppState) -> Option<HistoryRequest> {
    if state.screen == Screen::Timeline {
        return None;
    }
    if let Some(request) = past_fleet(state) {
        return Some(request);
    }
    let at_ms = state.travel.missing_events_ms().filter(|_| state.screen == Screen::Transitions)?;
    let query = EventQuery {
        until_ms: Some(at_ms + 1),
        limit: EVENTS_MAX,
        order: EventOrder::NewestFirst,
        ..EventQuery::default()
    };
    let purpose = HistoryPurpose::Events { at_ms };
    Some(HistoryRequest { purpose, request: Request::Events(query) })
}

/// Returns the question for what is not there of the fleet of the instant: that of a large one comes without its
/// work first, and with it once the cursor rests.
fn past_fleet(state: &AppState) -> Option<HistoryRequest> {
    let is_small = state.live.fleet.len() <= FLEET_WITH_WORK;
    let missing = state.travel.missing_fleet_ms().map(|at_ms| (at_ms, is_small));
    let missing_work = || {
        let at_ms = state.travel.missing_work_ms()?;
        state.requests.is_resting(state.now).then_some((at_ms, true))
    };
    let (at_ms, with_work) = missing.or_else(missing_work)?;
    let request = Request::Past { at_ms, filter: String::new(), with_work };
    Some(HistoryRequest { purpose: HistoryPurpose::Fleet { at_ms }, request })
}

/// Returns cells that are in the window, the fleet of the instant, the outages of the window, or cells next to it.
fn timeline_page(state: &AppState) -> Option<HistoryRequest> {
    if state.screen != Screen::Timeline {
        return None;
    }
    let areas = TimelineAreas::of(layout::areas(state).body);
    let (height, cells) = (usize::from(areas.rows.height), i64::from(areas.cells));
    let cell_ms = state.timeline.cell_ms();
    let first = TilePlace::of(state.timeline.left_ms, cell_ms);
    let last = TilePlace::of(state.timeline.left_ms + (cells - 1).max(0) * cell_ms, cell_ms);
    let in_window = || (first.index..=last.index).map(|index| TilePlace { cell_ms, index });
    let rows = |from: usize, count: usize| {
        let rows = state.list.rows.iter().copied();
        rows.skip(from).take(count).collect::<Vec<FleetRow>>()
    };
    let mut visible = rows(state.list.offset, height);
    visible.extend(state.list.pinned_group().map(FleetRow::Group));
    if let Some(page) = in_window().find_map(|place| tiles_page(state, place, &visible)) {
        return Some(page);
    }
    // A key that is held would ask for the whole fleet at each step.
    if state.requests.is_resting(state.now) {
        let others = past_fleet(state).or_else(|| outages_page(state, cells * cell_ms));
        if others.is_some() {
            return others;
        }
    }
    if !state.requests.prefetch {
        return None;
    }
    let around = [first.neighbour(-1), last.neighbour(1)];
    let above = rows(state.list.offset.saturating_sub(height), height);
    let below = rows(state.list.offset + height, height);
    around
        .into_iter()
        .find_map(|place| tiles_page(state, place, &visible))
        .or_else(|| in_window().find_map(|place| tiles_page(state, place, &below)))
        .or_else(|| in_window().find_map(|place| tiles_page(state, place, &above)))
}

/// Returns the question for the cells of these rows that are not there.
fn tiles_page(state: &AppState, place: TilePlace, rows: &[FleetRow]) -> Option<HistoryRequest> {
    let (now_ms, tiles) = (state.live_ms(), &state.timeline.tiles);
    let key = |row: &FleetRow| state.list.timeline_row(*row);
    let mut missing: Vec<FleetRow> = Vec::new();
    for row in rows.iter().filter(|row| tiles.is_needed(place, key(row), now_ms)) {
        if missing.len() < ROWS && !missing.contains(row) {
            missing.push(*row);
        }
    }
    if missing.is_empty() && !tiles.is_needed(place, TimelineRowKey::Collector, now_ms) {
        return None;
    }
    let query = TimelineQuery {
        from_ms: place.begin_ms(),
        cell_ms: place.cell_ms,
        cells: TILE_CELLS as u32,
        rows: missing.iter().map(|row| timeline::agents_of(state, *row)).collect(),
    };
    let purpose = HistoryPurpose::Tiles { place, rows: missing.iter().map(key).collect() };
    Some(HistoryRequest { purpose, request: Request::Timeline(query) })
}

/// Returns the question for the outages in the window, if they are not there.
fn outages_page(state: &AppState, length_ms: i64) -> Option<HistoryRequest> {
    let (from_ms, to_ms) = (state.timeline.left_ms, state.timeline.left_ms + length_ms);
    let window = OutageWindow { from_ms, to_ms, filter: state.list.filter.text().to_owned() };
    let outages = &state.timeline.outages;
    if outages.window.as_ref() == Some(&window) && !outages.is_stale {
        return None;
    }
    let query = OutageQuery {
        since_ms: Some(from_ms),
        until_ms: Some(to_ms),
        limit: OUTAGES,
        order: EventOrder::NewestFirst,
        filter: window.filter.clone(),
        ..OutageQuery::default()
    };
    let purpose = HistoryPurpose::Outages(window);
    Some(HistoryRequest { purpose, request: Request::Outages(query) })
}

/// Takes the answer to a question.
pub(super) fn record_answer(
    state: &mut AppState,
    purpose: HistoryPurpose,
    result: Result<Reply, String>,
) {
    state.requests.record_end(result.is_err(), state.now);
    match (purpose, result) {
        (HistoryPurpose::Echo { .. }, Ok(Reply::Moment(moment))) => {
            prompt::describe_moment(state, &moment);
        }
        (HistoryPurpose::Jump(jump, query), Ok(Reply::Outages { outages, next })) => {
            timeline::finish_jump(state, jump, query, &outages, next);
        }
        (HistoryPurpose::Fleet { at_ms }, Ok(Reply::Past(fleet))) => {
            time_travel::show_fleet(state, at_ms, &fleet);
        }
        (HistoryPurpose::Events { at_ms }, Ok(Reply::Events { events, .. })) => {
            if state.travel.show_events(at_ms, events) {
                lists::rebuild_transitions(state);
            }
        }
        (HistoryPurpose::Span { from_ms, to_ms, name }, Ok(Reply::Timeline(timeline))) => {
            let mut cell = TimelineCell::default();
            timeline.rows.iter().flat_map(TimelineRow::cells).for_each(|part| cell.add(&part));
            state.timeline.span =
                Some(SpanSummary { from_ms, to_ms, name, cell, work: None, outages: None });
        }
        (HistoryPurpose::SpanWork, Ok(Reply::AgentHistory(history))) => {
            if let Some(span) = &mut state.timeline.span {
                let total = &history.total;
                span.work = Some((total.ok, total.failed, total.latency));
            }
        }
        (HistoryPurpose::SpanOutages { agents }, Ok(Reply::Outages { outages, .. })) => {
            let counts = |outage: &&Outage| agents.is_empty() || agents.contains(&outage.agent);
            if let Some(span) = &mut state.timeline.span {
                span.outages = Some(outages.iter().filter(counts).count());
            }
        }
        (HistoryPurpose::Tiles { place, rows }, Ok(Reply::Timeline(answer))) => {
            state.travel.first_record_ms = answer.first_ms;
            state.timeline.failure = None;
            state.timeline.clock_steps = answer.clock_steps;
            let now_ms = answer.now_ms;
            for (key, row) in rows.into_iter().zip(answer.rows) {
                state.timeline.tiles.insert(place, key, row, now_ms);
            }
            let collector = TimelineRowKey::Collector;
            state.timeline.tiles.insert(place, collector, answer.collector, now_ms);
        }
        (HistoryPurpose::Outages(window), Ok(Reply::Outages { outages, next })) => {
            state.timeline.outages.set(outages, next.is_some(), window);
            timeline::apply_only_outages(state);
        }
        (HistoryPurpose::AgentCharts(query), Ok(Reply::AgentHistory(history))) => {
            agent::receive_history(state, &query, Ok(history));
        }
        (HistoryPurpose::AgentEvents { agent, at_ms }, Ok(Reply::Events { events, .. })) => {
            agent::receive_events(state, &agent, at_ms, events);
        }
        (purpose, Ok(_)) => fail(state, &purpose, "unexpected reply from the collector"),
        (purpose, Err(why)) => fail(state, &purpose, &why),
    }
}

/// Says that an answer did not come; what is shown is asked for again.
fn fail(state: &mut AppState, purpose: &HistoryPurpose, why: &str) {
    match purpose {
        HistoryPurpose::Tiles { .. } | HistoryPurpose::Outages(_) => {
            state.timeline.failure = Some(why.to_owned());
        }
        // Before the first record there is no fleet to wait for.
        HistoryPurpose::Fleet { .. } => {
            state.set_status(StyleRole::Alert, why);
            if why.contains("history begins") {
                timeline::go_live(state);
            }
        }
        HistoryPurpose::AgentCharts(query) => {
            agent::receive_history(state, query, Err(why.to_owned()));
        }
        // Work is not kept for ever in such short steps; the rest of the summary stands.
        HistoryPurpose::SpanWork => {}
        _ => state.set_status(StyleRole::Alert, why),
    }
}
