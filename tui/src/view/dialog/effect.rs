//! What a command will do, and by when.

use heartline_operator::message::AgentEntry;
use heartline_vocabulary::{Reason, State};

use super::super::zoned_time;
use crate::state::{AppState, ConfirmDialog, DialogCommand};
use crate::text::{age, span, wrap};
use crate::theme::StyleRole;

/// Intervals without a beat after which a command may not reach an agent.
const MAX_BEAT_INTERVALS: u64 = 3;
/// The most agents whose kill a resume dialog shows.
const MAX_NAMED: usize = 3;
/// The heading, and the indent of lines that belong to it, where there is room for one.
const HEADING: &str = "Effect";
const INDENT: usize = 8;
const MIN_INDENTED_COLUMNS: usize = 50;

/// A paragraph and its style.
type Paragraph = (StyleRole, String);

/// The room for an effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffectRoom {
    pub columns: usize,
    pub lines: usize,
}

/// Returns the effect of a command in lines, each with its style. Where there is no room for all,
/// what it does to any agent is left out first.
pub(super) fn effect_lines(
    state: &AppState,
    dialog: &ConfirmDialog,
    room: EffectRoom,
) -> Vec<Paragraph> {
    let lines = |general: &[Paragraph]| match dialog.command {
        DialogCommand::Kill => {
            let particular = kill_effect(state, dialog);
            indented(&[general, &particular].concat(), room.columns)
        }
        DialogCommand::Forget => {
            let particular = left_out(dialog);
            indented(&[general, &particular].concat(), room.columns)
        }
        DialogCommand::Resume => {
            let kills = wrapped(&earlier_kills(state, dialog), room.columns);
            [kills, indented(general, room.columns)].concat()
        }
    };
    let all = lines(&[(StyleRole::Text, general_effect(dialog).to_owned())]);
    let mut kept = if all.len() > room.lines { lines(&[]) } else { all };
    kept.truncate(room.lines);
    kept
}

fn general_effect(dialog: &ConfirmDialog) -> &'static str {
    match dialog.command {
        DialogCommand::Kill => {
            "No new task starts; those in flight may finish. It lasts until resumed, also when the \
             agent or the collector starts again."
        }
        DialogCommand::Resume => "New tasks may start again, as soon as the agent has received it.",
        DialogCommand::Forget if dialog.targets.agents.len() == 1 => {
            "It leaves the fleet, and its history stays. It comes back if it beats again. While it \
             is killed it can't be forgotten."
        }
        DialogCommand::Forget => {
            "They leave the fleet, and their history stays. Who beats again comes back. All are \
             forgotten, or none if one still beats or is killed."
        }
    }
}

/// Returns how many agents were selected that can't be forgotten.
fn left_out(dialog: &ConfirmDialog) -> Vec<Paragraph> {
    let text = match dialog.targets.left_out {
        0 => return Vec::new(),
        1 => "1 other is left out: it beats, or is killed.".to_owned(),
        n => format!("{n} others are left out: they beat, or are killed."),
    };
    vec![(StyleRole::Warning, text)]
}

/// Wraps paragraphs, the heading in front of the first one.
fn indented(paragraphs: &[Paragraph], columns: usize) -> Vec<Paragraph> {
    let indent = if columns < MIN_INDENTED_COLUMNS { 0 } else { INDENT };
    let mut lines = wrapped(paragraphs, columns - indent);
    for (at, (_, text)) in lines.iter_mut().enumerate() {
        let heading = if at == 0 { HEADING } else { "" };
        if indent > 0 {
            *text = format!("{heading:INDENT$}{text}");
        }
    }
    lines
}

fn wrapped(paragraphs: &[Paragraph], columns: usize) -> Vec<Paragraph> {
    let lines = |(role, text): &Paragraph| {
        let role = *role;
        wrap(text, columns).into_iter().map(move |line| (role, line))
    };
    paragraphs.iter().flat_map(lines).collect()
}

fn kill_effect(state: &AppState, dialog: &ConfirmDialog) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let entries = dialog.targets.agents.iter().filter_map(|it| state.live.agent(&it.agent));
    let (killed, rest): (Vec<_>, Vec<_>) = entries.partition(|entry| is_killed(entry));
    match state.connection.silent_ms(state.now) {
        Some(silent_ms) if !rest.is_empty() => {
            let (whom, silent) = (names(&rest), age(silent_ms));
            let text = format!(
                "{whom}: the collector has been silent for {silent}, so that nobody knows who beats. \
                 PENDING until it answers."
            );
            paragraphs.push((StyleRole::Degraded, text));
        }
        _ => paragraphs.extend(reach(state, rest)),
    }
    if !killed.is_empty() {
        let whom = names(&killed);
        paragraphs.push((StyleRole::Dim, format!("{whom}: already killed, no change.")));
    }
    paragraphs
}

/// Returns when the command reaches which agents.
fn reach(state: &AppState, entries: Vec<&AgentEntry>) -> Vec<Paragraph> {
    let (reachable, unreachable): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| is_reachable(state, entry));
    let mut paragraphs = Vec::new();
    if let Some(slowest) = reachable.iter().map(|entry| entry.vitals.interval_ms).max() {
        let (whom, by) = (names(&reachable), span(slowest.into()));
        let text = format!("{whom}: delivered now, or with the next beat within {by}.");
        paragraphs.push((StyleRole::Text, text));
        let busy: u64 = reachable.iter().map(|entry| u64::from(entry.vitals.in_flight)).sum();
        // Always a line, so that the buttons below do not move.
        let drains = match busy {
            0 => "no task is in flight".to_owned(),
            1 => "1 task in flight drains first".to_owned(),
            _ => format!("{busy} tasks in flight drain first"),
        };
        paragraphs.push((StyleRole::Text, format!("Now {drains}.")));
    }
    if !unreachable.is_empty() {
        let whom = names(&unreachable);
        let text = format!("{whom}: not beating, PENDING until its next beat.");
        paragraphs.push((StyleRole::Degraded, text));
    }
    paragraphs
}

/// Returns who killed the targets of a resume, when and why.
fn earlier_kills(state: &AppState, dialog: &ConfirmDialog) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    for target in dialog.targets.agents.iter().take(MAX_NAMED) {
        if let Some(kill) = &target.vitals.command {
            let by = if kill.cause == Reason::Policy { "policy" } else { "killed by" };
            let at = zoned_time(state, kill.at_ms);
            let text = format!("{}: {by} {} at {at}, \"{}\"", target.agent, kill.by, kill.reason);
            paragraphs.push((StyleRole::Text, text));
        }
    }
    let more = dialog.targets.agents.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        paragraphs.push((StyleRole::Dim, format!("and {more} more")));
    }
    paragraphs
}

fn is_killed(entry: &AgentEntry) -> bool {
    entry.vitals.state == State::Killed && entry.vitals.reason != Some(Reason::Shutdown)
}

/// Returns whether a live beat came lately, so that a command reaches the agent.
fn is_reachable(state: &AppState, entry: &AgentEntry) -> bool {
    let vitals = &entry.vitals;
    let limit = MAX_BEAT_INTERVALS * u64::from(vitals.interval_ms);
    let age = vitals.beat_age_ms(state.live.exact_now_ms(state.now));
    age.is_some_and(|age| age < limit)
        && !matches!(vitals.state, State::Unreachable | State::Killed)
}

fn names(entries: &[&AgentEntry]) -> String {
    match entries {
        [only] => only.agent.clone(),
        several => format!("{} agents", several.len()),
    }
}
