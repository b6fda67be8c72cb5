//! What each command does, on the screen it is given on.

use super::{dialog, fleet, motion, overlay, rebuild, take, transitions};
use crate::commands::Command;
use crate::event::Effect;
use crate::look::Role;
use crate::state::{
    AgentPane, FocusStep, MouseMode, Overlay, Palette, Pane, PickerKind, Screen, State, ZoneChoice,
};

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Exit => return vec![Effect::Exit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Reconnect => return vec![Effect::Reconnect],
        Command::Quit => return quit(state),
        Command::Back => return back(state),
        Command::Open => return open(state),
        Command::ShowAgent => return show_agent(state),
        Command::CopyId | Command::CopyRow | Command::Export => return take::run(state, command),
        Command::Mouse => return mouse(state),
        Command::ShowFleet => state.show(Screen::Fleet),
        Command::ShowTransitions => {
            state.show(Screen::Transitions);
            transitions::rebuild(state);
        }
        Command::Help => state.overlay = Some(Overlay::Help { scroll: 0 }),
        Command::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        Command::Freeze => freeze(state),
        Command::Utc => {
            state.zone = match state.zone {
                ZoneChoice::Utc => ZoneChoice::Local,
                ZoneChoice::Local => ZoneChoice::Utc,
            };
        }
        Command::Expand => expand(state),
        Command::NextPane => pane(state, FocusStep::Next),
        Command::PreviousPane => pane(state, FocusStep::Previous),
        Command::Log => transitions::of_subject(state),
        Command::Kill | Command::Resume => dialog::open(state, command),
        Command::Filter => overlay::edit_filter(state),
        Command::Bad => bad_only(state),
        Command::Sort => overlay::pick(state, PickerKind::Sort),
        Command::Columns => overlay::pick(state, PickerKind::Columns),
        Command::NextMatch | Command::PreviousMatch => motion::match_step(state, command),
        Command::SortLeft
        | Command::SortRight
        | Command::Invert
        | Command::Group
        | Command::FoldOpen
        | Command::FoldClose
        | Command::FoldAll
        | Command::Mark
        | Command::MarkRange
        | Command::MarkAll
        | Command::Unmark => fleet::run(state, command),
        Command::Down
        | Command::Up
        | Command::Top
        | Command::Bottom
        | Command::HalfDown
        | Command::HalfUp
        | Command::PageDown
        | Command::PageUp => motion::run(state, command),
    }
    Vec::new()
}

/// Back; from the fleet, out.
fn quit(state: &mut State) -> Vec<Effect> {
    if state.overlay.take().is_some() {
        return Vec::new();
    }
    match state.back.pop() {
        Some(_) if state.screen == Screen::Fleet => vec![Effect::Exit],
        Some(screen) => {
            state.screen = screen;
            Vec::new()
        }
        None => vec![Effect::Exit],
    }
}

/// Closes, clears, or goes back, whichever comes first. Never leaves the program.
fn back(state: &mut State) -> Vec<Effect> {
    if state.overlay.take().is_some() {
        return Vec::new();
    }
    if state.expanded || state.agent.as_ref().is_some_and(|pane| pane.expanded) {
        state.expanded = false;
        if let Some(pane) = &mut state.agent {
            pane.expanded = false;
        }
        return Vec::new();
    }
    let cleared = match state.screen {
        Screen::Fleet => fleet::clear_filter(state),
        Screen::Transitions => transitions::clear_filter(state),
        Screen::Agent => false,
    };
    if cleared {
        return Vec::new();
    }
    if state.screen == Screen::Fleet {
        state.notice = None;
        state.orders.dismiss_all();
    } else {
        state.screen = state.back.pop().unwrap_or_default();
    }
    Vec::new()
}

/// What Enter does: on a group it folds, on a row it opens the agent, on a button it presses.
fn open(state: &mut State) -> Vec<Effect> {
    match &state.overlay {
        Some(Overlay::Dialog(_)) => return dialog::press(state),
        Some(Overlay::Picker(_)) => return overlay::picked(state),
        Some(Overlay::Help { .. } | Overlay::Palette(_) | Overlay::Filter(_)) => return Vec::new(),
        None => {}
    }
    if state.screen == Screen::Agent {
        expand(state);
        return Vec::new();
    }
    if state.screen == Screen::Fleet && fleet::toggle_group(state) {
        return Vec::new();
    }
    show_agent(state)
}

fn show_agent(state: &mut State) -> Vec<Effect> {
    if state.screen == Screen::Agent {
        return Vec::new();
    }
    let Some(id) = state.subject().map(str::to_owned) else {
        state.say(Role::Text, "no agent is selected");
        return Vec::new();
    };
    let mut pane = AgentPane::of(id.clone());
    pane.asked_at(state.now);
    state.agent = Some(pane);
    state.show(Screen::Agent);
    vec![Effect::AskAgent(id)]
}

fn mouse(state: &mut State) -> Vec<Effect> {
    let (mode, text) = match state.mouse {
        MouseMode::Terminal => {
            (MouseMode::Captured, "the mouse scrolls and selects rows; M gives it back")
        }
        MouseMode::Captured => (MouseMode::Terminal, "the mouse is the terminal's: drag to copy"),
    };
    state.mouse = mode;
    state.say(Role::Text, text);
    vec![Effect::Mouse(mode)]
}

/// Holds a copy of the world still, or lets the live one back in.
fn freeze(state: &mut State) {
    state.frozen = match state.frozen.take() {
        Some(_) => None,
        None => Some(Box::new(state.live.frozen_at(state.now))),
    };
    rebuild(state);
    transitions::rebuild(state);
}

fn expand(state: &mut State) {
    match (state.screen, &mut state.agent) {
        (Screen::Fleet, _) => state.expanded = !state.expanded && state.list.selected().is_some(),
        (Screen::Agent, Some(pane)) => pane.expanded = !pane.expanded,
        _ => {}
    }
}

fn pane(state: &mut State, step: FocusStep) {
    if let Some(Overlay::Dialog(dialog)) = &mut state.overlay {
        dialog.step_focus(step);
    } else if let Some(pane) = &mut state.agent {
        pane.scroll = 0;
        pane.focus = match pane.focus {
            Pane::Events => Pane::Sessions,
            Pane::Sessions => Pane::Events,
        };
    }
}

fn bad_only(state: &mut State) {
    match state.screen {
        Screen::Fleet => fleet::toggle_bad(state),
        Screen::Transitions => transitions::toggle_bad(state),
        Screen::Agent => {}
    }
}
