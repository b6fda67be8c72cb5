//! What each command does, on the screen on which it is given.

use heartline_operator::json;
use heartline_operator::message::Event;

use super::{
    AppEffect, ExportFile, ExportFormat, agent, alerts, attention, collector, dialog, keys, lists,
    navigation, time_travel, timeline,
};
use crate::availability::refusal;
use crate::commands::AppCommand;
use crate::layout::ScreenLayout;
use crate::state::{
    AgentScreen, AppState, CommandPalette, DialogCommand, DisplayTimeZone, Entered, FocusDirection,
    MouseMode, Overlay, PickerPurpose, Screen, SelectedRow, TimelineFocus,
};
use crate::theme::StyleRole;

/// The help where only counts are drawn.
const COUNTS_HELP: &str = "q quits; 30x4 shows agents";

pub(super) fn run(state: &mut AppState, command: AppCommand) -> Vec<AppEffect> {
    if let Some(why) = refusal(state, command) {
        state.set_status(StyleRole::Warning, why);
        return Vec::new();
    }
    let is_counts = ScreenLayout::of(state.size) == ScreenLayout::Counts;
    match command {
        // There is no screen to go back from, and no room for help.
        AppCommand::Quit if is_counts => return vec![AppEffect::Exit],
        AppCommand::Help if is_counts => state.set_status(StyleRole::Text, COUNTS_HELP),
        AppCommand::Exit => return vec![AppEffect::Exit],
        AppCommand::Suspend => return vec![AppEffect::Suspend],
        AppCommand::Redraw => return vec![AppEffect::Redraw],
        AppCommand::Reconnect => return vec![AppEffect::Reconnect],
        AppCommand::Quit => return quit(state),
        AppCommand::Open => return open(state),
        AppCommand::ShowAgent => return show_agent(state),
        AppCommand::CopyId | AppCommand::CopyRow => return copy(state, command),
        AppCommand::Export => return export(state),
        AppCommand::Mouse => return toggle_mouse(state),
        AppCommand::ShowCollector => return collector::open(state),
        AppCommand::Back => go_back(state),
        AppCommand::ShowFleet => state.show(Screen::Fleet),
        AppCommand::ShowTransitions => {
            state.show(Screen::Transitions);
            lists::rebuild_transitions(state);
        }
        AppCommand::Help => state.overlay = Some(Overlay::Help { scroll: 0 }),
        AppCommand::Palette => state.overlay = Some(Overlay::Palette(CommandPalette::default())),
        AppCommand::GoTo
        | AppCommand::Live
        | AppCommand::Freeze
        | AppCommand::JumpBack
        | AppCommand::RepeatJump
        | AppCommand::Play
        | AppCommand::PreviousOutage
        | AppCommand::NextOutage
        | AppCommand::PreviousOutageOfAny
        | AppCommand::NextOutageOfAny => return time_travel::run(state, command),
        AppCommand::ShowTimeline | AppCommand::TimelineOf => timeline::show(state, command),
        AppCommand::CursorLeft
        | AppCommand::CursorRight
        | AppCommand::CursorPageLeft
        | AppCommand::CursorPageRight
        | AppCommand::ZoomIn
        | AppCommand::ZoomOut
        | AppCommand::FitAll
        | AppCommand::CellMode
        | AppCommand::CentreOutage
        | AppCommand::AddNote => timeline::run(state, command),
        AppCommand::MarkSpan => {
            timeline::run(state, command);
            state.entered.push(Entered::Marks);
        }
        AppCommand::Acknowledge if state.screen == Screen::Timeline => {
            timeline::run(state, command);
        }
        AppCommand::Acknowledge => alerts::acknowledge(state),
        AppCommand::ShowAlerts => alerts::show(state),
        AppCommand::Newest => attention::show_newest(state),
        AppCommand::Utc => match state.zone {
            DisplayTimeZone::Utc => state.show_local_times(),
            DisplayTimeZone::Local => state.zone = DisplayTimeZone::Utc,
        },
        AppCommand::Expand => toggle_expanded(state),
        AppCommand::NextPane => move_focus(state, FocusDirection::Next),
        AppCommand::PreviousPane => move_focus(state, FocusDirection::Previous),
        AppCommand::Window | AppCommand::Chart => agent::change_chart(state, command),
        AppCommand::AgentTransitions => lists::show_agent_transitions(state),
        AppCommand::Kill => dialog::open(state, DialogCommand::Kill),
        AppCommand::Resume => dialog::open(state, DialogCommand::Resume),
        AppCommand::Forget => dialog::open(state, DialogCommand::Forget),
        AppCommand::Filter => keys::edit_filter(state),
        AppCommand::ProblemsOnly if state.screen == Screen::Timeline => {
            timeline::toggle_only_outages(state);
        }
        AppCommand::ProblemsOnly => {
            lists::change_filter(state, |filter| filter.problems_only ^= true);
            state.entered.push(Entered::Filter(state.screen));
        }
        AppCommand::Sort => keys::open_picker(state, PickerPurpose::SortOrder),
        AppCommand::Columns => keys::open_picker(state, PickerPurpose::Visibility),
        AppCommand::NextMatch | AppCommand::PreviousMatch => {
            navigation::select_next_match(state, command);
        }
        AppCommand::SortLeft
        | AppCommand::SortRight
        | AppCommand::Invert
        | AppCommand::Group
        | AppCommand::FoldOpen
        | AppCommand::FoldClose
        | AppCommand::Fold
        | AppCommand::FoldAll
        | AppCommand::Mark
        | AppCommand::MarkRange
        | AppCommand::MarkAll
        | AppCommand::Unmark => lists::run_fleet_command(state, command),
        AppCommand::Down
        | AppCommand::Up
        | AppCommand::Top
        | AppCommand::Bottom
        | AppCommand::HalfDown
        | AppCommand::HalfUp
        | AppCommand::PageDown
        | AppCommand::PageUp => navigation::move_selection(state, command),
    }
    Vec::new()
}

/// Goes back; exits from the fleet.
fn quit(state: &mut AppState) -> Vec<AppEffect> {
    if state.overlay.take().is_some() || alerts::close(state) {
        return Vec::new();
    }
    match state.entered.pop_screen() {
        Some(screen) if state.screen != Screen::Fleet => {
            state.screen = screen;
            Vec::new()
        }
        _ => vec![AppEffect::Exit],
    }
}

/// Closes, clears, or goes back, whichever applies first. Never exits.
fn go_back(state: &mut AppState) {
    if state.overlay.take().is_some() {
        return;
    }
    while let Some(entered) = state.entered.pop() {
        if take_back(state, entered) {
            return;
        }
    }
    // What no key entered: a filter of the command line.
    if lists::clear_filter(state) {
        return;
    }
    if state.screen == Screen::Fleet {
        state.status_message = None;
        state.tracker.clear();
        state.attention.dismiss();
    } else {
        state.screen = Screen::Fleet;
    }
}

/// Takes back what was entered; returns whether it was still there, on this screen.
fn take_back(state: &mut AppState, entered: Entered) -> bool {
    match entered {
        // From the fleet there is nowhere to go back to.
        Entered::Screen(_) | Entered::Log(..) if state.screen == Screen::Fleet => return false,
        Entered::Screen(screen) => state.screen = screen,
        Entered::Log(screen, filter) => {
            state.transitions.filter = *filter;
            lists::rebuild_transitions(state);
            state.screen = screen;
        }
        Entered::Filter(screen) => return screen == state.screen && lists::clear_filter(state),
        Entered::Expanded(screen) => {
            return screen == state.screen && std::mem::take(expanded(state));
        }
        Entered::Marks => {
            return state.screen == Screen::Timeline && timeline::clear_marks(state);
        }
        Entered::Incident => return alerts::close(state),
    }
    true
}

/// Returns whether a pane has the whole screen.
fn expanded(state: &mut AppState) -> &mut bool {
    match (state.screen, &mut state.agent) {
        (Screen::Agent, Some(agent)) => &mut agent.is_expanded,
        _ => &mut state.is_expanded,
    }
}

/// Handles Enter: presses a button, folds a group, or opens the agent of a row.
fn open(state: &mut AppState) -> Vec<AppEffect> {
    match (&state.overlay, state.screen) {
        (Some(Overlay::Dialog(_)), _) => return dialog::press_button(state),
        (Some(Overlay::Picker(_)), _) => keys::pick_column(state),
        (
            Some(
                Overlay::Help { .. }
                | Overlay::Collector(_)
                | Overlay::Palette(_)
                | Overlay::Filter(_)
                | Overlay::Prompt(_),
            ),
            _,
        ) => {}
        (None, Screen::Timeline) => timeline::open(state),
        (None, Screen::Agent) => toggle_expanded(state),
        // Of an incident that is shown whole: the agent of the line.
        (None, Screen::Alerts) if state.alerts.opened.is_none() => alerts::open(state),
        (None, Screen::Fleet) if matches!(state.list.cursor, Some(SelectedRow::Group(_))) => {
            lists::toggle_fold(state);
        }
        (None, Screen::Fleet | Screen::Transitions | Screen::Alerts) => return show_agent(state),
    }
    Vec::new()
}

fn show_agent(state: &mut AppState) -> Vec<AppEffect> {
    if state.screen == Screen::Agent {
        return Vec::new();
    }
    let Some(id) = state.current_agent().map(str::to_owned) else {
        state.set_status(StyleRole::Text, "no agent is selected");
        return Vec::new();
    };
    let mut agent = AgentScreen::new(id.clone());
    agent.charts = state.agent.as_ref().map(|it| it.charts.of_other_agent()).unwrap_or_default();
    agent.set_requested(state.now);
    state.agent = Some(agent);
    state.show(Screen::Agent);
    vec![AppEffect::RequestAgent(id)]
}

fn toggle_mouse(state: &mut AppState) -> Vec<AppEffect> {
    let (mode, text) = match state.mouse {
        MouseMode::Terminal => {
            (MouseMode::Captured, "the mouse scrolls and selects rows; M releases it")
        }
        MouseMode::Captured => {
            (MouseMode::Terminal, "mouse released to the terminal: drag to copy")
        }
    };
    state.mouse = mode;
    state.set_status(StyleRole::Text, text);
    vec![AppEffect::SetMouseMode(mode)]
}

fn toggle_expanded(state: &mut AppState) {
    let is_offered = match state.screen {
        Screen::Fleet => state.list.selected_agent().is_some(),
        Screen::Agent => state.agent.is_some(),
        Screen::Transitions | Screen::Timeline | Screen::Alerts => false,
    };
    let is_expanded = is_offered && !*expanded(state);
    *expanded(state) = is_expanded;
    if is_expanded {
        state.entered.push(Entered::Expanded(state.screen));
    }
}

fn move_focus(state: &mut AppState, direction: FocusDirection) {
    if let Some(Overlay::Dialog(dialog)) = &mut state.overlay {
        dialog.move_focus(direction);
    } else if state.screen == Screen::Timeline {
        state.timeline.focus = match state.timeline.focus {
            TimelineFocus::Rows => TimelineFocus::Outages,
            TimelineFocus::Outages => TimelineFocus::Rows,
        };
    } else {
        agent::move_focus(state, direction);
    }
}

/// Copies the id of the current agent, or the selected row as JSON.
fn copy(state: &mut AppState, command: AppCommand) -> Vec<AppEffect> {
    let text = match command {
        AppCommand::CopyId if state.screen == Screen::Alerts => {
            state.alerts.current().map(|report| report.incident.id.to_string())
        }
        AppCommand::CopyId => state.current_agent().map(str::to_owned),
        _ => row_as_json(state),
    };
    let Some(text) = text else {
        state.set_status(StyleRole::Text, "there is nothing to copy here");
        return Vec::new();
    };
    vec![AppEffect::CopyToClipboard(text)]
}

fn row_as_json(state: &AppState) -> Option<String> {
    if state.screen == Screen::Transitions {
        return state.selected_event().map(|event| json::line(&json::event(event)));
    }
    if state.screen == Screen::Alerts {
        return state.alerts.current().map(|report| json::line(&json::incident(report)));
    }
    if state.screen == Screen::Timeline && state.timeline.focus == TimelineFocus::Outages {
        let outage = state.timeline.outages.selected()?;
        return Some(json::line(&json::outage(outage, state.live_ms())));
    }
    let entry = state.model().agent(state.current_agent()?)?;
    let collector = state.model().collector()?;
    Some(json::line(&json::status([entry], collector, state.now_ms())))
}

fn export(state: &mut AppState) -> Vec<AppEffect> {
    let file = match state.screen {
        Screen::Fleet => fleet_file(state),
        Screen::Transitions => {
            let rows = state.transitions.rows.iter();
            event_file("events", rows.filter_map(|cursor| state.event(*cursor)))
        }
        Screen::Timeline => {
            let now_ms = state.live_ms();
            let outages = state.timeline.outages.rows.iter().rev();
            lines_file("outages", "outage", outages.map(|it| json::line(&json::outage(it, now_ms))))
        }
        Screen::Alerts => {
            let incidents = state.alerts.report.incidents.iter();
            lines_file("incidents", "incident", incidents.map(|it| json::line(&json::incident(it))))
        }
        Screen::Agent => {
            let detail = state.agent.as_ref().and_then(|agent| agent.detail.as_ref());
            let newest_first = detail.map(|detail| detail.events.iter());
            event_file("agent-events", newest_first.into_iter().flatten().rev())
        }
    };
    if file.is_none() {
        state.set_status(StyleRole::Text, "there is nothing to write here");
    }
    file.map(AppEffect::Export).into_iter().collect()
}

/// Returns the agents that the filter shows, also in folded groups, as `heartline status --json`.
fn fleet_file(state: &AppState) -> Option<ExportFile> {
    let (model, now_ms) = (state.model(), state.now_ms());
    let visible = model.fleet.entries().filter(|entry| state.list.shows(entry, now_ms));
    let visible: Vec<_> = visible.collect();
    let summary = count_of(visible.len(), "agent");
    let text = json::line(&json::status(visible, model.collector()?, now_ms));
    Some(ExportFile { stem: "fleet", format: ExportFormat::Json, text: text + "\n", summary })
}

/// Returns events as `heartline events --json`.
fn event_file<'a>(
    stem: &'static str,
    events: impl Iterator<Item = &'a Event>,
) -> Option<ExportFile> {
    lines_file(stem, "event", events.map(|event| json::line(&json::event(event))))
}

/// Returns things as JSON, each on a line.
fn lines_file(
    stem: &'static str,
    thing: &str,
    lines: impl Iterator<Item = String>,
) -> Option<ExportFile> {
    let lines: Vec<_> = lines.map(|line| line + "\n").collect();
    let (summary, format) = (count_of(lines.len(), thing), ExportFormat::JsonLines);
    (!lines.is_empty()).then(|| ExportFile { stem, format, text: lines.concat(), summary })
}

fn count_of(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}
