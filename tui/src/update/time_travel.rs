//! Going to an instant of the past, and back.

use heartline_operator::message::{OutageQuery, PastFleet};
use heartline_operator::time::describe;

use super::{AppEffect, lists, prompt, rebuild_fleet, timeline};
use crate::commands::AppCommand;
use crate::keys::{KeyChord, KeyCode};
use crate::layout;
use crate::state::{AppState, FleetModel, OutageJump, Play, Screen};
use crate::theme::StyleRole;
use crate::timeline_layout::TimelineAreas;

/// Runs a command that moves the instant.
pub(super) fn run(state: &mut AppState, command: AppCommand) -> Vec<AppEffect> {
    match command {
        AppCommand::GoTo => prompt::open_go_to(state),
        AppCommand::Live => return_to_live(state),
        AppCommand::Freeze if state.travel.is_past() => return_to_live(state),
        AppCommand::Freeze => {
            state.travel.push_jump();
            state.travel.freeze(&state.live, state.now);
            show_past(state);
        }
        AppCommand::JumpBack => jump_back(state),
        AppCommand::RepeatJump => match state.travel.last_distance_ms {
            Some(distance_ms) => jump_to(state, state.cursor_ms().saturating_add(distance_ms)),
            None => {
                state.set_status(StyleRole::Text, "there was no jump to repeat: @ goes to a time");
            }
        },
        AppCommand::Play => {
            if state.travel.is_past() {
                state.travel.play = Some(Play::start(state.now));
                say_speed(state);
            } else {
                state.set_status(StyleRole::Text, "live is now: go back in time first, then play");
            }
        }
        AppCommand::PreviousOutage
        | AppCommand::NextOutage
        | AppCommand::PreviousOutageOfAny
        | AppCommand::NextOutageOfAny => seek_outage(state, command),
        _ => {}
    }
    Vec::new()
}

/// Shows an instant on all screens, and notes where the jump came from.
pub(super) fn jump_to(state: &mut AppState, at_ms: i64) {
    let distance_ms = at_ms.saturating_sub(state.cursor_ms());
    let refused = match state.travel.first_record_ms {
        Some(first_ms) if at_ms < first_ms => {
            Some(format!("history begins {}", describe(first_ms, &prompt::time_context(state))))
        }
        _ => None,
    };
    if let Some(why) = refused {
        state.set_status(StyleRole::Warning, why);
        return;
    }
    state.travel.push_jump();
    state.travel.last_distance_ms = Some(distance_ms);
    show_instant(state, at_ms);
    let columns = i64::from(timeline_columns(state));
    let column = state.timeline.column_of(state.cursor_ms());
    if !(0..columns).contains(&column) {
        state.timeline.centre(state.cursor_ms(), columns);
    }
}

/// Shows an instant on all screens; from now on live.
pub(crate) fn show_instant(state: &mut AppState, at_ms: i64) {
    if at_ms >= state.live_ms() {
        return_to_live(state);
        return;
    }
    state.travel.set_instant(at_ms, &state.live, state.now);
    state.requests.record_motion(state.now);
    show_past(state);
}

/// Shows what is live.
pub(super) fn return_to_live(state: &mut AppState) {
    if state.travel.is_past() {
        state.travel.return_to_live();
        rebuild_fleet(state);
        lists::rebuild_transitions(state);
    }
}

fn show_past(state: &mut AppState) {
    if state.screen != Screen::Timeline {
        rebuild_fleet(state);
        lists::rebuild_transitions(state);
    }
}

fn jump_back(state: &mut AppState) {
    match state.travel.pop_jump() {
        Some(Some(at_ms)) => {
            show_instant(state, at_ms);
            let columns = i64::from(timeline_columns(state));
            state.timeline.scroll_to(at_ms, columns);
        }
        Some(None) => return_to_live(state),
        None => state.set_status(StyleRole::Text, "there was no jump to go back from"),
    }
}

/// Asks for the outage before or after the instant.
fn seek_outage(state: &mut AppState, command: AppCommand) {
    let at_ms = state.cursor_ms();
    let of_any = matches!(command, AppCommand::PreviousOutageOfAny | AppCommand::NextOutageOfAny);
    let is_before = matches!(command, AppCommand::PreviousOutage | AppCommand::PreviousOutageOfAny);
    let agent = state.current_agent().map(str::to_owned);
    if !of_any && agent.is_none() {
        state.set_status(StyleRole::Text, "no agent is selected: { } go to an outage of any");
        return;
    }
    let filter = state.list.filter.text();
    let query = OutageQuery {
        agent: agent.filter(|_| !of_any),
        filter: if of_any { filter.to_owned() } else { String::new() },
        ..OutageQuery::default()
    };
    let jump = if is_before { OutageJump::Before(at_ms) } else { OutageJump::After(at_ms) };
    timeline::request_jump(state, jump, query);
}

/// Shows the fleet of an instant, which has come.
pub(super) fn show_fleet(state: &mut AppState, at_ms: i64, fleet: &PastFleet) {
    let model = FleetModel::of_past(fleet, &state.live);
    if !state.travel.show_fleet(at_ms, model) {
        return;
    }
    // The rows of the timeline keep their order while the cursor moves.
    if state.screen != Screen::Timeline {
        rebuild_fleet(state);
    }
    lists::rebuild_transitions(state);
}

/// Moves a played past on, when that is due.
pub(super) fn play_on(state: &mut AppState) {
    let Some(play) = state.travel.play.as_mut().filter(|play| state.now >= play.due) else {
        return;
    };
    play.record_step(state.now);
    let step_ms = play.step_ms();
    // A fleet that is not loaded yet is waited for: frames are skipped, never queued.
    if state.screen != Screen::Timeline && state.travel.missing_fleet_ms().is_some() {
        return;
    }
    show_instant(state, state.cursor_ms().saturating_add(step_ms));
    let columns = i64::from(timeline_columns(state));
    state.timeline.scroll_to(state.cursor_ms(), columns);
    if !state.travel.is_past() {
        state.set_status(StyleRole::Text, "played up to now: this is live");
    }
    state.mark_changed();
}

/// Handles a key while the past is played: it changes the speed, or stops. Returns whether that was all.
pub(super) fn is_stopped_by(state: &mut AppState, chord: KeyChord) -> bool {
    let Some(play) = &mut state.travel.play else { return false };
    match chord.code {
        KeyCode::Char('+' | '=') => play.faster(),
        KeyCode::Char('-') => play.slower(),
        _ => {
            state.travel.play = None;
            // A key that stops does nothing else, unless it ends the program.
            return !(chord.ctrl && matches!(chord.code, KeyCode::Char('c' | 'z')));
        }
    }
    say_speed(state);
    true
}

fn say_speed(state: &mut AppState) {
    if let Some(play) = state.travel.play {
        let text =
            format!("playing at {}x: + faster, - slower, any other key stops", play.factor());
        state.set_status(StyleRole::Text, text);
    }
}

/// Returns the cells of a row of the timeline.
pub(super) fn timeline_columns(state: &AppState) -> u16 {
    let mut areas = layout::areas(state);
    if state.screen != Screen::Timeline {
        areas.body.width = state.size.0;
    }
    TimelineAreas::of(areas.body).cells
}
