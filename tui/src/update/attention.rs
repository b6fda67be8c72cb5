//! New failures: they are announced, ring, and are found again by a key.

use heartline_operator::message::Event;

use super::{lists, rebuild_fleet, time_travel};
use crate::commands::AppCommand;
use crate::state::{AppState, GroupBy, Screen, SelectedRow};
use crate::theme::StyleRole;

/// Announces the failures among events that have just come.
pub(super) fn take_in(state: &mut AppState, events: &[Event]) {
    let new = state.attention.take_in(events);
    state.attention.expire(state.live_ms());
    if !state.attention.rings {
        return;
    }
    for announcement in new {
        state.bell.push(format!("{} is {}", announcement.agent, announcement.state.name()));
    }
}

/// Shows the agent that fell into trouble last, on the fleet screen, whatever filter, fold or moment hid it.
pub(super) fn show_newest(state: &mut AppState) {
    if state.travel.is_past() {
        let _live = time_travel::run(state, AppCommand::Live);
    }
    let announced = state.attention.newest().map(|(it, _)| it.agent.clone());
    let Some(name) = announced.or_else(|| newest_in_trouble(state)) else {
        state.set_status(StyleRole::Text, "no agent is in trouble");
        return;
    };
    state.show(Screen::Fleet);
    let now_ms = state.now_ms();
    let Some(entry) = state.live.agent(&name) else { return };
    let group = state.list.group_by().group_of(entry).to_owned();
    let is_hidden = !state.list.shows(entry, now_ms);
    if is_hidden {
        lists::clear_filter(state);
        state.list.only = None;
        state.set_status(StyleRole::Text, format!("the filter is off, as it hid {name}"));
    }
    if state.list.group_by() != GroupBy::None {
        state.list.folded.remove(&group);
    }
    state.list.cursor = Some(SelectedRow::Agent(name));
    rebuild_fleet(state);
}

/// Returns the agent whose trouble is the youngest.
fn newest_in_trouble(state: &AppState) -> Option<String> {
    let in_trouble = state.live.fleet.entries().filter(|entry| entry.vitals.state.is_trouble());
    in_trouble.max_by_key(|entry| entry.vitals.since_ms).map(|entry| entry.agent.clone())
}
