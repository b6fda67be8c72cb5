//! Copying and exporting: what leaves the screen as text.

use heartline_operator::json;

use crate::commands::Command;
use crate::event::Effect;
use crate::look::{Role, clean};
use crate::state::{Screen, State};

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    if command == Command::Export {
        return export(state);
    }
    let text = match command {
        Command::CopyId => state.subject().map(str::to_owned),
        _ => row_as_json(state),
    };
    let Some(text) = text else {
        state.say(Role::Text, "there is nothing to copy here");
        return Vec::new();
    };
    state.say(Role::Text, format!("copied {}", clean(&text)));
    vec![Effect::Copy(text)]
}

fn row_as_json(state: &State) -> Option<String> {
    if state.screen == Screen::Transitions {
        return state.selected_event().map(|event| json::line(&json::event(event)));
    }
    let entry = state.world().agent(state.subject()?)?;
    let collector = state.world().collector()?;
    Some(json::line(&json::status([entry], collector, state.now_ms())))
}

fn export(state: &State) -> Vec<Effect> {
    let (stem, lines) = match state.screen {
        Screen::Fleet => ("fleet", fleet_lines(state)),
        Screen::Transitions => ("events", event_lines(state)),
        Screen::Agent => ("agent-events", agent_lines(state)),
    };
    vec![Effect::Export { stem, lines }]
}

/// The agents that the filter shows, also those in folded groups, as `heartline status --json`.
fn fleet_lines(state: &State) -> Vec<String> {
    let (world, now_ms) = (state.world(), state.now_ms());
    let shown = world.fleet.entries().filter(|entry| state.list.shows(entry, now_ms));
    let document = |collector| json::line(&json::status(shown, collector, now_ms));
    world.collector().map(document).into_iter().collect()
}

fn event_lines(state: &State) -> Vec<String> {
    let rows = state.transitions.rows.iter();
    rows.filter_map(|cursor| state.event(*cursor))
        .map(|event| json::line(&json::event(event)))
        .collect()
}

fn agent_lines(state: &State) -> Vec<String> {
    let detail = state.agent.as_ref().and_then(|pane| pane.detail.as_ref());
    let events = detail.map(|detail| detail.events.iter().rev()).into_iter().flatten();
    events.map(|event| json::line(&json::event(event))).collect()
}

pub(super) fn exported(state: &mut State, result: Result<String, String>) -> Vec<Effect> {
    match result {
        Ok(text) => state.say(Role::Text, text),
        Err(why) => state.say(Role::Alert, why),
    }
    Vec::new()
}
