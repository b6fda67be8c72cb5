//! What a command will do, in plain words, with its deadline.

use heartline_operator::message::AgentEntry;

use heartline_vocabulary::{Action, Reason, State as AgentState};

use crate::look::{Role, span};
use crate::state::{Dialog, State};
use crate::view::facts::when;

/// Intervals without a beat after which an agent counts as not heard.
const HEARD_INTERVALS: u64 = 3;
/// Agents that a resume dialog tells the story of.
const MOST_NAMED: usize = 3;

/// The lines, each in its colour.
pub(super) fn lines(state: &State, dialog: &Dialog) -> Vec<(Role, String)> {
    match dialog.action {
        Action::Kill => kill(state, dialog),
        Action::Resume => resume(state, dialog),
    }
}

fn kill(state: &State, dialog: &Dialog) -> Vec<(Role, String)> {
    let mut lines = vec![(
        Role::Text,
        "Effect  No new task starts; those in flight may end. It stays so until".to_owned(),
    )];
    let stays = "        resumed, also when the agent or the collector starts again.";
    lines.push((Role::Text, stays.to_owned()));
    let entries: Vec<&AgentEntry> =
        dialog.targets.iter().filter_map(|target| state.live.agent(&target.agent)).collect();
    let (killed, rest): (Vec<&AgentEntry>, Vec<&AgentEntry>) =
        entries.into_iter().partition(|entry| is_killed(entry));
    let (heard, silent): (Vec<&AgentEntry>, Vec<&AgentEntry>) =
        rest.into_iter().partition(|entry| is_heard(state, entry));
    if let Some(slowest) = heard.iter().map(|entry| entry.vitals.interval_ms).max() {
        let (whom, by) = (names(&heard), span(slowest.into()));
        lines.push((Role::Text, format!("        {whom}: told at once, in {by} at the latest.")));
        let busy: u64 = heard.iter().map(|entry| u64::from(entry.vitals.in_flight)).sum();
        // Always a line: the buttons below must not move while somebody aims at them.
        let drains = match busy {
            0 => "no task is in flight".to_owned(),
            1 => "1 task in flight drains first".to_owned(),
            _ => format!("{busy} tasks in flight drain first"),
        };
        lines.push((Role::Text, format!("        Now {drains}.")));
    }
    if !silent.is_empty() {
        let whom = names(&silent);
        lines.push((
            Role::Degraded,
            format!("        {whom}: not beating, PENDING until heard again."),
        ));
    }
    if !killed.is_empty() {
        lines.push((
            Role::Dim,
            format!("        {}: killed already, nothing changes.", names(&killed)),
        ));
    }
    lines
}

fn resume(state: &State, dialog: &Dialog) -> Vec<(Role, String)> {
    let mut lines = Vec::new();
    for target in dialog.targets.iter().take(MOST_NAMED) {
        if let Some(kill) = &target.killed_by {
            let who = if kill.cause == Reason::Policy { "policy" } else { "killed by" };
            let at = when(state, kill.at_ms);
            lines.push((
                Role::Text,
                format!("{}: {who} {} at {at}, \"{}\"", target.agent, kill.by, kill.reason),
            ));
        }
    }
    let more = dialog.targets.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        lines.push((Role::Dim, format!("and {more} more")));
    }
    lines.push((
        Role::Text,
        "Effect  New tasks may start again, as soon as the agent hears of it.".to_owned(),
    ));
    lines
}

fn is_killed(entry: &AgentEntry) -> bool {
    entry.vitals.state == AgentState::Killed && entry.vitals.reason != Some(Reason::Shutdown)
}

/// Whether a live beat came lately, so that an order gets through.
fn is_heard(state: &State, entry: &AgentEntry) -> bool {
    let vitals = &entry.vitals;
    let limit = HEARD_INTERVALS * u64::from(vitals.interval_ms);
    let age = vitals.beat_age_ms(state.live.exact_now_ms(state.now));
    age.is_some_and(|age| age < limit)
        && !matches!(vitals.state, AgentState::Unreachable | AgentState::Killed)
}

fn names(entries: &[&AgentEntry]) -> String {
    match entries {
        [only] => only.agent.clone(),
        several => format!("{} agents", several.len()),
    }
}
