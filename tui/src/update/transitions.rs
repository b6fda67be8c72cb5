//! The list of events: its filter and its rows.

use heartline_operator::Filter;

use crate::look::Role;
use crate::state::{Follow, Screen, Shown, State};

pub(super) fn rebuild(state: &mut State) {
    let now_ms = state.now_ms();
    let world = state.frozen.as_deref().unwrap_or(&state.live);
    state.transitions.rebuild(world, now_ms);
}

pub(super) fn toggle_bad(state: &mut State) {
    state.transitions.shown = match state.transitions.shown {
        Shown::All => Shown::BadOnly,
        Shown::BadOnly => Shown::All,
    };
    rebuild(state);
}

pub(super) fn set_filter(state: &mut State, filter: Option<Filter>, text: &str) {
    state.transitions.filter = filter;
    text.clone_into(&mut state.transitions.filter_text);
    rebuild(state);
}

/// Shows all events again. Returns whether any filter was on.
pub(super) fn clear_filter(state: &mut State) -> bool {
    let was_on = state.transitions.filter.is_some() || state.transitions.shown == Shown::BadOnly;
    state.transitions.shown = Shown::All;
    set_filter(state, None, "");
    was_on
}

/// Shows the events of the agent that the screen is about.
pub(super) fn of_subject(state: &mut State) {
    let Some(id) = state.subject() else {
        state.say(Role::Text, "no agent is selected");
        return;
    };
    let text = format!("agent={id}");
    // An id has only letters, digits, dots and dashes, so this is always a filter.
    if let Ok(filter) = Filter::parse(&text) {
        state.show(Screen::Transitions);
        state.transitions.follow = Follow::Newest;
        set_filter(state, Some(filter), &text);
    }
}
