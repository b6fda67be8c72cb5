//! Copying and exporting: what leaves the screen as text.

use heartline_operator::json;
use heartline_operator::message::Event;

use crate::commands::Command;
use crate::event::{Effect, Export, ExportFormat};
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

fn export(state: &mut State) -> Vec<Effect> {
    let export = match state.screen {
        Screen::Fleet => fleet(state),
        Screen::Transitions => {
            let rows = state.transitions.rows.iter();
            events("events", rows.filter_map(|cursor| state.event(*cursor)))
        }
        Screen::Agent => {
            let detail = state.agent.as_ref().and_then(|pane| pane.detail.as_ref());
            let newest_first = detail.map(|detail| detail.events.iter());
            events("agent-events", newest_first.into_iter().flatten().rev())
        }
    };
    if export.is_none() {
        state.say(Role::Text, "there is nothing to write here");
    }
    export.map(Effect::Export).into_iter().collect()
}

/// The agents that the filter shows, also those in folded groups, as `heartline status --json`.
fn fleet(state: &State) -> Option<Export> {
    let (world, now_ms) = (state.world(), state.now_ms());
    let shown = world.fleet.entries().filter(|entry| state.list.shows(entry, now_ms));
    let shown: Vec<_> = shown.collect();
    let what = counted(shown.len(), "agent");
    let text = json::line(&json::status(shown, world.collector()?, now_ms));
    Some(Export { stem: "fleet", format: ExportFormat::Json, text: text + "\n", what })
}

/// Events as `heartline events --json`.
fn events<'a>(stem: &'static str, events: impl Iterator<Item = &'a Event>) -> Option<Export> {
    let lines: Vec<_> = events.map(|event| json::line(&json::event(event)) + "\n").collect();
    let (what, format) = (counted(lines.len(), "event"), ExportFormat::JsonLines);
    (!lines.is_empty()).then(|| Export { stem, format, text: lines.concat(), what })
}

fn counted(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

pub(super) fn exported(state: &mut State, result: Result<String, String>) -> Vec<Effect> {
    match result {
        Ok(text) => state.say(Role::Text, text),
        Err(why) => state.say(Role::Alert, why),
    }
    Vec::new()
}
