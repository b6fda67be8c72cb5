//! Killing and resuming: what the dialog is about, its keys, and the order that comes of it.

use crossterm::event::KeyCode;
use heartline_operator::message::{AgentCommand, AgentEntry};
use heartline_vocabulary::{Action, State as AgentState};

use crate::commands::Command;
use crate::event::Effect;
use crate::keys::Chord;
use crate::look::Role;
use crate::state::{
    Cursor, Dialog, Focus, FocusStep, Order, Overlay, Rights, Scope, Screen, State, Target,
};

/// Opens the dialog on what is marked, or on what the cursor is on.
pub(super) fn open(state: &mut State, command: Command) {
    let action = if command == Command::Kill { Action::Kill } else { Action::Resume };
    if state.link.rights == Rights::Look {
        state.say(Role::Warning, "this connection may look, but not act");
        return;
    }
    let mut targets = targets(state);
    if action == Action::Resume {
        targets.retain(is_resumable);
    }
    if targets.is_empty() {
        let text = match action {
            Action::Kill => "no agent is selected",
            Action::Resume => {
                "nothing here was killed: a stopped agent comes back by its next start"
            }
        };
        state.say(Role::Text, text);
        return;
    }
    let scope = Scope::of(&targets, &state.live.fleet);
    let opened_ms = state.live.now_ms(state.now);
    state.overlay = Some(Overlay::Dialog(Box::new(Dialog::new(action, targets, scope, opened_ms))));
}

/// Killed by a command: an agent that stopped by itself can't be resumed from here.
fn is_resumable(target: &Target) -> bool {
    target.state == AgentState::Killed && target.killed_by.is_some()
}

/// What the dialog is about, always as the live world knows it:
///
/// 1. on the Agent screen, that agent;
/// 2. else all that is marked, whether the filter shows it or not;
/// 3. else all agents of the group that the cursor is on, whether the filter shows them or not;
/// 4. else the agent under the cursor.
fn targets(state: &State) -> Vec<Target> {
    let now_ms = state.now_ms();
    let target = |entry: &AgentEntry| {
        let hidden = state.screen == Screen::Fleet && !state.list.shows(entry, now_ms);
        Target::of(entry, hidden)
    };
    let fleet = &state.live.fleet;
    let on_fleet = state.screen == Screen::Fleet;
    let mut found: Vec<Target> = match &state.list.cursor {
        _ if on_fleet && !state.list.marks.is_empty() => {
            state.list.marks.iter().filter_map(|id| fleet.by_name(id)).map(target).collect()
        }
        Some(Cursor::Group(name)) if on_fleet => {
            let in_group = |entry: &&AgentEntry| state.list.grouping.of(entry) == name;
            fleet.entries().filter(in_group).map(target).collect()
        }
        _ => state.subject().and_then(|id| fleet.by_name(id)).map(target).into_iter().collect(),
    };
    found.sort_by(|a, b| (a.hidden, &a.agent).cmp(&(b.hidden, &b.agent)));
    found
}

/// Keys that the dialog takes itself. Enter on a text field only goes on: it never confirms.
pub(super) fn text_key(dialog: &mut Dialog, chord: Chord) -> Option<Vec<Effect>> {
    let in_field = matches!(dialog.focus, Focus::Reason | Focus::Typed);
    match chord.code {
        KeyCode::Enter if in_field => dialog.step_focus(FocusStep::Next),
        KeyCode::Down => dialog.step_focus(FocusStep::Next),
        KeyCode::Up => dialog.step_focus(FocusStep::Previous),
        KeyCode::Left if !in_field => dialog.step_focus(FocusStep::Previous),
        KeyCode::Right if !in_field => dialog.step_focus(FocusStep::Next),
        KeyCode::PageDown => {
            dialog.scroll = (dialog.scroll + 4).min(dialog.targets.len().saturating_sub(1));
        }
        KeyCode::PageUp => dialog.scroll = dialog.scroll.saturating_sub(4),
        _ => {
            let taken = dialog.field().is_some_and(|field| field.key(chord));
            // A letter typed while a button has the focus means nothing at all.
            return (taken || chord.typed().is_some()).then(Vec::new);
        }
    }
    Some(Vec::new())
}

/// Enter on a button.
pub(super) fn press(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Dialog(dialog)) = &state.overlay else { return Vec::new() };
    match dialog.focus {
        Focus::Cancel => {
            state.overlay = None;
            Vec::new()
        }
        Focus::Confirm if !state.link.is_live() => {
            state.say(Role::Alert, "the link is lost: nothing was ordered");
            Vec::new()
        }
        Focus::Confirm if dialog.ready() => confirm(state),
        Focus::Confirm | Focus::Reason | Focus::Typed => Vec::new(),
    }
}

fn confirm(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Dialog(dialog)) = state.overlay.take() else { return Vec::new() };
    let command = AgentCommand {
        request_id: next_number(&mut state.seed),
        action: dialog.action,
        agents: dialog.targets.iter().map(|target| target.agent.clone()).collect(),
        reason: dialog.reason.text().trim().to_owned(),
        expect: u32::try_from(dialog.targets.len()).ok(),
    };
    state.list.marks.clear();
    state.list.last_mark = None;
    state.orders.push(Order::new(command.clone(), state.now));
    vec![Effect::Order(command)]
}

/// The next number of a sequence without visible order (splitmix64, Steele and others 2014).
fn next_number(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
