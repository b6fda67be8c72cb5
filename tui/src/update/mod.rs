//! How events change the state: the only place where it changes.

mod answer;
mod command;
mod dialog;
mod fleet;
mod keys;
mod link;
mod motion;
mod mouse;
mod overlay;
mod take;
mod transitions;

use heartline_operator::{Filter, FilterError};

use crate::clock::MonoTime;
use crate::event::{Effect, Event};
use crate::layout;
use crate::state::{Behind, Screen, State};

/// Applies one event, and says what is to be done about it.
pub(crate) fn update(state: &mut State, event: Event, now: MonoTime) -> Vec<Effect> {
    state.now = now;
    let effects = match event {
        Event::Key(chord) => touched(state, |state| keys::key(state, chord)),
        Event::Paste(text) => touched(state, |state| keys::paste(state, &text)),
        Event::Mouse(input) => touched(state, |state| mouse::mouse(state, input)),
        Event::Resize(width, height) => touched(state, |state| {
            state.size = (width, height);
            Vec::new()
        }),
        Event::Link(event) => touched(state, |state| link::link(state, event)),
        Event::Answer(answer) => touched(state, |state| answer::answer(state, answer)),
        Event::Exported(result) => touched(state, |state| take::exported(state, result)),
        Event::Tick => tick(state),
        Event::Settle => settle(state),
    };
    follow(state);
    effects
}

fn touched(state: &mut State, change: impl FnOnce(&mut State) -> Vec<Effect>) -> Vec<Effect> {
    state.touch();
    change(state)
}

/// A second has passed: ages grow, notices go, an open agent is asked for anew.
fn tick(state: &mut State) -> Vec<Effect> {
    let now = state.now;
    let expired = state.notice.as_ref().is_some_and(|notice| now >= notice.until);
    if expired {
        state.notice = None;
    }
    let tidied = state.orders.tidy(now);
    let cut_off = !state.link.is_live() || state.link.silent_ms(now).is_some();
    if state.frozen.is_none() || expired || tidied || cut_off {
        state.touch();
    }
    // A filter or an order by age answers differently as time goes by.
    if state.frozen.is_none() {
        let moves = state.list.sort.moves() || state.list.filter.is_some();
        let behind = if moves { Behind::Rows } else { Behind::Sums };
        state.list.behind = state.list.behind.max(behind);
    }
    let asks = state.screen == Screen::Agent && state.link.is_live() && state.frozen.is_none();
    match state.agent.as_mut().filter(|_| asks) {
        Some(pane) if pane.is_due_at(now) => {
            pane.asked_at(now);
            vec![Effect::AskAgent(pane.id.clone())]
        }
        _ => Vec::new(),
    }
}

fn settle(state: &mut State) -> Vec<Effect> {
    match state.list.behind {
        Behind::Nothing => return Vec::new(),
        Behind::Sums => {
            let now_ms = state.now_ms();
            let world = state.frozen.as_deref().unwrap_or(&state.live);
            state.list.sum_up(&world.fleet, now_ms);
        }
        Behind::Rows => rebuild(state),
    }
    state.touch();
    Vec::new()
}

/// Builds the fleet list anew from the world that is shown.
fn rebuild(state: &mut State) {
    let now_ms = state.now_ms();
    let world = state.frozen.as_deref().unwrap_or(&state.live);
    state.list.rebuild(&world.fleet, now_ms);
}

/// Sets the filter of the fleet and of the transitions, as given on the command line.
pub(crate) fn filter_fleet(state: &mut State, text: &str) -> Result<(), FilterError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let filter = Filter::parse(text)?;
    fleet::set_filter(state, Some(filter.clone()), text);
    transitions::set_filter(state, Some(filter), text);
    rebuild(state);
    follow(state);
    Ok(())
}

/// Keeps the cursors on the screen, whatever moved.
fn follow(state: &mut State) {
    let body = layout::regions(state).body;
    let height = usize::from(body.height);
    match state.screen {
        Screen::Fleet => state.list.scroll(height),
        Screen::Transitions => {
            let below = crate::view::lines_below(state, body.width);
            state.transitions.scroll(height.saturating_sub(below));
        }
        Screen::Agent => {}
    }
}
